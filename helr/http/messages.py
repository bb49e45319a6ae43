"""What goes into the transport and what comes out of it; no HTTP library in sight."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Request(Struct, frozen=True):
    """One GET: the source's URL and the query parameters, no name twice.

    `cursor`: whether it carries one, so that a refusal of the cursor can be told apart.
    """

    url: str
    params: tuple[tuple[str, str], ...] = ()
    cursor: bool = False


class Response(Struct, eq=False):
    """One whole response, decompressed. `received`: Unix seconds at which the body was complete.

    `url` is fit to be shown: no user info, no query. `path` is the request's path.
    The page's receiver calls `release` when the page needs no memory any more.
    """

    request: Request
    url: str
    path: str
    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes | bytearray
    received: float
    elapsed: float = 0  # seconds from sending the request to the end of the body
    slot: threading.Semaphore | None = None  # one of the few places for a large page in memory

    def release(self) -> None:
        """Give the page's place in memory to the next page; harmless when repeated."""
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.release()


Decode = Callable[[Response], T]


class Notes(Protocol):
    """Small facts of one source that outlive the process (a hold, the breaker); text values."""

    def get(self, key: str) -> str | None: ...

    def set(self, key: str, value: str | None) -> None: ...
