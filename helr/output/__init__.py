"""Where lines go. An output delivers a page's lines and records their checkpoint, in this order
for a stream (written, read, settled, recorded) and turned round for a regular file, so that a
line that was written is never asked for again and one that was not always is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec

from helr.state import Checkpoint


class Batch(msgspec.Struct):
    """A page's lines of one source, and what to record once they are delivered.

    A line that is left out for its length is empty: its id is recorded all the same.
    `ids`: one per line when duplicates are dropped (None: an event without one), so that what
    was delivered of a page can be recorded block by block; empty otherwise.
    """

    source: str
    lines: Iterable[bytes]
    ids: list[str | None]
    checkpoint: Checkpoint


class Output(Protocol):
    """An output; every method may be called from any source's thread."""

    def deliver(self, batch: Batch) -> None:
        """Return when the lines are delivered and their checkpoint is recorded or queued.

        Waits before a block while an earlier checkpoint cannot be written. Raises OutputGoneError
        when the reader went away or writing failed, Stopped when a stop was asked for before a
        block was begun, StateError (a one-shot run alone) when it has waited long enough.
        """
        ...

    def ready(self, source: str) -> None:
        """Whether the source may be polled: the output stands and nothing recorded is overdue.

        Raises OutputGoneError, or StateError while a checkpoint of the source cannot be written,
        for which a one-shot run waits some seconds (Stopped).
        """
        ...

    def restate(self, source: str, everything: Checkpoint | None) -> None:
        """The state is another one now: forget what is queued, and record everything instead.

        None: the source goes on from what the new state holds. Raises StateError.
        """
        ...

    def watch(self) -> None:
        """From now on, tell that the reader went away as soon as it does, not at the next write."""
        ...

    def drain(self, seconds: float) -> None:
        """The last act before a stop: give the block under way that long, record what is settled.

        Raises OutputGoneError.
        """
        ...

    def again(self) -> int:
        """How many lines were written that a start now would write again. Never waits."""
        ...

    def finish(self) -> float:
        """The last act of a one-shot run: record what is settled.

        Returns the seconds after which to come back, 0 when all is recorded. Raises StateError,
        OutputGoneError.
        """
        ...
