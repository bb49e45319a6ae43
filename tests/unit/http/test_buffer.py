"""Where a body is kept while it arrives: places in memory are for complete bodies."""

from __future__ import annotations

import errno
import io
import tempfile
import threading
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.clock import Clock
from helr.errors import Stopped
from helr.http.buffer import PATIENCE_SECS, SMALL_BYTES, Buffer
from helr.http.timeouts import Deadline
from helr.model import Timeouts
from helr.pytest_plugin import FakeClock

LARGE = bytes(range(256)) * (SMALL_BYTES // 256 + 1)


def no_file() -> IO[bytes]:
    raise AssertionError("no file is needed")


def small_disk(room: int) -> IO[bytes]:
    """A raw file on a disk with limited space."""

    class File(io.FileIO):
        left = room

        def write(self, data: object) -> int:
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")
            size = super().write(memoryview(data)[: self.left])  # type: ignore[arg-type]
            self.left -= size
            return size

    fd, path = tempfile.mkstemp()
    io.FileIO(fd).close()
    return File(path, "r+")  # type: ignore[return-value]


class Case:
    """A buffer with access to its places and its clock."""

    def __init__(self, places: int = 1) -> None:
        self.clock = FakeClock()
        self.deadline = Deadline(Timeouts(5, 60, 5), self.clock)
        self.deadline.start()
        self.places = threading.BoundedSemaphore(places)
        self.files = 0

    def buffer(self) -> Buffer:
        def make() -> IO[bytes]:
            self.files += 1
            return tempfile.TemporaryFile(buffering=0)

        return Buffer(self.places, self.deadline, make)

    def free(self) -> bool:
        got = self.places.acquire(blocking=False)
        if got:
            self.places.release()
        return got


def test_a_small_body_needs_no_place() -> None:
    case = Case(places=0)
    buffer = case.buffer()
    buffer.add(bytes(SMALL_BYTES))
    assert len(buffer.whole()) == SMALL_BYTES
    assert buffer.place is None
    assert case.files == 0


def test_a_large_body_that_comes_at_once_has_a_place_and_no_file() -> None:
    case = Case()
    buffer = case.buffer()
    for _ in range(3):
        buffer.add(LARGE)
        case.deadline.check()
    assert buffer.whole() == LARGE * 3
    assert not case.free()
    assert case.files == 0


def test_the_last_place_is_given_up_by_a_body_that_is_slow() -> None:
    case = Case()
    slow = case.buffer()
    slow.add(LARGE)
    case.deadline.check()
    assert not case.free()
    case.clock.time += PATIENCE_SECS
    case.deadline.check()
    assert case.free()
    slow.add(LARGE)
    assert case.free()
    assert slow.whole() == LARGE * 2
    assert not case.free()


def test_a_place_that_is_not_the_last_is_kept() -> None:
    case = Case(places=2)
    slow = case.buffer()
    slow.add(LARGE)
    case.clock.time += 10
    case.deadline.check()
    assert case.files == 0
    assert slow.whole() == LARGE


def test_a_body_goes_on_coming_while_no_place_is_free() -> None:
    case = Case(places=0)
    buffer = case.buffer()
    for _ in range(5):
        buffer.add(LARGE)
    assert case.files == 1
    case.places = threading.BoundedSemaphore(1)
    buffer._places = case.places
    assert buffer.whole() == LARGE * 5


@given(st.lists(st.binary(max_size=SMALL_BYTES), max_size=6), st.sets(st.integers(0, 5)))
def test_what_was_added_comes_out(pieces: list[bytes], pauses: set[int]) -> None:
    case = Case()
    buffer = case.buffer()
    for number, piece in enumerate(pieces):
        buffer.add(piece)
        if number in pauses:
            case.clock.time += 1
            case.deadline.check()
    assert buffer.whole() == b"".join(pieces)
    buffer.close()
    assert case.free()


@pytest.mark.parametrize("room", [0, 1, SMALL_BYTES, len(LARGE), len(LARGE) + 7, 3 * len(LARGE)])
def test_a_full_disk_costs_nothing_but_the_wait(room: int) -> None:
    case = Case()
    buffer = Buffer(case.places, case.deadline, lambda: small_disk(room))
    for _ in range(4):
        buffer.add(LARGE)
        case.clock.time += PATIENCE_SECS
        case.deadline.check()
    assert buffer.whole() == LARGE * 4
    buffer.close()
    assert case.free()


def test_without_a_file_the_body_stays_in_memory() -> None:
    def read_only() -> IO[bytes]:
        raise OSError(errno.EROFS, "Read-only file system")

    case = Case()
    buffer = Buffer(case.places, case.deadline, read_only)
    buffer.add(LARGE)
    case.clock.time += 10
    case.deadline.check()
    buffer.add(LARGE)
    assert buffer.whole() == LARGE * 2


def test_a_body_that_is_not_wanted_gives_everything_back() -> None:
    case = Case()
    for pause in (0, 1):
        buffer = case.buffer()
        buffer.add(LARGE)
        case.clock.time += pause
        case.deadline.check()
        buffer.close()
        assert case.free()
        assert case.deadline.waiting is None


def test_waiting_for_a_place_is_not_the_servers_time_and_ends_on_a_stop() -> None:
    clock = Clock()
    deadline = Deadline(Timeouts(5, 0.05, 5), clock)
    places = threading.Semaphore(0)
    deadline.start()
    threading.Timer(0.15, places.release).start()
    buffer = Buffer(places, deadline)
    buffer.add(LARGE)
    buffer.whole()
    deadline.start_read()
    assert deadline.read_left() > 0

    waiting = Buffer(threading.Semaphore(0), deadline)
    waiting.add(LARGE)
    clock.stop()
    with pytest.raises(Stopped):
        waiting.whole()
