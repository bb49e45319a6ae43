"""What all backends share: one is opened by its name, only read by `peek`, and noted in at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from helr.errors import StateError
from helr.model import State
from helr.state import SourceState, open_read_only, open_store, peek
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint, Stored
from helr.state.sqlite import SqliteStore


def test_a_backend_is_named_by_the_config(tmp_path: Path) -> None:
    assert isinstance(open_store(State("memory")), MemoryStore)
    store = open_store(State("sqlite", str(tmp_path / "state.db")))
    assert isinstance(store, SqliteStore)
    store.close()


def test_a_look_at_a_state_creates_none(tmp_path: Path) -> None:
    state = State("sqlite", str(tmp_path / "state.db"))
    assert open_read_only(state) is None
    assert peek(state, "s") == Stored()
    assert list(tmp_path.iterdir()) == []

    store = open_store(state)
    store.source("s").commit([Checkpoint(values={"cursor": "c"})])
    store.close()
    assert peek(state, "s").values == {"cursor": "c"}
    assert peek(state, "other").values == {}


class Full(SourceState):
    def load(self) -> Stored:
        return Stored()

    def ids(self) -> list[str]:
        return []

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        raise StateError("the disk is full")


def test_a_note_is_recorded_at_once_and_its_failure_ends_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state = MemoryStore().source("s")
    state.note("hold", "{}")
    assert state.load().values == {"hold": "{}"}
    state.note("hold", None)
    assert state.load().values == {}

    Full("s").note("hold", "{}")
    [message] = caplog.messages
    assert message == "hold is not recorded, so a restart will not know of it: the disk is full"
    assert "the disk is full" in message
