"""State: what persists between runs, behind small interfaces. One file per `state.backend`.

A backend is a module here, named after it, with two functions: `open(state)` returns a Store, and
`open_read_only(state)` returns one that changes nothing, or None if no state exists.

A backend promises: `commit` is one transaction, all of it or nothing, and a later `load` shows
the last commit; a failed commit changes nothing and says why (StateError). The values are defined
in helr/state/records.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

from helr.errors import StateError
from helr.log import for_source
from helr.model import State
from helr.state.records import Checkpoint, Step, Stored


class SourceState(ABC):
    """The state of the source called `name`; safe to use from several threads."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def load(self) -> Stored:
        """All but the ids. Raises StateError."""

    @abstractmethod
    def ids(self) -> list[str]:
        """Delivered ids, oldest first. Raises StateError."""

    @abstractmethod
    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Record them all, in order, in one transaction. Raises StateError."""

    def is_current(self) -> bool:
        """False once the state has been deleted or replaced and the new one was opened; until
        `accept`, commits are refused. Raises StateError when the new one cannot be opened."""
        return True

    def accept(self) -> None:  # noqa: B027 - not every backend can be replaced
        """The source has dropped what belonged to the old state, and continues from this one."""

    def note(self, key: str, value: str | None) -> None:
        """Record one value at once, beside the queue of checkpoints (why that is safe:
        docs/decisions/0013-what-the-server-forbids-is-recorded-at-once.md)."""
        try:
            self.commit([Checkpoint(values={key: value})])
        except StateError as error:
            text = "%s is not recorded, so a restart will not know of it: %s"
            for_source(self.name).warning(text, key, error.text)


class Journal(Protocol):
    """The last step of each regular output file; see helr/output/file.py."""

    def commit(self, step: Step, source: str = "", checkpoint: Checkpoint | None = None) -> None:
        """Record a step, and the checkpoint of a source with it, in one transaction that is on
        the disk before this returns. Raises StateError."""
        ...

    def step(self, path: str) -> Step | None:
        """The last step of that output file; its lines are empty once all were appended.

        Raises StateError.
        """
        ...

    def unfinished(self) -> list[str]:
        """The output files whose last step may be incomplete. Raises StateError."""
        ...

    def finish(self, path: str, length: int) -> None:
        """The step was appended, and this is the length of the file now. Raises StateError."""
        ...


class Store(Protocol):
    """A backend. `path`: its file, if it has one; `durable`: it outlasts the process."""

    durable: bool
    journal: Journal

    @property
    def path(self) -> str | None: ...

    def source(self, name: str) -> SourceState: ...

    def sources(self) -> list[str]:
        """Every source that has any state. Raises StateError."""
        ...

    def lease(self, name: str) -> None:
        """Lock a source until this process ends. Raises LockedError, StateError, UnusableError."""
        ...

    def check_writable(self) -> None:
        """Write something. Raises StateError when the state cannot be written."""
        ...

    def close(self) -> None: ...


def open_store(state: State) -> Store:
    """The configured backend, opened. Raises StateError when it cannot be."""
    store: Store = _backend(state).open(state)
    return store


def open_read_only(state: State) -> Store | None:
    """The configured backend, read-only; None if no state exists. Raises StateError."""
    store: Store | None = _backend(state).open_read_only(state)
    return store


def peek(state: State, source: str) -> Stored:
    """The saved state of a source, empty if there is none; read-only. Raises StateError."""
    store = open_read_only(state)
    if store is None:
        return Stored()
    try:
        return store.source(source).load()
    finally:
        store.close()


def _backend(state: State) -> Any:
    return import_module(f"helr.state.{state.backend}")
