"""The mock's settings, changed on the command line or while it runs, and its rate limit."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

DEFAULT_TOKEN = "xoxp-mock"  # noqa: S105 - not a secret
LAST_PAGES = ("empty", "absent", "missing")
_PERIODS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
}


@dataclass(slots=True)
class Settings:
    """Times are in seconds unless the name says otherwise; None switches a setting off.

    `last_page`: the last page's next_cursor is "empty" or "absent", or all of its
    response_metadata is "missing" (Slack does each of these at times).
    """

    token: str = DEFAULT_TOKEN
    latency_ms: float = 0
    rate_limit: str | None = None
    cursor_lifetime: float | None = None
    gzip: bool = False
    last_page: str = "empty"
    retry_after: int = 1
    slow_seconds: float = 5
    drip_seconds: float = 1

    def change(self, name: str, value: object) -> None:
        """Set one by name. Raises ValueError with a message when that is impossible."""
        if name == "token" and isinstance(value, str):
            self.token = value
        elif name == "gzip" and isinstance(value, bool):
            self.gzip = value
        elif name == "last_page" and value in LAST_PAGES:
            self.last_page = str(value)
        elif name == "rate_limit" and (value is None or isinstance(value, str)):
            if value is not None:
                parse_rate(value)
            self.rate_limit = value
        elif name == "cursor_lifetime" and value is None:
            self.cursor_lifetime = None
        elif name == "retry_after" and type(value) is int and 0 <= value < 1e9:
            self.retry_after = value
        elif name in _NUMBERS and type(value) in (int, float) and 0 <= float(str(value)) < 1e9:
            setattr(self, name, value)
        elif name in self.__slots__:
            raise ValueError(f"{name} cannot be {value!r}")
        else:
            raise ValueError(f"no setting {name!r}; the settings are {', '.join(self.__slots__)}")


_NUMBERS = ("latency_ms", "cursor_lifetime", "slow_seconds", "drip_seconds")


def parse_rate(text: str) -> tuple[int, float]:
    """ "50/min" -> (50, 60.0): calls and seconds. Raises ValueError with a message."""
    match = re.fullmatch(r"([0-9]{1,9})/([a-z]+)", text.strip())
    if not match or int(match[1]) < 1 or match[2] not in _PERIODS:
        raise ValueError(f"rate limit {text!r} does not have the form 50/min, 5/s or 1000/hour")
    return int(match[1]), float(_PERIODS[match[2]])


class Bucket:
    """A token bucket like Slack's tiers: a full period's calls at once, then the rate."""

    def __init__(self) -> None:
        self._rate = ""
        self._level = 0.0
        self._at = 0.0

    def wait(self, rate: str, now: float) -> int:
        """Take one call. 0 if it may pass, else the whole seconds until the next one may."""
        calls, period = parse_rate(rate)
        if rate != self._rate:
            self._rate, self._level, self._at = rate, float(calls), now
        self._level = min(calls, self._level + max(now - self._at, 0) * calls / period)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0
        return max(1, math.ceil((1 - self._level) * period / calls))
