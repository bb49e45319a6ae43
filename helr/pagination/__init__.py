"""How an API leads from page to page: one file per `pagination.strategy`, named after it.

A kind is a module here with a function `open(options)` that returns a Pagination. It knows two
things: what a response says about the next page, and how to request that page. The position of a
source is kept by helr/engine/position.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from helr.json_values import is_torn
from helr.messages import Request
from helr.model import Pagination as Options


class Last(NamedTuple):
    """The page is the last of its chain."""


class More(NamedTuple):
    """The chain continues: `token` leads to the next page."""

    token: str


class Keep(NamedTuple):
    """There is nothing more for now: the poll ends, and the next one begins with `token`.

    `named`: the response named it; otherwise it is the one that was sent.
    """

    token: str
    named: bool = True


Next = Last | More | Keep
LAST = Last()


class Answer(NamedTuple):
    """What a kind may use of a response: the values at its `body_paths`, the headers, the requested
    URL (with its query), the number of events on the page, and the values at its `event_paths` in
    the last of them."""

    values: Mapping[str, Any]
    headers: Mapping[str, str]
    url: str
    events: int
    last: Mapping[str, Any] = {}


class BadTokenError(Exception):
    """The token of the next page cannot be used. `do`: what to do about it."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.do = do


class Pagination(Protocol):
    """`state_key`: the state's key for the token. `body_paths`: the paths that `next` needs from a
    body, besides the events; `event_paths`: those that it needs from an event."""

    state_key: str
    body_paths: tuple[str, ...]
    event_paths: tuple[str, ...]

    def next(self, token: str | None, answer: Answer) -> Next:
        """What the response to a request with `token` (None: a chain's first) says about the next
        page. Raises BadTokenError."""
        ...

    def apply(self, request: Request, token: str | None) -> Request:
        """The request for the page that a token leads to (None: a chain's first), made from one
        without. Raises BadTokenError for a token that another kind left in the state."""
        ...


def open_pagination(options: Options) -> Pagination:
    """The configured kind, with the additional ends that it or the configuration has."""
    module = import_module(f"helr.pagination.{options.strategy}")
    kind: Pagination = module.open(options)
    end = str(options.end or getattr(module, "END", "no_next"))
    if not (options.keep or options.more_path) and end == "no_next":
        return kind
    from helr.pagination.ends import Ends  # few sources need it

    return Ends(kind, options, end)


def token_in(value: Any, what: str, where: str) -> str | None:
    """A token as text; None for an absent, null, false or empty one. Raises BadTokenError.

    `what`: its name in messages; `where`: the key of the config with its path.
    """
    if value is None or value is False or value == "":
        return None
    if isinstance(value, str):
        if is_torn(value):
            raise BadTokenError(
                f"{what} contains an unpaired surrogate, which cannot be sent back",
                f"check {where}",
            )
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BadTokenError(f"{what} is neither a string nor an integer", f"check {where}")
