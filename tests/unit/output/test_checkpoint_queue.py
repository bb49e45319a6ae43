"""The queue of checkpoints: in order, once settled, and none is overtaken or lost by a failure."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from helr.errors import OutputGoneError, StateError
from helr.output.checkpoint_queue import CheckpointQueue
from helr.pytest_plugin import FakeClock
from helr.state import SourceState
from helr.state.records import Checkpoint, Stored


class State(SourceState):
    """Remembers the cursors that were committed, and how; refuses as often as `refuses` says."""

    def __init__(self, name: str = "s") -> None:
        super().__init__(name)
        self.commits: list[list[str | None]] = []
        self.refuses = 0

    def load(self) -> Stored:
        return Stored()

    def ids(self) -> list[str]:
        return []

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        if self.refuses:
            self.refuses -= 1
            raise StateError("the disk is full")
        self.commits.append([each.values.get("cursor") for each in checkpoints])


class Reader:
    """The output's reader; once it is gone, nothing may be recorded."""

    gone = False

    def alive(self) -> None:
        if self.gone:
            raise OutputGoneError("the reader went away")


@pytest.fixture
def reader() -> Reader:
    return Reader()


def queue(
    clock: FakeClock, reader: Reader, settle: float = 0, tries: int | None = None
) -> CheckpointQueue:
    made = CheckpointQueue(clock, settle, reader.alive, lambda error: None, tries)
    made._start = lambda: None  # type: ignore[method-assign] - the test is the settling thread
    return made


def point(cursor: str, lines: int = 1) -> Checkpoint:
    return Checkpoint(lines=lines, values={"cursor": cursor})


def test_without_a_wait_each_is_recorded_at_once(fake_clock: FakeClock, reader: Reader) -> None:
    of, state = queue(fake_clock, reader), State()
    of.put(state, point("a"))
    of.put(state, point("b"))
    assert state.commits == [["a"], ["b"]]
    assert (of.pending(), of.wait()) == (0, 0)


def test_one_that_fails_is_recorded_before_the_next(fake_clock: FakeClock, reader: Reader) -> None:
    of, state = queue(fake_clock, reader), State()
    state.refuses = 2
    of.put(state, point("a", 5))  # is not raised here
    assert of.pending() == 5
    with pytest.raises(StateError):
        of.ready(state)
    of.put(state, point("b"))
    assert (state.commits, of.pending()) == ([["a", "b"]], 0)


def test_what_is_not_settled_waits(fake_clock: FakeClock, reader: Reader) -> None:
    of, state = queue(fake_clock, reader, settle=20), State()
    of.put(state, point("a", 3))
    fake_clock.time += 15
    of.put(state, point("b", 4))
    assert (of.pending(), of.wait()) == (7, 20)
    fake_clock.time += 5
    assert of.flush_all() is None
    assert (state.commits, of.pending(), of.wait()) == ([["a"]], 4, 15)
    fake_clock.ahead = 86_400  # someone sets the wall clock
    of.flush(state)
    assert state.commits == [["a"]]


def test_no_commit_once_the_reader_is_gone(fake_clock: FakeClock, reader: Reader) -> None:
    of, state = queue(fake_clock, reader, settle=20), State()
    of.put(state, point("a"))
    fake_clock.time += 20
    reader.gone = True
    with pytest.raises(OutputGoneError):
        of.flush(state)
    assert (state.commits, of.pending()) == ([], 1)


def test_a_failure_of_one_source_holds_no_other_back(fake_clock: FakeClock, reader: Reader) -> None:
    of, bad, good = queue(fake_clock, reader, settle=1), State("bad"), State("good")
    bad.refuses = 1
    of.put(bad, point("a"))
    of.put(good, point("b"))
    fake_clock.time += 1
    assert isinstance(of.flush_all(), StateError)
    assert (bad.commits, good.commits) == ([], [["b"]])


def test_before_a_block_a_state_is_tried_again_every_second(
    fake_clock: FakeClock, reader: Reader
) -> None:
    of, state = queue(fake_clock, reader, tries=5), State()
    state.refuses = 4
    of.put(state, point("a"))
    of.wait_recorded()
    assert fake_clock.waits == [1, 1, 1]
    assert state.commits == [["a"]]


def test_a_one_shot_run_gives_a_state_up_once_for_all_sources(
    fake_clock: FakeClock, reader: Reader
) -> None:
    of, state = queue(fake_clock, reader, tries=3), State()
    state.refuses = 100
    of.put(state, point("a"))
    for _ in range(2):
        with pytest.raises(StateError):
            of.wait_recorded()
    assert fake_clock.waits == [1, 1]


def test_what_replaces_the_queue_is_due_when_that_was(
    fake_clock: FakeClock, reader: Reader
) -> None:
    of, state = queue(fake_clock, reader, settle=20), State()
    of.put(state, point("a", 3))
    fake_clock.time += 5
    of.put(state, point("b", 4))
    of.replace(state, None)
    assert of.pending() == 0
    fake_clock.time += 5
    of.replace(state, point("everything"))
    assert (of.pending(), of.wait()) == (7, 15)
    fake_clock.time += 15
    of.flush(state)
    assert state.commits == [["everything"]]
