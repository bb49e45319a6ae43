"""Credentials never go over plain http, but to this machine or where the config allows it."""

from __future__ import annotations

from urllib.parse import urlsplit

from helr.credentials import proxies, secrets_of
from helr.model import Source
from helr.urls import is_loopback, safe_url


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
    if parts.scheme == "https" or source.allow_insecure:
        return None
    if source.auth is None and not secrets_of(source):
        return None
    if is_loopback(host):
        return _first_hop(source)
    return (
        f"{source.name}: {safe_url(source.url)}: plain http would show the credentials to the"
        " network; use https, or set `allow_insecure: true` if that is meant"
    )


def _first_hop(source: Source) -> str | None:
    """Why credentials over plain http to this machine would leave it: a proxy is asked first."""
    if not proxies():
        return None
    from helr.startup import import_requests

    import_requests()
    from helr.http.urllib3_transport import environ_proxies

    proxy = environ_proxies(source.url)
    if not (proxy.get("http") or proxy.get("all")):
        return None
    return (
        f"{source.name}: {safe_url(source.url)}: plain http would show the credentials to the "
        "proxy that HTTP_PROXY names; add this host to NO_PROXY, or set allow_insecure: true"
    )
