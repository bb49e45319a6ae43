"""What the unit tests share: sources without waits, and responses to them."""

from __future__ import annotations

from typing import Any

from helr.messages import Request, Response
from helr.model import Resilience, Source, Timeouts

URL = "https://api.example/logs"
RECEIVED = 1_700_000_000.0  # 2023-11-14T22:13:20Z
QUICK = Resilience(Timeouts(connect_secs=1, request_secs=1, read_secs=1))


def make_source(**changes: Any) -> Source:
    return Source(**{"name": "s", "url": URL, "resilience": QUICK, **changes})


def respond(
    body: bytes | str = b"{}", status: int = 200, token: str | None = None, **headers: str
) -> Response:
    """The response to a request that carried that token; `_` in the name of a header is a `-`."""
    raw = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(Request(URL, token=token), URL, "/logs", status, named, raw, RECEIVED)
