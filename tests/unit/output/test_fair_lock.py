"""The fair lock: who waits longest gets it next, and a wait that ends loses nothing."""

from __future__ import annotations

import threading
import time

from helr.output.fair_lock import FairLock


def waiting(lock: FairLock, count: int) -> None:
    """Return as soon as that many threads wait for it."""
    end = time.monotonic() + 5
    while len(lock._waiting) < count:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_it_is_handed_over_in_the_order_in_which_it_was_asked_for() -> None:
    lock, order = FairLock(), []

    def work(name: int) -> None:
        with lock:
            order.append(name)

    lock.acquire()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        waiting(lock, number)
    lock.release()
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]
    assert lock.acquire(timeout=0)


def test_who_just_released_it_does_not_overtake_those_who_wait() -> None:
    lock = FairLock()
    lock.acquire()
    got = threading.Event()

    def work() -> None:
        with lock:
            got.set()

    thread = threading.Thread(target=work)
    thread.start()
    waiting(lock, 1)
    lock.release()
    with lock:
        assert got.is_set()
    thread.join(5)


def test_a_wait_that_times_out_leaves_its_place() -> None:
    lock = FairLock()
    lock.acquire()
    assert not lock.acquire(timeout=0.01)
    lock.release()  # nobody waits any more
    assert lock.acquire(timeout=0)


def test_an_exception_releases_it() -> None:
    lock = FairLock()
    try:
        with lock:
            raise ValueError
    except ValueError:
        pass
    assert lock.acquire(timeout=0)
