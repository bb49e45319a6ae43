"""`strategy: page_offset`: pages are numbered from 1, and the number is a query parameter.

A page with fewer than `limit` events is the last, unless `end` says otherwise.
"""

from __future__ import annotations

from helr.messages import Request, with_param
from helr.model import Pagination
from helr.numbers import whole
from helr.pagination import Answer, BadTokenError, More, Next

END = "short_page"
FIRST = 1


class PageOffset:
    state_key = "page"
    body_paths = ()
    event_paths = ()

    def __init__(self, page_param: str, limit_param: str, limit: int) -> None:
        self._page_param = page_param
        self._limit_param = limit_param
        self._limit = str(limit)

    def next(self, token: str | None, answer: Answer) -> Next:
        return More(str(counted(token, FIRST) + 1))

    def apply(self, request: Request, token: str | None) -> Request:
        request = with_param(request, self._limit_param, self._limit, token)
        return with_param(request, self._page_param, str(counted(token, FIRST)), token)


def open(options: Pagination) -> PageOffset:  # noqa: A001
    return PageOffset(**options.options, limit=options.limit or 0)


def counted(token: str | None, first: int) -> int:
    """The token as a number. Raises BadTokenError for a token of another strategy."""
    number = first if token is None else whole(token)
    if number is None:
        raise BadTokenError(
            "the saved position is not a number", "run `helr state reset` for this source"
        )
    return number
