"""What the server forbids until a time, kept so that no later process asks before it."""

from __future__ import annotations

import json
from typing import Any

from helr.clock import Clock
from helr.http.messages import Notes
from helr.http.wait import Wait

KEY = "hold"


class Hold:
    """A wait that the server asked for, and why. Read once from the notes."""

    def __init__(self, notes: Notes, clock: Clock) -> None:
        self._notes = notes
        self._wait = Wait(clock)
        self._noted = False  # whether the notes hold it
        self.reason = ""
        saved = notes.get(KEY)
        if saved is None:
            return
        self._noted = True
        record = _record(saved)
        self._wait.load(record)
        self.reason = str(record.get("reason", ""))
        self.until()

    def set(self, secs: float, reason: str) -> float:
        """Begin one of that many seconds, if that is not too long; its end in Unix seconds."""
        self._wait.begin(secs)
        self.reason, self._noted = reason, True
        saved = self._wait.dump()
        self._notes.set(KEY, json.dumps({**saved, "reason": reason}))
        return saved["until"]

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
            self._notes.set(KEY, None)


def _record(saved: str) -> dict[str, Any]:
    try:
        found = json.loads(saved)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
