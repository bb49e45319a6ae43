"""What happens to a source: an observer is called with one of these. The log is one, and the
terminal that shows a run's progress."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from helr.messages import Request
from helr.model import Source


class Summary(msgspec.Struct, frozen=True):
    """What one poll has done so far. `more`: the chain continues in the next poll.

    `bytes`: of the response bodies. `reached`: the time of the last event so far, which shows
    how far back the chain is.
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
    """A poll succeeded. `request`: the first one of the next poll; only in a one-shot run."""

    summary: Summary
    secs: float
    request: Request | None = None


class Failed(Event, frozen=True):
    """A poll failed. A defect of helr, or a shortage of the machine, is passed as raised."""

    error: Exception


class Recovered(Event, frozen=True):
    """A poll succeeded after `failures` that failed, the first of them `secs` ago."""

    failures: int
    secs: float


Observer = Callable[[Event], None]
