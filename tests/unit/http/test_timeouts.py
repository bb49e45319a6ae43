"""The limits of a request: each ends it under its own name, and the whole one always counts."""

from __future__ import annotations

import pytest

from helr.errors import Stopped
from helr.http.failures import Late
from helr.http.timeouts import LEAST_SECS, SLICE_SECS, Deadline
from helr.model import Timeouts
from helr.pytest_plugin import FakeClock


@pytest.fixture
def deadline(fake_clock: FakeClock) -> Deadline:
    made = Deadline(Timeouts(connect_secs=2, request_secs=10, read_secs=3), fake_clock)
    made.start()
    return made


def test_the_time_to_connect_is_shared_by_the_addresses(
    deadline: Deadline, fake_clock: FakeClock
) -> None:
    deadline.start_connect()
    assert deadline.connect_left(4) == pytest.approx(0.5)
    fake_clock.time += 1.5
    assert deadline.connect_left() == pytest.approx(0.5)
    fake_clock.time += 0.4999
    assert deadline.connect_left(8) == LEAST_SECS
    fake_clock.time += 0.001
    with pytest.raises(Late) as caught:
        deadline.connect_left()
    assert (caught.value.key, caught.value.secs) == ("connect_secs", 2)


def test_a_wait_for_bytes_is_sliced(deadline: Deadline, fake_clock: FakeClock) -> None:
    deadline.start_read()
    assert deadline.read_left() == SLICE_SECS
    fake_clock.time += 2.75
    assert deadline.read_left() == pytest.approx(0.25)
    fake_clock.time += 0.25
    with pytest.raises(Late, match="read_secs"):
        deadline.read_left()


def test_bytes_that_keep_coming_end_with_the_whole_request(
    deadline: Deadline, fake_clock: FakeClock
) -> None:
    for _ in range(9):
        deadline.start_read()
        fake_clock.time += 1
        deadline.read_left()
    deadline.start_read()
    fake_clock.time += 1
    with pytest.raises(Late, match="request_secs"):
        deadline.read_left()
    with pytest.raises(Late, match="request_secs"):
        deadline.check()


def test_time_that_helr_spent_does_not_count(deadline: Deadline, fake_clock: FakeClock) -> None:
    fake_clock.time += 11
    deadline.extend(5)
    deadline.check()


def test_a_stop_and_what_is_done_while_waiting(deadline: Deadline, fake_clock: FakeClock) -> None:
    calls: list[int] = []
    deadline.waiting = lambda: calls.append(1)
    deadline.check()
    assert calls == [1]
    fake_clock.stop()
    for step in (deadline.check, deadline.read_left, deadline.connect_left):
        with pytest.raises(Stopped):
            step()
