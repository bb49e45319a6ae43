"""`strategy: none`: every poll is one page, and one chain."""

from __future__ import annotations

from helr.messages import Request
from helr.model import Pagination
from helr.pagination import LAST, Answer, Next


class SinglePage:
    state_key = ""  # a token left in the state is not sent
    body_paths = ()
    event_paths = ()

    def next(self, token: str | None, answer: Answer) -> Next:
        return LAST

    def apply(self, request: Request, token: str | None) -> Request:
        return request


def open(options: Pagination) -> SinglePage:  # noqa: A001
    return SinglePage()
