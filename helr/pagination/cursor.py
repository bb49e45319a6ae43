"""`strategy: cursor`: each page names the next one's cursor, which goes into a query parameter."""

from __future__ import annotations


class CursorPaginator:
    state_key = "cursor"

    def __init__(self, cursor_param: str, cursor_path: str) -> None:
        self.cursor_path: str | None = cursor_path
        self._param = cursor_param

    def add(self, params: dict[str, str], cursor: str) -> None:
        params[self._param] = cursor
