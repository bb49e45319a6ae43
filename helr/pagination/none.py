"""`strategy: none`: every poll is one page, and one chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helr.messages import Request
from helr.pagination import LAST, Answer, Next


class SinglePage:
    state_key = ""  # a token that is left in the state is not sent
    body_paths = ()

    def next(self, token: str | None, answer: Answer) -> Next:
        return LAST

    def apply(self, request: Request, token: str) -> Request:
        return request


def open(options: Mapping[str, Any]) -> SinglePage:  # noqa: A001
    return SinglePage()
