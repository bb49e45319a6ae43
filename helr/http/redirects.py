"""Which redirects are followed: those that stay at the same origin, and few of them.

A redirect elsewhere is refused, because the headers that would follow it hold secrets. So is one
that forgets what was asked for: without the cursor, the first page would come again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urljoin, urlsplit

from helr.http.failures import RefusedError
from helr.urls import origin, safe_url

MOST = 5
SEE_OTHER = 303  # what was asked for is done; its result is there
STATUSES = frozenset((301, 302, SEE_OTHER, 307, 308))


def target(name: str, status: int, headers: Mapping[str, str], url: str) -> str | None:
    """The URL to go on with, or None if the answer is no redirect. Raises RefusedError."""
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
            f"{name}: {safe_url(url)}: redirected (HTTP {status}) to {safe_url(there)}, which is"
            " another origin; not followed, since the credentials would go there too; put the"
            " address that is meant into `url`"
        )
    lost = [] if status == SEE_OTHER else _lost(url, there)
    if lost:
        raise RefusedError(
            f"{name}: {safe_url(url)}: redirected (HTTP {status}) to {safe_url(there)}, which drops"
            f" the query ({', '.join(lost)}); put that address into `url`"
        )
    return there


def _text(location: str) -> str:
    """Headers are read as Latin-1; servers that do not escape an address send UTF-8."""
    try:
        return location.encode("latin-1").decode()
    except UnicodeError:
        return location


def _lost(url: str, there: str) -> list[str]:
    """The names of the parameters that the redirect forgets; none if it leads to something else,
    with a query of its own."""
    asked, given = urlsplit(url), urlsplit(there)
    kept = dict(parse_qsl(given.query, keep_blank_values=True))
    same_place = asked.path.strip("/") == given.path.strip("/")
    if kept and not same_place:
        return []
    names = [name for name, _ in parse_qsl(asked.query, keep_blank_values=True)]
    return [name for name in dict.fromkeys(names) if name not in kept]
