"""When the next request may go out: backoff, what the server's headers ask for, our own cap.

Durations in seconds. RFC 9110 §10.2.3 (Retry-After: seconds or a date); X-RateLimit-Reset
has no standard: Unix seconds at most APIs, seconds from now at some, told apart by size.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime
from math import ceil, isfinite

from helr.clock import Clock
from helr.config.model import RateLimit, Retries

SMALLEST_EPOCH = 1e8  # a reset below it is seconds from now (three years at most)
SMALLEST_EPOCH_MS = 1e11


def backoff(retries: Retries, attempt: int) -> float:
    """The wait after the failed try number `attempt` (from 1), with jitter."""
    try:
        secs = retries.initial_backoff_secs * retries.multiplier ** (attempt - 1)
    except OverflowError:
        secs = retries.max_backoff_secs
    secs = min(secs, retries.max_backoff_secs)
    secs *= 1 + random.uniform(-retries.jitter, retries.jitter)  # noqa: S311 - spreads load
    return min(secs, retries.max_backoff_secs)


def asked_wait(
    headers: Mapping[str, str], limits: RateLimit, now: float, *, limited: bool
) -> tuple[float, str]:
    """Seconds the server asks to wait, and the header that says so; (0, "") if none does.

    `limited`: the answer is a 429. Only then, or with no request remaining, does the reset
    count: many APIs send it with every answer, and a passing 500 need not wait for it.
    Points in time are compared with the server's own clock (Date), if it shows it.
    """
    server_now = _date(headers.get("Date", "")) or now
    value = headers.get("Retry-After", "")
    secs = number(value)
    if secs is None and (date := _date(value)) is not None:
        secs = date - server_now
    if secs is not None and secs > 0:
        return secs, "Retry-After"
    if not limited and number(headers.get(limits.remaining_header, "")) != 0:
        return 0.0, ""
    secs = _reset(headers.get(limits.reset_header, ""), server_now)
    return (secs, limits.reset_header) if secs > 0 else (0.0, "")


def spent_wait(headers: Mapping[str, str], limits: RateLimit, now: float) -> float:
    """With `adaptive`: seconds until the budget is refilled if at most one request is left."""
    remaining = number(headers.get(limits.remaining_header, ""))
    if remaining is None or remaining > 1:
        return 0.0
    server_now = _date(headers.get("Date", "")) or now
    return max(_reset(headers.get(limits.reset_header, ""), server_now), 0.0)


def _reset(value: str, now: float) -> float:
    secs = number(value)
    if secs is None:
        date = _date(value)
        return 0.0 if date is None else date - now
    if secs >= SMALLEST_EPOCH_MS:
        return secs / 1000 - now
    return secs - now if secs >= SMALLEST_EPOCH else secs


def number(value: str) -> float | None:
    """A plain decimal number, or None."""
    try:
        secs = float(value)
    except ValueError:
        return None
    return secs if isfinite(secs) else None


def _date(value: str) -> float | None:
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return date.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


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
