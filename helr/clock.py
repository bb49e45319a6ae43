"""Time and the wish to stop, in one object that everything that waits is given.

A wait ends at once, with `Stopped`, when a signal has asked helr to stop. Tests and
replays hand in a clock of their own.
"""

from __future__ import annotations

import threading
import time

from helr.errors import Stopped


class Clock:
    """The real time. `now` is Unix seconds; `monotonic` only ever grows, in seconds."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds; raises Stopped as soon as a stop is asked for."""
        if self._stop.wait(min(max(seconds, 0), threading.TIMEOUT_MAX)):
            raise Stopped

    def stop(self) -> None:
        """Ask for a stop."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def check(self) -> None:
        """Raise Stopped if a stop was asked for."""
        if self._stop.is_set():
            raise Stopped
