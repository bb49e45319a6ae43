"""Where a chain ends, for any kind of pagination: `more_path`, `end` and `keep`.

A kind says how to request the next page; these say whether there is one, and whether its token
outlives the end of the list (a feed).
"""

from __future__ import annotations

from typing import Any

from helr.json_values import plain_text, says_false
from helr.messages import Request
from helr.model import Pagination as Options
from helr.pagination import LAST, Answer, Keep, Next, Pagination


class Ends:
    """A pagination whose end depends on more than its token.

    `more_path`: continues only while its value is true, or equals `more_value`. `end`: `empty_page`
    and `short_page` (fewer than `limit` events) end it too. `keep`: the last token is kept.
    """

    def __init__(self, kind: Pagination, options: Options, end: str) -> None:
        self._kind = kind
        self._more_path = options.more_path
        self._more_value = options.more_value
        self._keep = options.keep
        self._end = "empty_page" if options.keep and end == "no_next" else end
        self._limit = options.limit or 1
        self.state_key = kind.state_key
        self.event_paths = kind.event_paths
        more = (self._more_path,) if self._more_path else ()
        self.body_paths = tuple(dict.fromkeys((*kind.body_paths, *more)))

    def next(self, token: str | None, answer: Answer) -> Next:
        found = self._kind.next(token, answer)
        if found != LAST and not self._ended(answer):
            return found
        if not self._keep:
            return LAST
        named = getattr(found, "token", None)
        kept = token if named is None else named
        return LAST if kept is None else Keep(kept, named is not None)

    def _ended(self, answer: Answer) -> bool:
        if self._more_path and not self._says_more(answer.values.get(self._more_path)):
            return True
        if self._end == "short_page":
            return answer.events < self._limit
        return self._end == "empty_page" and not answer.events

    def _says_more(self, value: Any) -> bool:
        if self._more_value is not None:
            return plain_text(value) == self._more_value
        return not says_false(value)

    def apply(self, request: Request, token: str | None) -> Request:
        return self._kind.apply(request, token)
