"""Where lines go. An output has a lane for each source, which delivers a page's lines and records
their checkpoint: in this order for a stream (written, read, settled, recorded), and in the reverse
order for a regular file, so that a written line is never requested again, and any other line always
is.
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
        """Return when the source may be polled: the output works and no checkpoint is overdue.

        Raises OutputGoneError, or StateError while a checkpoint of the source cannot be written;
        a one-shot run first waits some seconds for that (Stopped).
        """
        ...

    def deliver(self, lines: Iterable[bytes], checkpoint: Checkpoint) -> None:
        """Return when the lines are delivered and their checkpoint is recorded or queued.

        A line left out because of its length is empty, but its id is recorded. Waits before a
        block while an earlier checkpoint cannot be written. Raises OutputGoneError if the reader
        went away or writing failed, Stopped if a stop was requested before a block was begun,
        StateError (only in a one-shot run) after waiting long enough.
        """
        ...

    def record(self, checkpoint: Checkpoint) -> None:
        """The same without lines."""
        ...

    def rebase(self, everything: Checkpoint | None) -> None:
        """The state was replaced: drop what is queued, and record everything instead.

        None: the source continues from the new state. Raises StateError.
        """
        ...


class Output(Protocol):
    """An output; every method may be called from any thread."""

    def lane(self, state: SourceState) -> Lane: ...

    def watch(self) -> None:
        """From now on, notice at once when the reader goes away, not only at the next write."""
        ...

    def drain(self, seconds: float) -> None:
        """Called last, before a stop: give the current block that long, record what is settled.

        Raises OutputGoneError.
        """
        ...

    def unconfirmed(self) -> int:
        """How many written lines the next start would write again. Never waits."""
        ...

    def finish(self) -> float:
        """Called last, in a one-shot run: record what is settled.

        Returns the seconds after which to call it again, 0 when all is recorded. Raises StateError,
        OutputGoneError.
        """
        ...
