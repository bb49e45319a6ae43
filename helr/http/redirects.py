"""Which redirects are followed: only those that stay at the same origin, and only a few.

A redirect to another origin is refused, because the request's headers hold secrets. So is one that
drops the query: without the cursor, the API would return the first page every time.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urljoin, urlsplit

from helr.http.failures import RefusedError
from helr.urls import origin, safe_url

MOST = 5
SEE_OTHER = 303  # the result of the request is at the other address
STATUSES = frozenset((301, 302, SEE_OTHER, 307, 308))


def target(name: str, status: int, headers: Mapping[str, str], url: str) -> str | None:
    """The URL to request next, or None if the response is not a redirect. Raises RefusedError."""
    location = _text(headers.get("Location", ""))
    if status not in STATUSES or not location:
        return None
    try:
        there = urljoin(url, location)
        same = origin(there) == origin(url)
    except ValueError:
        there, same = location, False
    if not same:
        raise RefusedError(
            f"not following the redirect (HTTP {status}) to {safe_url(there)}: the credentials"
            " would be sent to another origin",
            where=safe_url(url),
            do="if you trust that address, put it into `url`",
            source=name,
        )
    lost = [] if status == SEE_OTHER else _lost(url, there)
    if lost:
        raise RefusedError(
            f"the redirect (HTTP {status}) to {safe_url(there)} drops the query"
            f" ({', '.join(lost)})",
            where=safe_url(url),
            do="put that address into `url`",
            source=name,
        )
    return there


def _text(location: str) -> str:
    """A header, read as Latin-1; servers that do not escape a URL send UTF-8."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location


def _lost(url: str, there: str) -> list[str]:
    """The names of the parameters that the redirect drops; none if it leads to another path with
    a query of its own."""
    asked, given = urlsplit(url), urlsplit(there)
    kept = dict(parse_qsl(given.query, keep_blank_values=True))
    same_place = asked.path.strip("/") == given.path.strip("/")
    if kept and not same_place:
        return []
    names = [name for name, _ in parse_qsl(asked.query, keep_blank_values=True)]
    return [name for name in dict.fromkeys(names) if name not in kept]
