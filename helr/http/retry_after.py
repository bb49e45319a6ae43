"""What the server forbids until a time (Retry-After), kept so that no later process asks sooner."""

from __future__ import annotations

import json
from collections.abc import Callable

from helr.clock import Clock
from helr.http.wait import Wait
from helr.state.records import RETRY_AFTER, read_object

Note = Callable[[str, str | None], None]


class RetryAfter:
    """A wait that the server asked for, and why.

    `saved`: what the state has of it. `note`: records a value of the state.
    """

    def __init__(self, saved: str | None, note: Note, clock: Clock) -> None:
        self._note = note
        self._wait = Wait(clock)
        self._noted = saved is not None
        self.reason = ""
        if saved is not None:
            record = read_object(saved)
            self._wait.load(record)
            self.reason = str(record.get("reason", ""))
            self.until()

    def set(self, secs: float, reason: str) -> float:
        """Begin one of that many seconds, if that is not too long; its end in Unix seconds."""
        self._wait.begin(secs)
        self.reason, self._noted = reason, True
        self._note(RETRY_AFTER, self.dump())
        return self._wait.dump()["until"]

    def dump(self) -> str | None:
        """What the state should have of it."""
        return json.dumps({**self._wait.dump(), "reason": self.reason}) if self._noted else None

    def left(self) -> float:
        """Seconds, 0 when it is over."""
        return self._wait.left()

    def until(self) -> float | None:
        """Unix seconds, None when nothing is forbidden; one that is over is forgotten."""
        ends = self._wait.ends()
        if ends is None:
            self.lift()
        return ends

    def lift(self) -> None:
        """It was waited for."""
        if self._noted:
            self._noted, self.reason = False, ""
            self._wait.begin(0)
            self._note(RETRY_AFTER, None)
