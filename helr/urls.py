"""URLs: made safe to show, and taken apart. The user info of a URL may contain a password."""

from __future__ import annotations

import base64
import ipaddress
import re
from contextlib import suppress
from urllib.parse import unquote, urlsplit

from helr.secrets import redact

PORTS = {"http": 80, "https": 443}


def safe_url(url: str) -> str:
    """The URL without user info, query and fragment, and with secrets in the rest redacted."""
    return redact(bare_url(url))


def without_user_info(url: str) -> str:
    """The URL without user and password."""
    info = _user_info(url)
    return url.replace(f"{info}@", "", 1) if info else url


def bare_url(url: str) -> str:
    """The URL without user info, query and fragment."""
    plain = without_user_info(url).partition("?")[0].partition("#")[0]
    try:
        parts = urlsplit(plain)  # cached for URLs that were split before
    except ValueError:
        return plain
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else plain


def user_info_secrets(url: str, *, proxy: bool = False) -> list[str]:
    """The password in a URL (or the user name, if there is no password), even if the URL is
    malformed: each part of it, raw and decoded. A user name beside a password is not a secret.

    `proxy`: the URL is a proxy's, so everything before the @ is user info.
    """
    info = _user_info(url, proxy=proxy)
    user, colon, password = info.partition(":")
    found = password if colon else user
    parts = re.split(r"[/?#@\\\s:]+", found)
    return [form for part in (found, *parts) for form in (part, unquote(part)) if form]


def user_of(url: str) -> str:
    """The user name beside a password in the URL, or ""."""
    user, colon, _ = _user_info(url).partition(":")
    return user if colon else ""


def logins(url: str, *, proxy: bool = False) -> list[str]:
    """User and password as `Authorization: Basic` encodes them: a short password would not be
    recognised in that form."""
    user, _, password = map(unquote, _user_info(url, proxy=proxy).partition(":"))
    found: list[str] = []
    if not user + password:
        return found
    for encoding in ("utf-8", "latin-1"):
        with suppress(UnicodeError):
            found.append(base64.b64encode(f"{user}:{password}".encode(encoding)).decode())
    return found


def _user_info(url: str, *, proxy: bool = False) -> str:
    """The part before the @ of a URL's host, even if an unescaped / ? # @ in the password makes the
    URL malformed or changes its host."""
    before, at, _ = url.rpartition("@")
    if not at:
        return ""
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:/+|/*", before)
    info = before[scheme.end() :] if scheme else before
    if proxy:
        return info
    head = re.split(r"[/?#]", info, maxsplit=1)[0]
    try:
        parts = urlsplit(url)
        well_formed = bool(parts.netloc and parts.scheme) and (parts.port or 1) > 0
    except ValueError:
        well_formed = False
    if not well_formed:
        return info if ":" in head or head == info or "@" in head else ""
    if head == info:
        return info
    if "@" in head:  # the last @ is in the path or query, unless they are part of the password
        known, _, host = head.rpartition("@")
        apart = info[len(head)]
        odd = apart == "#" or not re.fullmatch(_HOST, host)
        return (
            info
            if odd or (apart == "?" and "." not in host and "/" in url[len(before) :])
            else known
        )
    return info if _may_be_a_login(head) and "/" in url.rpartition("@")[2] else ""


_HOST = r"[A-Za-z0-9._-]+(?::[0-9]*)?|\[[0-9A-Fa-f:.]+\](?::[0-9]*)?"


def _may_be_a_login(host: str) -> bool:
    """Whether it is a login rather than a host and port, like `bob:12` of http://bob:12/3@host/."""
    name, colon, _ = host.partition(":")
    return bool(colon) and not ("." in name or name == "localhost" or name.startswith("["))


def path_of(url: str) -> str:
    """The URL's path."""
    return urlsplit(url.partition("?")[0]).path or "/"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine, by name or address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port. Raises ValueError."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or PORTS.get(parts.scheme)
