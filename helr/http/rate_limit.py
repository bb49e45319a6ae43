"""When the next request may go out by our own rules: `max_requests_per_second`, and with
`adaptive` a server's budget of requests that is spent.

Durations in seconds. What the server's headers say: helr/http/rate_headers.py.
"""

from __future__ import annotations

from math import ceil

from helr.clock import Clock
from helr.model import RateLimit

SPENT = "the server's request budget is spent (rate_limit.adaptive)"
_OWN_RATE = "rate_limit.max_requests_per_second"


class Pace:
    """The pace of one source."""

    def __init__(self, limits: RateLimit, clock: Clock) -> None:
        self._bucket = Bucket(limits, clock)
        self._clock = clock
        self._refilled = 0.0  # clock.monotonic()

    def wait(self) -> tuple[float, str]:
        """Seconds until the next request may be sent, and why."""
        own, theirs = self._bucket.wait(), self._refilled - self._clock.monotonic()
        return (theirs, SPENT) if theirs > own else (own, _OWN_RATE)

    def take(self) -> tuple[float, str]:
        """The same for a request that is sent then."""
        wait = self.wait()
        self._bucket.take()
        return wait

    def spent(self, secs: float) -> None:
        """The server's budget is refilled after that many seconds."""
        self._refilled = self._clock.monotonic() + secs


class Bucket:
    """A token bucket: `max_requests_per_second` on average, `burst_size` at once."""

    def __init__(self, limits: RateLimit, clock: Clock) -> None:
        self._rate = limits.max_requests_per_second
        self._size = float(limits.burst_size or ceil(self._rate or 1))
        self._tokens = self._size
        self._clock = clock
        self._filled = clock.monotonic()

    def wait(self) -> float:
        """Seconds until a token that is taken now may be used."""
        if not self._rate:
            return 0.0
        now = self._clock.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        return max((1 - self._tokens) / self._rate, 0.0)

    def take(self) -> float:
        """Take one token; returns the seconds to wait before it may be used."""
        wait = self.wait()
        self._tokens -= 1
        return wait
