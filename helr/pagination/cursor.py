"""`strategy: cursor`: each page names the next one's cursor, which goes into a query parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from helr.messages import Request
from helr.pagination import LAST, Answer, More, Next, token_in


class Cursor:
    state_key = "cursor"

    def __init__(self, cursor_param: str, cursor_path: str) -> None:
        self.body_paths = (cursor_path,)
        self._param = cursor_param

    def next(self, token: str | None, answer: Answer) -> Next:
        (path,) = self.body_paths
        found = token_in(answer.values.get(path), "the next cursor", "pagination.cursor_path")
        return LAST if found is None else More(found)

    def apply(self, request: Request, token: str) -> Request:
        others = (pair for pair in request.params if pair[0] != self._param)
        return replace(request, params=(*others, (self._param, token)), token=token)


def open(options: Mapping[str, Any]) -> Cursor:  # noqa: A001
    return Cursor(**options)
