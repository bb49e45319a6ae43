"""No pagination: every poll is one page, and one chain."""

from __future__ import annotations


class SinglePage:
    state_key = "cursor"
    cursor_path: str | None = None

    def add(self, params: dict[str, str], cursor: str) -> None:
        """There is never a cursor; one that is left in the state is not sent."""
