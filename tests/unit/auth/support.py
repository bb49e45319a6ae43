"""What an authentication makes of a request."""

from __future__ import annotations

from typing import Any

from helr import model
from helr.auth import Auth
from helr.messages import Request

URL = "https://api.example.com/logs"


def bearer(**options: Any) -> model.Auth:
    return model.Auth("bearer", options)


def sent_headers(auth: Auth, request: Request = Request(URL)) -> dict[str, str]:  # noqa: B008
    return dict(next(auth.flow(request)).headers)
