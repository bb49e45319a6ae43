"""The memory backend does what a commit promises; what all backends share: test_sqlite.py."""

from __future__ import annotations

from helr.model import State
from helr.state import open_read_only, open_store, peek
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint, Step


def test_a_commit_sets_and_removes_values() -> None:
    state = MemoryStore().source("s")
    state.commit([Checkpoint(values={"cursor": "c", "since": "5"})])
    state.commit([Checkpoint(values={"cursor": None, "never": None})])
    assert state.load().values == {"since": "5"}


def test_ids_beyond_the_capacity_are_forgotten_oldest_first() -> None:
    state = MemoryStore().source("s")
    state.commit([Checkpoint(ids=["a", None, "b"], capacity=3)])
    state.commit([Checkpoint(ids=["c", "d"], capacity=3)])
    assert state.ids() == ["b", "c", "d"]


def test_marks_are_forgotten_by_kind_and_time() -> None:
    state = MemoryStore().source("s")
    marks = [("edge", b"1", 1.0), ("edge", b"2", 2.0), ("cursor", b"3", 0.0)]
    state.commit([Checkpoint(marks=list(marks))])
    state.commit([Checkpoint(forget=[("edge", 2.0)])])
    assert state.load().marks == marks[1:]
    state.commit([Checkpoint(forget=[("cursor", None)], marks=[("cursor", b"4", 0.0)])])
    assert state.load().marks == [marks[1], ("cursor", b"4", 0.0)]


def test_what_is_loaded_is_a_copy() -> None:
    state = MemoryStore().source("s")
    state.commit([Checkpoint(values={"cursor": "c"}, ids=["a"], capacity=2)])
    state.load().values.clear()
    state.ids().clear()
    assert (state.load().values, state.ids()) == ({"cursor": "c"}, ["a"])


def test_a_step_commits_its_checkpoint_and_is_never_unfinished() -> None:
    store = MemoryStore()
    store.journal.commit(Step("/o", 1, 2, 3, b"x\n"), "s", Checkpoint(values={"cursor": "c"}))
    assert store.source("s").load().values == {"cursor": "c"}
    store.journal.finish("/o", 5)
    assert store.journal.step("/o") == Step("/o", 1, 2, 5, b"")
    assert store.journal.unfinished() == []


def test_nothing_can_be_read_of_it_from_outside() -> None:
    memory = State(backend="memory")
    assert isinstance(open_store(memory), MemoryStore)
    assert open_read_only(memory) is None
    assert peek(memory, "s").values == {}
