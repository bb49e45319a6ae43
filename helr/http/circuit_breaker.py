"""The circuit breaker: after too many failures, helr stops calling the server for a while.

closed → (failures) → open → (time) → half-open → (successes) closed, or (a failure) open.
Only failures of the server count: 5xx, timeouts, connections. Its state is saved as JSON, so it
persists between processes.
"""

from __future__ import annotations

import json
from typing import Any

from helr.clock import Clock
from helr.http.wait import LAST, Wait
from helr.model import CircuitBreaker
from helr.numbers import number, whole


def open_secs(config: CircuitBreaker) -> float:
    """How long a breaker stays open."""
    if config.reset_timeout_secs is None:
        return config.half_open_timeout_secs
    return min(config.half_open_timeout_secs, config.reset_timeout_secs)


class Breaker:
    """Opens after `failure_threshold` failures in a row, or when at least the share
    `failure_rate_threshold` of the last `minimum_requests` requests failed.

    An open breaker lets no request through for `half_open_timeout_secs`, or for
    `reset_timeout_secs` if that is shorter; then `success_threshold` successes close it.
    """

    def __init__(self, config: CircuitBreaker, clock: Clock, saved: str | None = None) -> None:
        self._config = config
        self._open_secs = open_secs(config)
        self._wait = Wait(clock, self._open_secs)
        self._failures = 0  # in a row, while closed
        self._recent = ""  # the last outcomes, "x" a failure and "." a success
        self._tripped = False  # open while the wait lasts, half-open after it
        self._successes = 0  # while half-open
        self.reason = ""
        self._load(saved)

    def left(self) -> float:
        """Seconds for which it stays open; 0 when it is not open."""
        return self._wait.left() if self._config.enabled and self._tripped else 0.0

    def blocked_until(self) -> float | None:
        """The time before which no request may be sent (Unix seconds), or None."""
        return self._wait.ends() if self._config.enabled and self._tripped else None

    def state(self) -> str:
        """closed, open or half-open."""
        if not self._tripped:
            return "closed"
        return "open" if self.blocked_until() is not None else "half-open"

    def succeeded(self) -> bool:
        """Record a response. True if the state to save has changed."""
        if not self._config.enabled:
            return False
        if self._tripped:
            self._successes += 1
            if self._successes >= self._config.success_threshold:
                self._failures, self._recent, self._tripped, self._successes = 0, "", False, 0
                self.reason = ""
            return True
        changed = self._failures > 0 or "x" in self._recent
        self._failures = 0
        self._remember(".")
        return changed

    def failed(self, reason: str) -> bool:
        """Record a failure, for `reason`. True if the state to save has changed."""
        if not self._config.enabled:
            return False
        self._failures += 1
        self._remember("x")
        enough = self._failures >= self._config.failure_threshold or self._rate_reached()
        if self._tripped or enough:
            self._wait.begin(self._open_secs)
            self._tripped, self._successes = True, 0
            self.reason = reason
        return True

    def _remember(self, outcome: str) -> None:
        size = self._config.minimum_requests
        if size and self._config.failure_rate_threshold is not None:
            self._recent = (self._recent + outcome)[-size:]

    def _rate_reached(self) -> bool:
        rate, size = self._config.failure_rate_threshold, self._config.minimum_requests
        if rate is None or not size or len(self._recent) < size:
            return False
        return self._recent.count("x") / len(self._recent) >= rate

    def dump(self) -> str | None:
        """The state to save, or None when there is nothing to remember."""
        if not self._tripped and not self._failures and "x" not in self._recent:
            return None
        return json.dumps(
            {
                "failures": self._failures,
                "recent": self._recent,
                **(self._wait.dump() if self._tripped else {"until": 0.0}),
                "successes": self._successes,
                "reason": self.reason,
            }
        )

    def _load(self, saved: str | None) -> None:
        """Restore a saved state; an unreadable one means a closed breaker."""
        try:
            data: Any = json.loads(saved or "{}")
        except (ValueError, RecursionError):
            return
        if not isinstance(data, dict):
            return
        self._failures = whole(data.get("failures")) or 0
        self._recent = str(data.get("recent", ""))[-(self._config.minimum_requests or 1) :]
        self._successes = whole(data.get("successes")) or 0
        self._tripped = bool(number(data.get("until"), 0, LAST))
        self.reason = str(data.get("reason", ""))
        self._wait.load(data)
