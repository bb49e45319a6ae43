"""The position of a source in event time, and which events at that edge were delivered.

The watermark moves only when a chain is finished, and never past the time its page was received.
Parameters like `oldest` are inclusive, so the API returns events at or past the edge again; they
are recognized by a digest of their bytes, with or without dedupe, and dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from math import floor
from typing import Any

import msgspec

from helr.log import Log, counted
from helr.timestamps import instant, rfc3339, spell

_AHEAD = 60  # seconds that an event's time may be ahead of ours before a warning


Marks = dict[float, set[bytes]]  # second to the digests of its events
_DIGEST = 16  # bytes


def digests(raws: Iterable[Any]) -> list[bytes]:
    """One for each event. Identical events have different ones: the first, the second …"""
    raws = list(raws)
    found = [blake2b(raw, digest_size=_DIGEST).digest() for raw in raws]
    if len(set(found)) < len(found):
        times = Counter[bytes]()
        for index, first in enumerate(found):
            if number := times[first]:
                salt = number.to_bytes(8, "big")
                found[index] = blake2b(raws[index], digest_size=_DIGEST, salt=salt).digest()
            times[first] += 1
    return found


def packed(marks: Marks) -> list[tuple[str, bytes, float]]:
    """Marks as stored in the state: all digests of a second in one row."""
    return [("edge", b"".join(sorted(them)), at) for at, them in marks.items()]


def unpacked(rows: Iterable[tuple[str, bytes, float]]) -> Marks:
    """The marks from the state's rows."""
    marks: Marks = {}
    for kind, joined, at in rows:
        if kind == "edge":
            them = (joined[i : i + _DIGEST] for i in range(0, len(joined), _DIGEST))
            marks.setdefault(at, set()).update(them)
    return marks


class Edge(msgspec.Struct):
    """Delivered events of the watermark's second, of the chain's greatest second, or later.

    Whole seconds, because an API may compare only those.
    """

    marks: Marks = {}

    def repeats(self, raws: Sequence[Any], times: Times) -> set[int]:
        """Indexes of events that were delivered before."""
        marks = self.marks
        if not marks or times.latest is None or times.latest < min(marks):
            return set()
        known = [(index, at) for index, at in enumerate(times.seconds) if at in marks]
        found = digests(raws[index] for index, _ in known)
        return {index for (index, at), mark in zip(known, found, strict=True) if mark in marks[at]}

    def marks_from(self, second: float, raws: Sequence[Any], times: Times) -> Marks:
        """New marks of the events of that second or later."""
        if times.latest is None or times.latest < second:
            return {}
        late = [
            (index, at) for index, at in enumerate(times.seconds) if at is not None and at >= second
        ]
        found: Marks = {}
        for (_, at), mark in zip(late, digests(raws[index] for index, _ in late), strict=True):
            if mark not in self.marks.get(at, ()):
                found.setdefault(at, set()).add(mark)
        return found

    def add(self, marks: Marks) -> None:
        for at, them in marks.items():
            self.marks.setdefault(at, set()).update(them)

    def behind(self, edge: float) -> bool:
        """Whether there are marks behind the edge, which can be forgotten."""
        return any(at < edge for at in self.marks)

    def forget(self, edge: float) -> None:
        self.marks = {at: them for at, them in self.marks.items() if at >= edge}


class Times(msgspec.Struct):
    """The event times of a page: an instant per event, and the greatest in its own spelling."""

    instants: Sequence[float | None]
    seconds: Sequence[float | None]  # the same, cut to whole seconds
    greatest: float | None = None  # the greatest that is not after `received`
    spelled: str | None = None
    latest: float | None = None  # the greatest of all, including the future

    @property
    def reached(self) -> float | None:
        """The time of the last event, which the chain has reached with this page."""
        return self.instants[-1]

    def after(self, at: float | None) -> bool:
        """Whether the greatest is later than that."""
        return self.greatest is not None and (at is None or self.greatest > at)


def read(log: Log, values: Sequence[Any], received: float, *, whole: bool = False) -> Times:
    """The instants of a page's events, with one warning about missing or implausible ones.

    `whole`: all are known to be whole Unix seconds, and need no parsing.
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
        import reprlib  # whose repr limits the depth

        log.warning(
            "%d of %d events have no usable time (the first: %.80s at index %d); "
            "they are delivered, but do not move the watermark; check incremental_from."
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
            "stays at or before now; check the API's clock and this machine's",
            counted(len(ahead), "event"),
            rfc3339(max(ahead)),
        )
