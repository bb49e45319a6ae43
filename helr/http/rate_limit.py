"""When the next request may go out by our own rules: backoff and `max_requests_per_second`.

Durations in seconds. What the server asks for: helr/http/rate_headers.py.
"""

from __future__ import annotations

import random
from math import ceil

from helr.clock import Clock
from helr.model import RateLimit, Retries


def backoff(retries: Retries, attempt: int) -> float:
    """The wait after the failed try number `attempt` (from 1), with jitter."""
    try:
        secs = retries.initial_backoff_secs * retries.multiplier ** (attempt - 1)
    except OverflowError:
        secs = retries.max_backoff_secs
    secs = min(secs, retries.max_backoff_secs)
    secs *= 1 + random.uniform(-retries.jitter, retries.jitter)  # noqa: S311 - spreads load
    return min(secs, retries.max_backoff_secs)


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
