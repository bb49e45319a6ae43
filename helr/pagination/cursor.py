"""`strategy: cursor`: each page names the next one's cursor, which goes into a query parameter."""

from __future__ import annotations

from helr.messages import Request, with_param
from helr.model import Pagination
from helr.pagination import LAST, Answer, More, Next, token_in


class Cursor:
    state_key = "cursor"
    event_paths = ()

    def __init__(self, cursor_param: str, cursor_path: str) -> None:
        self.body_paths = (cursor_path,)
        self._param = cursor_param

    def next(self, token: str | None, answer: Answer) -> Next:
        (path,) = self.body_paths
        found = token_in(answer.values.get(path), "the next cursor", "pagination.cursor_path")
        return LAST if found is None else More(found)

    def apply(self, request: Request, token: str | None) -> Request:
        return request if token is None else with_param(request, self._param, token, token)


def open(options: Pagination) -> Cursor:  # noqa: A001
    return Cursor(**options.options)
