"""What the next request of a source is. A strategy is a small class in a file of its own.

A chain is the pages from a request without a cursor to the page without a next one; it may span
polls and processes. `Position` is where a source stands in it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

import msgspec

from helr.http.messages import Request
from helr.model import Pagination, Source
from helr.numbers import number, whole
from helr.timestamps import EARLIEST, LATEST, earlier, instant


class Chain(msgspec.Struct):
    """`start`: the incremental parameter that the first request carried, as spelled.

    `greatest`, `spelled`: the greatest event time so far (not in the future): instant and text.
    `events`: how many the chain's pages held so far. `reached`: the time of the last of them.
    `began`, `first`: when its first page was received, and the greatest event time on that page.
    """

    start: str | None = None
    greatest: float | None = None
    spelled: str | None = None
    events: int = 0
    reached: float | None = None
    began: float | None = None
    first: float | None = None


def read_chain(text: str) -> Chain:
    """The chain that a state holds as JSON. Raises ValueError where it is not one."""
    chain = msgspec.json.decode(text, type=Chain)
    times = (chain.greatest, chain.reached, chain.began, chain.first)
    if any(at is not None and number(at, EARLIEST, LATEST) is None for at in times):
        raise ValueError("a time out of range")
    if whole(chain.events) is None or (chain.greatest is None) != (chain.spelled is None):
        raise ValueError("a count out of range, or half a time")
    return chain


class Position(msgspec.Struct):
    """Where a source stands: the watermark, and the cursor and chain of an unfinished chain.

    `since`: an instant before the watermark from which the next chain's lookback counts; None
    when that is the watermark itself.
    """

    watermark: str | None = None
    cursor: str | None = None
    chain: Chain | None = None
    since: float | None = None

    def start(self, lookback_secs: float) -> str | None:
        """The watermark, set back by the lookback, in its own spelling."""
        at = instant(self.watermark)
        if self.watermark is None or not lookback_secs or at is None:
            return self.watermark
        behind = max(at - self.since, 0) if self.since is not None else 0
        return earlier(self.watermark, lookback_secs + behind)


class Paginator(Protocol):
    """`state_key`: the key the cursor is kept under. `cursor_path`: where a page names the next."""

    state_key: str
    cursor_path: str | None

    def add(self, params: dict[str, str], cursor: str) -> None:
        """Put the cursor among the parameters of a request."""
        ...


def open_paginator(pagination: Pagination) -> Paginator:
    return STRATEGIES[pagination.strategy](pagination)


def next_request(source: Source, paginator: Paginator, position: Position) -> Request:
    """The request a source asks next; no parameter is sent twice, unless the `url` repeats it.

    Without a cursor: the query parameters, those of the first request, and the watermark. With
    one: the query parameters, the value of the incremental parameter that the chain's first
    request carried (a cursor may be only a position, and forget it), and the cursor.
    """
    url, in_url = _split(source.url)
    params = dict(source.query_params)
    incremental = source.incremental_from
    if position.cursor is None:
        params |= source.first_request_query_params
        if incremental and position.watermark:
            start = position.start(incremental.lookback_secs)
            params[incremental.param_name] = start or position.watermark
        return Request(url, _pairs(in_url, params))
    start = position.chain.start if position.chain else None
    if incremental:
        params[incremental.param_name] = start or ""
    paginator.add(params, position.cursor)
    pairs = _pairs(in_url, params)
    if incremental and start is None:
        pairs = tuple(pair for pair in pairs if pair[0] != incremental.param_name)
    return Request(url, pairs, cursor=True)


def _pairs(
    in_url: tuple[tuple[str, str], ...], params: dict[str, str]
) -> tuple[tuple[str, str], ...]:
    """The url's own parameters, but for those that are set elsewhere, and the others."""
    return (*(pair for pair in in_url if pair[0] not in params), *params.items())


def start_of(source: Source, request: Request) -> str | None:
    """The value of the incremental parameter that a chain's first request carries."""
    incremental = source.incremental_from
    return dict(request.params).get(incremental.param_name) if incremental else None


@cache  # as many as there are sources
def _split(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    return parts._replace(query="", fragment="").geturl(), tuple(query)


def _cursor(pagination: Pagination) -> Paginator:
    from helr.pagination.cursor import CursorPaginator

    return CursorPaginator(**pagination.options)


def _none(pagination: Pagination) -> Paginator:
    from helr.pagination.single import SinglePage

    return SinglePage()


STRATEGIES: dict[str, Callable[[Pagination], Paginator]] = {"cursor": _cursor, "none": _none}
