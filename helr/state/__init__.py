"""State: what persists between runs, behind small interfaces. One file per `state.backend`.

A backend is a module here, named after it, with the functions `open(state)`, which gives a Store,
and `open_read_only(state)`, which gives one that changes nothing, or None where there is nothing.

A backend promises: `commit` is one transaction, all of it or nothing, and a later `load` shows
the last commit; a failed commit changes nothing and says why (StateError). What the values are:
helr/state/records.py.
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
        """False once the state was found deleted or replaced, and what is there now was opened:
        until `accept`, commits are refused. Raises StateError when that cannot be opened."""
        return True

    def accept(self) -> None:  # noqa: B027 - not every backend can be replaced
        """The source has dropped what belonged to the state before, and goes on from this one."""

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
        """The last step of that output file; its lines are empty when it was appended whole.

        Raises StateError.
        """
        ...

    def unfinished(self) -> list[str]:
        """The output files whose last step is not known to be appended whole. Raises StateError."""
        ...

    def finish(self, path: str, length: int) -> None:
        """The step was appended and the file is now that long. Raises StateError."""
        ...


class Store(Protocol):
    """A backend. `path`: its file, if it has one; `durable`: it outlasts the process."""

    durable: bool
    journal: Journal

    @property
    def path(self) -> str | None: ...

    def source(self, name: str) -> SourceState: ...

    def sources(self) -> list[str]:
        """Every source of which something is known. Raises StateError."""
        ...

    def lease(self, name: str) -> None:
        """Hold a source until this process ends. Raises LockedError, StateError, UnusableError."""
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
    """The configured backend, only to be read; None when there is nothing. Raises StateError."""
    store: Store | None = _backend(state).open_read_only(state)
    return store


def peek(state: State, source: str) -> Stored:
    """What the state holds of a source, or nothing; its file is only read. Raises StateError."""
    store = open_read_only(state)
    if store is None:
        return Stored()
    try:
        return store.source(source).load()
    finally:
        store.close()


def _backend(state: State) -> Any:
    return import_module(f"helr.state.{state.backend}")
