"""Credentials are not sent over plain http, except to this machine or if the config allows it."""

from __future__ import annotations

from urllib.parse import urlsplit

from helr.credentials import proxies, secrets_of
from helr.errors import UnusableError
from helr.model import Source
from helr.urls import is_loopback, safe_url

_WRITE_URL = "write it as http:// or https://, then a host"


def check(source: Source) -> None:
    """Raises UnusableError if the source would send credentials over plain http, or has no URL."""
    try:
        parts = urlsplit(source.url)
        host = parts.hostname or ""
        port = parts.port
    except ValueError:
        raise UnusableError("`url` is not a URL", do=_WRITE_URL, source=source.name) from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        what = "`url` has no host, or its scheme is not http or https"
        raise UnusableError(what, do=_WRITE_URL, source=source.name)
    if parts.scheme == "https" or source.allow_insecure:
        return
    if source.auth is None and not secrets_of(source):
        return
    if not is_loopback(host):
        raise UnusableError(
            "plain http would expose the credentials to the network",
            where=safe_url(source.url),
            do="use https, or set allow_insecure: true",
            source=source.name,
        )
    if not _has_proxy(source.url):
        return
    raise UnusableError(
        "plain http would expose the credentials to the proxy in HTTP_PROXY",
        where=safe_url(source.url),
        do="add this host to NO_PROXY, or set allow_insecure: true",
        source=source.name,
    )


def _has_proxy(url: str) -> bool:
    """Whether a request over plain http goes to a proxy first, even one to this machine."""
    if not proxies():
        return False
    from helr.startup import import_requests

    import_requests()
    from helr.http.urllib3_transport import environ_proxies

    proxy = environ_proxies(url)
    return bool(proxy.get("http") or proxy.get("all"))
