"""What happens to a source: one call of an observer with one of these. The log hears them, and a
terminal that shows how a run gets on."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from helr.messages import Request
from helr.model import Source


class Summary(msgspec.Struct, frozen=True):
    """What one poll has done so far. `more`: the chain continues in the next poll.

    `bytes`: of the response bodies. `reached`: the time of the last event so far, which tells how
    far back it has come.
    """

    pages: int = 0
    bytes: int = 0
    events: int = 0
    delivered: int = 0
    more: bool = False
    reached: float | None = None


class Event(msgspec.Struct, frozen=True):
    source: Source


class Delivered(Event, frozen=True):
    """A page was delivered."""

    summary: Summary


class Polled(Event, frozen=True):
    """A poll succeeded. `request`: what the next poll will ask first; only of a one-shot run."""

    summary: Summary
    secs: float
    request: Request | None = None


class Failed(Event, frozen=True):
    """A poll failed. A defect of helr, or what the machine lacks, comes as it was raised."""

    error: Exception


class Recovered(Event, frozen=True):
    """A poll succeeded after `failures` that failed, the first of them `secs` ago."""

    failures: int
    secs: float


Observer = Callable[[Event], None]
