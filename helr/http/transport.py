"""The seam under the HTTP client: what carries its requests, the network or a recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from helr.messages import Request


class Reply(Protocol):
    """An answer whose headers are here and whose body is still coming."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    url: str  # that answered

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of the body as `Content-Encoding` says; empty at its end."""

    def close(self) -> None:
        """What is left of the body is not wanted."""


class Transport(Protocol):
    """Where requests go."""

    def send(self, request: Request) -> Reply:
        """Send one request. Raises PollError, Late, Stopped."""
