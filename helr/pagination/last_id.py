"""`strategy: last_id`: the id of a page's last event leads to the next page.

Without events there is nothing to continue from, so an empty page is the last.
"""

from __future__ import annotations

from helr.messages import Request, with_param
from helr.model import Pagination
from helr.pagination import LAST, Answer, BadTokenError, More, Next, token_in


class LastId:
    state_key = "last_id"
    body_paths = ()

    def __init__(self, id_path: str, id_param: str) -> None:
        self.event_paths = (id_path,)
        self._param = id_param

    def next(self, token: str | None, answer: Answer) -> Next:
        (path,) = self.event_paths
        found = token_in(answer.last.get(path), "the id of the last event", "pagination.id_path")
        if found is None and answer.events:
            raise BadTokenError("the last event has no id", "check pagination.id_path")
        return LAST if found is None else More(found)

    def apply(self, request: Request, token: str | None) -> Request:
        return request if token is None else with_param(request, self._param, token, token)


def open(options: Pagination) -> LastId:  # noqa: A001
    return LastId(**options.options)
