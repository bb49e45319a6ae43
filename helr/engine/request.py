"""A source's next request, from its configuration and its position."""

from __future__ import annotations

from functools import cache
from urllib.parse import parse_qsl, urlsplit

from helr.messages import Request
from helr.model import Source
from helr.pagination import Pagination

Pairs = tuple[tuple[str, str], ...]


def first_request(source: Source, pagination: Pagination, start: str | None) -> Request:
    """A chain's first request: the query parameters, those of the first request, and the
    start of the chain, if any. No parameter is sent twice, unless the `url` repeats it.
    """
    params = source.query_params | source.first_request_query_params
    if source.incremental_from and start:
        params[source.incremental_from.param_name] = start
    url, in_url = _split(source.url)
    return pagination.apply(Request(url, _pairs(in_url, params)), None)


def next_request(source: Source, pagination: Pagination, token: str, start: str | None) -> Request:
    """A request within a chain: the query parameters, the value of the incremental parameter that
    the chain's first request carried (a cursor may be only a position, and forget it), the token.
    """
    params = dict(source.query_params)
    url, in_url = _split(source.url)
    if source.incremental_from:
        name = source.incremental_from.param_name
        in_url = tuple(pair for pair in in_url if pair[0] != name)
        if start is None:
            params.pop(name, None)
        else:
            params[name] = start
    return pagination.apply(Request(url, _pairs(in_url, params)), token)


def start_of(source: Source, request: Request) -> str | None:
    """The value of the incremental parameter that a chain's first request carries."""
    incremental = source.incremental_from
    return dict(request.params).get(incremental.param_name) if incremental else None


def _pairs(in_url: Pairs, params: dict[str, str]) -> Pairs:
    """The parameters of the `url`, except those set elsewhere, and the others."""
    return (*(pair for pair in in_url if pair[0] not in params), *params.items())


@cache  # as many as there are sources
def _split(url: str) -> tuple[str, Pairs]:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    return parts._replace(query="", fragment="").geturl(), tuple(query)
