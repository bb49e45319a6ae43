"""`strategy: offset`: a query parameter says how many events to skip.

A page with fewer than `limit` events is the last, unless `end` says otherwise: an API that returns
fewer than requested needs `end: empty_page`.
"""

from __future__ import annotations

from helr.messages import Request, with_param
from helr.model import Pagination
from helr.pagination import Answer, More, Next
from helr.pagination.page_offset import counted

END = "short_page"


class Offset:
    state_key = "offset"
    body_paths = ()
    event_paths = ()

    def __init__(self, offset_param: str, limit_param: str, limit: int) -> None:
        self._offset_param = offset_param
        self._limit_param = limit_param
        self._limit = str(limit)

    def next(self, token: str | None, answer: Answer) -> Next:
        return More(str(counted(token, 0) + answer.events))

    def apply(self, request: Request, token: str | None) -> Request:
        request = with_param(request, self._limit_param, self._limit, token)
        return with_param(request, self._offset_param, str(counted(token, 0)), token)


def open(options: Pagination) -> Offset:  # noqa: A001
    return Offset(**options.options, limit=options.limit or 0)
