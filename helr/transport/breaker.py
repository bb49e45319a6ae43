"""The circuit breaker: after too many failures the server is left in peace for a while.

closed → (failures) → open → (time) → half-open → (successes) closed, or (a failure) open.
Only failures of the server count: 5xx, timeouts, connections. Times are Unix seconds and
are passed in; the state is a small dict, so that it survives between processes.
"""

from __future__ import annotations

import json
from typing import Any

from helr.config.model import CircuitBreaker


class Breaker:
    """Opens after `failure_threshold` failures in a row, or when, of the last
    `minimum_requests` requests, at least the share `failure_rate_threshold` failed.

    An open breaker lets nothing through for `half_open_timeout_secs`, or for
    `reset_timeout_secs` if that is shorter; `success_threshold` successes close it then.
    """

    def __init__(self, config: CircuitBreaker, saved: str | None = None) -> None:
        self._config = config
        self._failures = 0  # in a row, while closed
        self._recent = ""  # the last outcomes, "x" a failure and "." a success
        self._until = 0.0  # not 0: open until then, half-open after it
        self._successes = 0  # while half-open
        self.reason = ""
        self._load(saved)

    @property
    def open_secs(self) -> float:
        """How long it stays open."""
        config = self._config
        if config.reset_timeout_secs is None:
            return config.half_open_timeout_secs
        return min(config.half_open_timeout_secs, config.reset_timeout_secs)

    def blocked_until(self, now: float) -> float | None:
        """The time until which nothing may be asked, or None."""
        if not self._config.enabled or not self._until or now >= self._until:
            return None
        self._until = min(self._until, now + self.open_secs)  # the clock was set back
        return self._until

    def state(self, now: float) -> str:
        """closed, open or half-open."""
        if not self._until:
            return "closed"
        return "open" if self.blocked_until(now) is not None else "half-open"

    def succeeded(self) -> bool:
        """The server answered. True if what must be saved has changed."""
        if not self._config.enabled:
            return False
        if self._until:
            self._successes += 1
            if self._successes >= self._config.success_threshold:
                self._failures, self._recent, self._until, self._successes = 0, "", 0.0, 0
                self.reason = ""
            return True
        changed = self._failures > 0 or "x" in self._recent
        self._failures = 0
        self._remember(".")
        return changed

    def failed(self, now: float, reason: str) -> bool:
        """The server failed, for `reason`. True if what must be saved has changed."""
        if not self._config.enabled:
            return False
        self._failures += 1
        self._remember("x")
        if self._until or self._failures >= self._config.failure_threshold or self._rate_reached():
            self._until = now + self.open_secs
            self._successes = 0
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
        """What to save, or None when there is nothing to remember."""
        if not self._until and not self._failures and "x" not in self._recent:
            return None
        return json.dumps(
            {
                "failures": self._failures,
                "recent": self._recent,
                "until": self._until,
                "successes": self._successes,
                "reason": self.reason,
            }
        )

    def _load(self, saved: str | None) -> None:
        try:
            data: Any = json.loads(saved or "{}")
            self._failures = int(data.get("failures", 0))
            self._recent = str(data.get("recent", ""))[-(self._config.minimum_requests or 1) :]
            self._until = float(data.get("until", 0))
            self._successes = int(data.get("successes", 0))
            self.reason = str(data.get("reason", ""))
        except (ValueError, TypeError, AttributeError):
            return  # what cannot be read is as good as a closed breaker
