"""What the server forbids until a time, kept so that no later process asks before it."""

from __future__ import annotations

import json
import math

from helr.transport.model import Notes

KEY = "hold"


class Hold:
    """Nothing is asked before `until` (Unix seconds, 0: free). Read once from the notes."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.until = 0.0
        self.reason = ""
        saved = notes.get(KEY)
        if saved is None:
            return
        try:
            data = json.loads(saved)
            until, self.reason = float(data["until"]), str(data.get("reason", ""))
            self.until = until if math.isfinite(until) else 0.0
        except (ValueError, TypeError, KeyError, AttributeError):
            notes.set(KEY, None)  # nobody could tell what it meant

    def set(self, until: float, reason: str) -> None:
        self.until, self.reason = until, reason
        self._notes.set(KEY, json.dumps({"until": until, "reason": reason}))

    def active(self, now: float) -> bool:
        """Whether it still holds; one that is over is forgotten."""
        if self.until and now >= self.until:
            self.lift()
        return self.until > 0

    def lift(self) -> None:
        """It was waited for."""
        if self.until:
            self.until, self.reason = 0.0, ""
            self._notes.set(KEY, None)
