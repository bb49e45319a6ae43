"""Which redirects are followed: those that stay at the same origin, and few of them.

A redirect elsewhere is refused, because the headers that would follow it hold secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

from helr.transport.errors import RefusedError
from helr.transport.security import safe_url

MOST = 5
STATUSES = frozenset((301, 302, 303, 307, 308))
PORTS = {"http": 80, "https": 443}


def target(name: str, status: int, headers: Mapping[str, str], url: str) -> str | None:
    """The URL to go on with, or None if the answer is no redirect. Raises RefusedError."""
    location = headers.get("Location", "")
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
    return there


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port. Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme)
