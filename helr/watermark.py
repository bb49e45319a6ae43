"""How far a source has come in event time, and which events at that very edge were delivered.

The watermark moves only when a chain is finished, never past the time its page was received.
`oldest`-like parameters are inclusive, so events at or past the edge come again; they are known
by the digest of their bytes, whether or not ids are deduplicated, and dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import floor
from typing import Any

import msgspec

from helr.log import Log, counted
from helr.times import instant, rfc3339, spell

_AHEAD = 60  # seconds an event's time may be ahead of ours before it is worth a warning


Marks = dict[bytes, float]


def digest(raw: Any) -> bytes:
    return blake2b(raw, digest_size=16).digest()


class Edge(msgspec.Struct):
    """Delivered events of the watermark's second, of the greatest of the chain, or of later ones.

    Whole seconds, because an API may compare no finer. `marks`: digest to second.
    """

    marks: dict[bytes, float] = {}

    def repeats(self, raws: Sequence[Any], times: Times) -> set[int]:
        """Indexes of events that were delivered before."""
        known = set(self.marks.values())
        if not known or times.latest is None or times.latest < min(known):
            return set()
        return {
            index
            for index, at in enumerate(times.seconds)
            if at in known and digest(raws[index]) in self.marks
        }

    def reaches(self, second: float, raws: Sequence[Any], times: Times) -> Marks:
        """New marks of the events of that second or later."""
        if times.latest is None or times.latest < second:
            return {}
        found = {
            digest(raws[index]): at
            for index, at in enumerate(times.seconds)
            if at is not None and at >= second
        }
        return {mark: at for mark, at in found.items() if mark not in self.marks}

    def behind(self, edge: float, but: float | None) -> bool:
        """Whether marks stand behind the edge (and not at `but`) that can be forgotten."""
        return any(at < edge and at != but for at in self.marks.values())

    def forget(self, edge: float, but: float | None) -> None:
        self.marks = {m: at for m, at in self.marks.items() if at >= edge or at == but}


class Times(msgspec.Struct):
    """What one page's event times say: an instant per event, and the greatest's own spelling."""

    instants: Sequence[float | None]
    seconds: Sequence[float | None]  # the same, cut to whole seconds
    greatest: float | None = None  # the greatest that is not after `received`
    spelled: str | None = None
    latest: float | None = None  # the greatest of all, the future too

    @property
    def reached(self) -> float | None:
        """The time of the last event: how far a chain has come with this page."""
        return self.instants[-1]

    def after(self, at: float | None) -> bool:
        """Whether the greatest is greater than that."""
        return self.greatest is not None and (at is None or self.greatest > at)


def read(log: Log, values: Sequence[Any], received: float, *, whole: bool = False) -> Times:
    """The instants of a page's events, warning once about those that are missing or odd.

    `whole`: all are known to be whole Unix seconds, which then need no looking at.
    """
    if whole:
        instants = seconds = known = values
    else:
        instants = [instant(value) for value in values]
        seconds = [None if at is None else floor(at) for at in instants]
        known = [at for at in instants if at is not None]
    latest = greatest = max(known, default=None)
    if len(known) < len(instants) or latest is None or latest > received:
        _warn(log, values, instants, received)
        greatest = max((at for at in known if at <= received), default=None)
    if greatest is None:
        return Times(instants, seconds, latest=latest)
    return Times(instants, seconds, greatest, spell(values[instants.index(greatest)]), latest)


def _warn(
    log: Log, values: Sequence[Any], instants: Sequence[float | None], received: float
) -> None:
    missing = [index for index, at in enumerate(instants) if at is None]
    if missing:
        import reprlib  # whose repr goes only so deep

        log.warning(
            "%d of %d events have no usable time (the first: %.80s at index %d); "
            "delivered, but they do not move the watermark: check incremental_from."
            "event_timestamp_path",
            len(missing),
            len(values),
            reprlib.repr(values[missing[0]]),
            missing[0],
        )
    ahead = [at for at in instants if at is not None and at > received + _AHEAD]
    if ahead:
        log.warning(
            "%s dated in the future (up to %s); delivered, but the watermark "
            "stays at or before now: check the API's clock and this machine's",
            counted(len(ahead), "event"),
            rfc3339(max(ahead)),
        )
