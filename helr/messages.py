"""What the HTTP client is given and what it returns; no HTTP library in sight."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace


class Request(Struct, frozen=True):
    """One GET: an address without its query, the query parameters, headers beside the usual ones.

    `token`: the page token that it carries, None for a chain's first request. A refusal of the
    token can be told from other errors by it.
    """

    url: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    token: str | None = None


class Response(Struct, eq=False):
    """One whole response, decompressed. `received`: Unix seconds at which the body was complete.

    `url` is fit to be shown: no user info, no query. `address` is all of it, and may hold secrets.
    `path` is the request's path.
    The page's receiver calls `release` when the page needs no memory any more.
    """

    request: Request
    url: str
    path: str
    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes | bytearray
    received: float
    address: str = ""
    elapsed: float = 0  # seconds from sending the request to the end of the body
    slot: threading.Semaphore | None = None  # one of the few places for a large page in memory

    def release(self) -> None:
        """Give the page's place in memory to the next page; harmless when repeated."""
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.release()


def with_headers(request: Request, /, **headers: str) -> Request:
    """The request with these headers, whatever the case of those that it has already."""
    names = {name.lower() for name in headers}
    others = {name: value for name, value in request.headers.items() if name.lower() not in names}
    return replace(request, headers={**others, **headers})


def with_param(request: Request, name: str, value: str, token: str | None) -> Request:
    """The request with a query parameter, in the place of one of that name, and its token."""
    others = (pair for pair in request.params if pair[0] != name)
    return replace(request, params=(*others, (name, value)), token=token)
