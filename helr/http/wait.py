"""A period in which a source sends no requests: never longer than requested.

Within a process it is measured by the monotonic clock, which cannot be set; between processes by
the wall clock, with the start of the wait stored beside its end. Setting the clock back or forward
may end a wait early but cannot make it longer: a wait that seems to begin in the future, or to be
longer than any wait can be, is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helr.clock import Clock
from helr.numbers import number

MOST_SECS = 86_400.0  # a day: a longer wait could outlast an API's retention of a week
_LEAST_SECS = 0.001  # less is a rounding error
LAST = 253402300799.0  # 9999-12-31T23:59:59Z


def remaining(record: Mapping[str, Any], now: float, most: float = MOST_SECS) -> float:
    """Seconds left of a saved wait (`since`, `until`: Unix seconds), never more than `most`.
    Records without `since` were written before 0.2."""
    until, since = number(record.get("until"), 0, LAST), record.get("since")
    began = 0.0 if since is None else number(since, 0, LAST)
    if until is None or began is None or now < began:
        return 0.0
    left = until - now
    return left if 0 < left <= most + _LEAST_SECS else 0.0


class Wait:
    """One wait, or none. `most`: the longest possible, in seconds."""

    def __init__(self, clock: Clock, most: float = MOST_SECS) -> None:
        self._clock = clock
        self._most = most
        self._since = self._until = 0.0  # Unix seconds
        self._ends = 0.0  # clock.monotonic()

    def begin(self, secs: float) -> None:
        secs = min(secs, self._most)
        self._since = self._clock.now()
        self._until = self._since + secs
        self._ends = self._clock.monotonic() + secs

    def load(self, record: Mapping[str, Any]) -> None:
        """Continue a wait that another process began."""
        now = self._clock.now()
        left = remaining(record, now, self._most)
        self._since = number(record.get("since"), 0, now) or now
        self._until = now + left
        self._ends = self._clock.monotonic() + left

    def left(self) -> float:
        """Seconds left; 0 when it is over, which it is as soon as either clock says so."""
        by_wall = self._until - self._clock.now()
        left = min(by_wall, self._ends - self._clock.monotonic())
        return left if left > _LEAST_SECS else 0.0

    def ends(self) -> float | None:
        """Unix seconds, by the current clock; None when it is over."""
        left = self.left()
        return self._clock.now() + left if left else None

    def dump(self) -> dict[str, float]:
        return {"since": self._since, "until": self._until}
