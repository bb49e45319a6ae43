"""What must never leave the machine, or the log: secrets in URLs, headers and plain http.

Imports no HTTP library, so that a config check costs nothing.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from helr.config.model import Source
from helr.log import redact, secret

if TYPE_CHECKING:
    import ssl

# How the names of query parameters and headers that hold credentials end; "-" counts as "_".
SECRET_ENDINGS = (
    *("_authorization", "_auth", "_cookie", "_credential", "_credentials", "_session_id"),
    *("_token", "_secret", "_password", "_passwd", "_pwd", "_signature", "_sig"),
    *("_api_key", "_apikey", "_access_key", "_accesskey", "_secret_key", "_secretkey"),
    *("_private_key", "_subscription_key"),
)
NO_SECRET_ENDINGS = ("page_token", "next_token", "cursor_token", "continuation_token")


def is_secret_name(name: str) -> bool:
    """Whether a query parameter or header of that name holds a credential."""
    plain = "_" + name.lower().replace("-", "_").replace(".", "_")
    if plain.endswith(NO_SECRET_ENDINGS):
        return False
    return plain == "_key" or plain.endswith(SECRET_ENDINGS)


def safe_url(url: str) -> str:
    """The URL without user info, query and fragment."""
    try:
        parts = urlsplit(url.partition("?")[0])  # it remembers what it has split before
        host = parts.netloc.rpartition("@")[2]
        shown = f"{parts.scheme}://{host}{parts.path}" if host else parts.path
    except ValueError:
        return redact(url.partition("?")[0].partition("#")[0].rpartition("@")[2])
    return redact(shown)


def secrets_of(source: Source) -> list[str]:
    """The credentials that the configuration itself holds: URL, query and headers."""
    found = []
    try:
        parts = urlsplit(source.url)
        for value in (parts.username or "", parts.password or ""):
            found += [value, unquote(value)]
        pairs = parse_qsl(parts.query)
    except ValueError:
        pairs = []
    pairs += [*source.query_params.items(), *source.first_request_query_params.items()]
    pairs += source.headers.items()
    for name, value in pairs:
        if is_secret_name(name):
            found.append(value)
            found += value.split()[1:]  # "Bearer abc": the scheme is no secret, the rest is
    return [v for v in found if v]


def register_secrets(source: Source) -> None:
    """Make sure that no log line shows a credential of the source's configuration."""
    for value in secrets_of(source):
        secret(value)


def problem(source: Source) -> str | None:
    """Why the source may not be asked as configured: credentials over plain http."""
    try:
        parts = urlsplit(source.url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        return f"{source.name}: `url` is not a URL"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return f"{source.name}: `url` must be http:// or https:// and name a host"
    if parts.scheme == "https" or source.allow_insecure or is_loopback(host):
        return None
    if source.auth is None and not secrets_of(source):
        return None
    return (
        f"{source.name}: {safe_url(source.url)}: plain http would show the credentials to the"
        " network; use https, or set `allow_insecure: true` if that is meant"
    )


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by name or address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def path_of(url: str) -> str:
    """The path that was asked for."""
    return urlsplit(url.partition("?")[0]).path or "/"


def tls_context(source: Source) -> ssl.SSLContext | None:
    """The TLS context for the source, None for plain http. Raises UnusableError."""
    if not source.url.lower().startswith("https:"):
        return None
    from helr.transport.tls import make_context  # plain http needs no TLS

    return make_context(source)
