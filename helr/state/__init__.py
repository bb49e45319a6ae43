"""State: what outlives a process, per source, behind one small interface.

A backend promises: `commit` is one transaction, all of it or nothing, and a later `load` shows
the last commit; a failed commit changes nothing and says why (StateError). Keys of `values`:
`cursor` or `next_url`, each `incremental_from.state_key`, and helr's own `chain`,
`lookback_from`, `resets`, `hold`, `breaker`, `success`, and `url`: the API that all of it comes
from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from helr.errors import StateError
from helr.log import for_source
from helr.model import State

RESERVED = frozenset(
    {"cursor", "next_url", "chain", "lookback_from", "resets", "hold", "breaker", "success", "url"}
    | {"ids", "marks"}
)


class Checkpoint(msgspec.Struct):
    """One change of a source's state. `lines`: how many delivered lines it stands for.

    `values`: keys to set, or to remove (None). `ids`: delivered ids, of which those of the oldest
    events beyond `capacity` are forgotten; `at`: their page's greatest event time (None: later
    than all before). `marks`: (kind, mark, at) to remember; `forget`: (kind, below):
    marks of that kind with `at < below` (all, when None) are dropped.
    """

    lines: int = 0
    values: dict[str, str | None] = {}
    ids: list[str] = []
    capacity: int = 0
    at: float | None = None
    marks: list[tuple[str, bytes, float]] = []
    forget: list[tuple[str, float | None]] = []


class Stored(msgspec.Struct):
    """What a backend holds of one source. `marks`: (kind, mark, at)."""

    values: dict[str, str] = {}
    marks: list[tuple[str, bytes, float]] = []


class Step(msgspec.Struct):
    """Lines about to be appended to a regular file, and where: see helr/output/file.py."""

    path: str
    device: int
    inode: int
    length: int
    lines: bytes


class Store(Protocol):
    """A backend; safe to use from several threads. `path`: its file, if it has one."""

    durable: bool

    @property
    def path(self) -> str | None: ...

    def load(self, source: str) -> Stored: ...

    def ids(self, source: str) -> list[str]:
        """Delivered ids, oldest first."""
        ...

    def commit(self, source: str, checkpoints: Sequence[Checkpoint]) -> None:
        """Record them all, in order, in one transaction. Raises StateError."""
        ...

    def commit_step(self, source: str, checkpoint: Checkpoint, step: Step) -> None:
        """The same with a step, and on the disk before it returns. Raises StateError.

        A step of no source ("") has an empty checkpoint.
        """
        ...

    def step(self, path: str) -> Step | None:
        """The last step of that output file; its lines are empty when it was appended whole.

        Raises StateError.
        """
        ...

    def unfinished(self) -> list[str]:
        """The output files whose last step is not known to be appended whole. Raises StateError."""
        ...

    def finish_step(self, path: str, length: int) -> None:
        """The step was appended and the file is now that long. Raises StateError."""
        ...

    def generation(self) -> int:
        """Grows by one when the state was found deleted or replaced, and opened anew.

        Raises StateError when it cannot be opened.
        """
        ...

    def accept(self, source: str) -> None:
        """The source knows of the present generation; until then its commits are refused."""
        ...

    def prove(self) -> None:
        """Write something. Raises StateError when the state cannot be written."""
        ...

    def close(self) -> None: ...


class SourceNotes:
    """The notes of one source (see helr.http.messages.Notes): known at once, kept if possible."""

    def __init__(self, store: Store, source: str, values: Mapping[str, str]) -> None:
        self._store = store
        self._source = source
        self._values = dict(values)

    def get(self, key: str) -> str | None:
        return self._values.get(key)

    def set(self, key: str, value: str | None) -> None:
        if value == self._values.get(key):
            return
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        try:
            self._store.commit(self._source, [Checkpoint(values={key: value})])
        except StateError as error:
            for_source(self._source).warning("%s: %s; a restart will not know it", key, error)


def open_store(state: State) -> Store:
    """The configured backend, opened. Raises StateError when it cannot be."""
    return BACKENDS[state.backend](state)


def peek(state: State, source: str) -> Stored:
    """What the state holds of a source, or nothing; its file is only read. Raises StateError."""
    if state.backend == "memory" or not os.path.exists(state.path):
        return Stored()
    from helr.state.sqlite import SqliteStore

    store = SqliteStore(state.path, read_only=True)
    try:
        return store.load(source)
    finally:
        store.close()


def _sqlite(state: State) -> Store:
    from helr.state.sqlite import SqliteStore

    return SqliteStore(state.path)


def _memory(state: State) -> Store:
    from helr.state.memory import MemoryStore

    return MemoryStore()


BACKENDS: dict[str, Callable[[State], Store]] = {"sqlite": _sqlite, "memory": _memory}
