"""How long a request may take: to connect, between two bytes, and in total.

A server that sends a byte a second, in headers or body, gets no more than `request_secs`.
All times come from the clock, in seconds; `Late` names the limit that has expired.
"""

from __future__ import annotations

from collections.abc import Callable

from helr.clock import Clock
from helr.http.failures import Late
from helr.model import Timeouts

SLICE_SECS = 0.5  # the longest wait for bytes before checking for a stop
LEAST_SECS = 0.001  # a socket timeout of 0 would mean "do not block"


class Deadline:
    """The limits of the current request; one request at a time.

    `waiting`: called while waiting for the server, at least once every `SLICE_SECS`.
    """

    def __init__(self, timeouts: Timeouts, clock: Clock) -> None:
        self.timeouts = timeouts
        self.clock = clock
        self.waiting: Callable[[], None] | None = None
        self._ends = self._connect_ends = self._read_ends = float("inf")

    def start(self) -> None:
        """A request begins now."""
        self.waiting = None
        self._ends = self.clock.monotonic() + self.timeouts.request_secs

    def extend(self, secs: float) -> None:
        """Do not count time that helr itself spent (waiting for memory) against the server."""
        self._ends += secs

    def start_connect(self) -> None:
        self._connect_ends = self.clock.monotonic() + self.timeouts.connect_secs

    def connect_left(self, addresses: int = 1) -> float:
        """Seconds for the next step of connecting; a fair share if more addresses follow."""
        self.clock.check()
        return max(self._left(self._connect_ends, "connect_secs") / addresses, LEAST_SECS)

    def start_read(self) -> None:
        self._read_ends = self.clock.monotonic() + self.timeouts.read_secs

    def read_left(self) -> float:
        """Seconds to wait for the next bytes before calling this again, at most a slice."""
        self.check()
        return max(min(self._left(self._read_ends, "read_secs"), SLICE_SECS), LEAST_SECS)

    def check(self) -> None:
        """Call between two steps of work on a response. Raises Late or Stopped."""
        self.clock.check()
        self._left(float("inf"), "request_secs")
        if self.waiting is not None:
            self.waiting()

    def _left(self, ends: float, key: str) -> float:
        now = self.clock.monotonic()
        if now >= self._ends:
            raise Late("request_secs", self.timeouts.request_secs)
        if now >= ends:
            raise Late(key, getattr(self.timeouts, key))
        return min(ends, self._ends) - now
