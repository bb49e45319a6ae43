"""Cookies within a chain (`cookies: chain`): behind a load balancer, a cursor may be valid only on
the node that issued it, and the cookie identifies that node.

They are kept in memory, in this process only, from a chain's first request to its end: they never
reach a log, a recording or the state. http.cookiejar decides which of them is sent where (RFC 6265:
domain, path, secure, expiry); helr never sends requests to another origin than the source's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from http.cookiejar import CookieJar
from urllib.request import Request

# The least that RFC 6265 §6.1 requires, and the most that browsers keep.
MOST_COOKIES = 50
MOST_BYTES = 4096


class Cookies:
    """The cookies of a source's current chain."""

    def __init__(self) -> None:
        self._jar = CookieJar()

    def forget(self) -> None:
        """Call when a chain begins."""
        self._jar.clear()

    def added(self, headers: Mapping[str, str], url: str) -> dict[str, str]:
        """The headers of a request to `url`, with the cookies that belong to it."""
        request = Request(url)  # noqa: S310 - only to find its cookies
        self._jar.add_cookie_header(request)
        ours = request.get_header("Cookie")
        if not ours:
            return dict(headers)
        name = next((name for name in headers if name.lower() == "cookie"), "Cookie")
        return {**headers, name: "; ".join(filter(None, (headers.get(name), ours)))}

    def keep(self, headers: Mapping[str, str], url: str) -> None:
        """Keep the cookies of a response from `url`."""
        several = getattr(headers, "getlist", None)
        values = several("Set-Cookie") if several else filter(None, [headers.get("Set-Cookie")])
        for value in values:
            if len(value) <= MOST_BYTES and len(self._jar) < MOST_COOKIES:
                self._jar.extract_cookies(_Answer(value), Request(url))  # type: ignore[arg-type]  # noqa: S310


class _Answer:
    """The part of a response that http.cookiejar reads."""

    def __init__(self, value: str) -> None:
        self._headers = Message()
        self._headers.set_raw("Set-Cookie", value)

    def info(self) -> Message:
        return self._headers
