"""What must never leave the machine, or the log: secrets in URLs, headers and plain http.

Imports no HTTP library, so that a config check costs nothing.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from helr.config.model import Source
from helr.log import redact, secret
from helr.times import instant

if TYPE_CHECKING:
    import ssl

# The last words of names of query parameters and headers that hold credentials. Names are cut into
# words at capitals, dashes, dots and underscores.
_SECRET_WORDS = frozenset(
    (
        *("key", "token", "secret", "password", "passwd", "pwd", "pass", "passphrase", "passcode"),
        *("pin", "otp", "jwt", "auth", "authorization", "authentication", "bearer", "cookie"),
        *("credential", "credentials", "session", "sessionid", "sid", "sas", "sig", "signature"),
        *("assertion", "csrf", "xsrf", "apikey", "hapikey", "appkey", "authkey", "accesskey"),
        *("secretkey", "userkey", "masterkey", "licensekey", "apitoken", "authtoken", "keytab"),
        *("accesstoken", "refreshtoken", "sessiontoken", "trackertoken", "clientsecret", "nonce"),
    )
)
_SECRET_NAMES = frozenset(("code", "key_id", "access_key_id", "session_id", "client_secret_id"))
_SECRET_ENDINGS = ("_access_key_id", "_session_id")
# Names with such a last word that hold no credential: positions, and keys of data.
_PLAIN_ENDINGS = (
    *("page_token", "next_token", "cursor_token", "continuation_token", "start_token"),
    *("pagetoken", "sort_key", "order_key", "partition_key", "primary_key", "idempotency_key"),
    *("group_key", "state_key"),
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def is_secret_name(name: str) -> bool:
    """Whether a query parameter or header of that name holds a credential."""
    words = [word.lower() for word in _WORDS.findall(name)]
    plain = "_".join(words)
    if plain.endswith(_PLAIN_ENDINGS) or not words:
        return False
    return words[-1] in _SECRET_WORDS or plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS)


def is_plain(value: str) -> bool:
    """Whether a value that came from the environment is plainly not a secret: a number, a time, a
    truth value, an address, or words as people write them."""
    if len(value) < SHORTEST or instant(value) is not None:
        return True
    return _ADDRESS.match(value) is not None or _PROSE.fullmatch(value) is not None


SHORTEST = 6  # characters of a secret that only its origin shows to be one
_ADDRESS = re.compile(r"https?://|/|\.{1,2}/")
_PROSE = re.compile(r"[a-z]{1,14}([-_., ][a-z]{1,14}){0,3}|[A-Z]?[a-z]{1,13}|[A-Z]{1,8}")


def safe_url(url: str) -> str:
    """The URL without user info, query and fragment."""
    for value in user_info_secrets(url):
        secret(value)
    try:
        parts = urlsplit(url.partition("?")[0])  # it remembers what it has split before
        host = parts.netloc.rpartition("@")[2]
        shown = f"{parts.scheme}://{host}{parts.path}" if host else parts.path
    except ValueError:
        return redact(url.partition("?")[0].partition("#")[0].rpartition("@")[2])
    return redact(shown)


def user_info_secrets(url: str) -> list[str]:
    """The password in a URL, or what is there in its place, also in one that is malformed: each
    part of it, raw and decoded. A user name beside a password is not a secret."""
    before, at, _ = url.rpartition("@")
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/*|/*", before)
    info = before[scheme.end() :] if scheme else before
    host = re.match(r"[^/?#]*", info)
    if not at or (host and _is_host(host[0]) and len(host[0]) < len(info)):
        return []  # an @ in the path or query
    user, colon, password = info.partition(":")
    found = password if colon else user
    parts = re.split(r"[/?#@\\\s:]+", found)
    return [form for part in (found, *parts) for form in (part, unquote(part)) if form]


def _is_host(text: str) -> bool:
    name = text.partition(":")[0]
    return "." in name or name == "localhost" or name.startswith("[")


def secrets_of(source: Source) -> list[str]:
    """The credentials that the configuration itself holds: URL, query and headers."""
    found = user_info_secrets(source.url)
    try:
        pairs = parse_qsl(urlsplit(source.url).query)
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
    for value in (*secrets_of(source), *source.from_environment):
        secret(value)
    for proxy in _proxies():
        for value in user_info_secrets(proxy):
            secret(value)


def _proxies() -> list[str]:
    names = ("http_proxy", "https_proxy", "all_proxy")
    both = (spelled for name in names for spelled in (name, name.upper()))
    return [os.environ[name] for name in both if os.environ.get(name)]


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
    if not _proxies():
        return None
    from helr.imports import import_requests

    import_requests()
    from requests.utils import get_environ_proxies

    proxy = get_environ_proxies(source.url)
    if not (proxy.get("http") or proxy.get("all")):
        return None
    return (
        f"{source.name}: {safe_url(source.url)}: plain http would show the credentials to the "
        "proxy that HTTP_PROXY names; add this host to NO_PROXY, or set allow_insecure: true"
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
