"""`strategy: link_header`: a `Link` header names the address of the next page (RFC 8288).

Parsed as the RFC defines it: several headers, several links in one, quoted commas, relations with
or without quotes, several of them in one `rel`, relative addresses. A link with an `anchor` belongs
to another page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from helr.messages import Request
from helr.model import Pagination
from helr.pagination import LAST, Answer, More, Next
from helr.pagination.next_url import addressed, resolved

_LINK = r"<([^<>]*)>((?:\s*;\s*[^\s;,=\"]+(?:\s*=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,\"]*))?)*)"
_PARAMETER = r";\s*([^\s;,=\"]+)(?:\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]*)))?"


class LinkHeader:
    state_key = "next_url"
    body_paths = ()
    event_paths = ()

    def __init__(self, rel: str = "next") -> None:
        self._rel = rel.lower()

    def next(self, token: str | None, answer: Answer) -> Next:
        for address, parameters in links(all_of(answer.headers, "Link")):
            relations = parameters.get("rel", "").lower().split()
            if self._rel in relations and "anchor" not in parameters:
                return More(resolved(answer.url, address, "pagination.rel"))
        return LAST

    def apply(self, request: Request, token: str | None) -> Request:
        return request if token is None else addressed(request, token)


def open(options: Pagination) -> LinkHeader:  # noqa: A001
    return LinkHeader(**options.options)


def all_of(headers: Mapping[str, str], name: str) -> str:
    """Every header of that name, joined as RFC 9110 §5.3 allows."""
    several = getattr(headers, "getlist", None)
    return ", ".join(several(name)) if several else headers.get(name, "")


def links(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The address and the parameters of each link; of a repeated parameter, the first."""
    for link in re.finditer(_LINK, header):
        parameters: dict[str, str] = {}
        for name, quoted, plain in re.findall(_PARAMETER, link[2]):
            parameters.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) or plain)
        yield link[1], parameters
