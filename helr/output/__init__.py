"""Where lines go. An output has a lane for each source, which delivers a page's lines and records
their checkpoint: in this order for a stream (written, read, settled, recorded) and the other way
round for a regular file, so that a line that was written is never asked for again and one that was
not always is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from helr.errors import OutputGoneError
from helr.state import SourceState
from helr.state.records import Checkpoint

Gone = Callable[[OutputGoneError], None]


class Lane(Protocol):
    """One source's way into an output. Used by one thread at a time."""

    def ready(self) -> None:
        """Return when the source may be polled: the output works and nothing recorded is overdue.

        Raises OutputGoneError, or StateError while a checkpoint of the source cannot be written,
        for which a one-shot run waits some seconds (Stopped).
        """
        ...

    def deliver(self, lines: Iterable[bytes], checkpoint: Checkpoint) -> None:
        """Return when the lines are delivered and their checkpoint is recorded or queued.

        A line that is left out for its length is empty; its id is recorded all the same. Waits
        before a block while an earlier checkpoint cannot be written. Raises OutputGoneError when
        the reader went away or writing failed, Stopped when a stop was asked for before a block
        was begun, StateError (a one-shot run alone) when it has waited long enough.
        """
        ...

    def record(self, checkpoint: Checkpoint) -> None:
        """The same without lines."""
        ...

    def rebase(self, everything: Checkpoint | None) -> None:
        """The state is another one now: forget what is queued, and record everything instead.

        None: the source continues from what the new state holds. Raises StateError.
        """
        ...


class Output(Protocol):
    """An output; every method may be called from any thread."""

    def lane(self, state: SourceState) -> Lane: ...

    def watch(self) -> None:
        """From now on, tell that the reader went away as soon as it does, not at the next write."""
        ...

    def drain(self, seconds: float) -> None:
        """The last act before a stop: give the block under way that long, record what is settled.

        Raises OutputGoneError.
        """
        ...

    def unconfirmed(self) -> int:
        """How many lines were written that a start now would write again. Never waits."""
        ...

    def finish(self) -> float:
        """The last act of a one-shot run: record what is settled.

        Returns the seconds after which to call again, 0 when all is recorded. Raises StateError,
        OutputGoneError.
        """
        ...
