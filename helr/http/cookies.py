"""Cookies within a chain (`cookies: chain`): behind a balancer, a cursor is valid only on the node
that gave it, and the cookie says which.

They live in memory from a chain's first request to its end, in this process alone: neither log,
recording nor state sees them. Which of them is sent where is for http.cookiejar to say (RFC 6265:
domain, path, secure, expiry); helr never asks another origin than the source's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from http.cookiejar import CookieJar
from urllib.request import Request

# What RFC 6265 §6.1 wants at least, and browsers keep at most.
MOST_COOKIES = 50
MOST_BYTES = 4096


class Cookies:
    """The cookies of one source's chain."""

    def __init__(self) -> None:
        self._jar = CookieJar()

    def forget(self) -> None:
        """A chain begins."""
        self._jar.clear()

    def added(self, headers: Mapping[str, str], url: str) -> dict[str, str]:
        """The headers of a request to `url`, with the cookies that belong to it."""
        request = Request(url)  # noqa: S310 - only asked which cookies it gets
        self._jar.add_cookie_header(request)
        ours = request.get_header("Cookie")
        if not ours:
            return dict(headers)
        name = next((name for name in headers if name.lower() == "cookie"), "Cookie")
        return {**headers, name: "; ".join(filter(None, (headers.get(name), ours)))}

    def keep(self, headers: Mapping[str, str], url: str) -> None:
        """Those of an answer from `url`."""
        several = getattr(headers, "getlist", None)
        values = several("Set-Cookie") if several else filter(None, [headers.get("Set-Cookie")])
        for value in values:
            if len(value) <= MOST_BYTES and len(self._jar) < MOST_COOKIES:
                self._jar.extract_cookies(_Answer(value), Request(url))  # type: ignore[arg-type]  # noqa: S310


class _Answer:
    """As much of an answer as http.cookiejar looks at."""

    def __init__(self, value: str) -> None:
        self._headers = Message()
        self._headers.set_raw("Set-Cookie", value)

    def info(self) -> Message:
        return self._headers
