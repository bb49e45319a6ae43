"""What in a source's configuration is a credential, judging by its name, place or appearance.

Imports no HTTP library, so that a config check stays cheap.
"""

from __future__ import annotations

import base64
import os
import re
from contextlib import suppress
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from helr.model import Source
from helr.secrets import HIDDEN, LEAST, redact, secret
from helr.timestamps import instant
from helr.urls import bare_url, logins, user_info_secrets

# The patterns are strings: compiling them all takes 3 ms of a start, and most configs need none.
# Every name of a secret contains one of these:
_SIGNS = (
    *("key", "token", "secret", "pass", "pwd", "cred", "sig", "jwt", "hmac", "pin", "otp", "sess"),
    *("sid", "auth", "bearer", "cookie", "sas", "assert", "srf", "nonce", "ticket", "code"),
)

# The last words of names of query parameters and headers that hold credentials. Names are split
# into words at capitals, dashes, dots and underscores; a number or version at their end is ignored.
_LAST_WORDS = (
    r"(?:.*(?:token|secret|password|passwd|passphrase|passcode|credentials?|signature|jwt|hmac))"
    r"|(?:pass|session|api|app|auth|access|secret|user|master|license|private|client"
    r"|service|subscription|function|encryption|shared|account|admin|site|project|deploy|hapi)?key"
    r"|pwd|pass|pin|otp|.*sess(?:ion)?id|auth|authorization|authentication|bearer|cookies?|session|sessionid|sid"
    r"|sas|sig|assertion|csrf|xsrf|keytab|nonce|creds|ticket|authcode|(?:user|db|my)pass"
)

_SECRET_NAMES = frozenset(("code", "key_id", "access_key_id", "session_id", "client_secret_id"))

_SECRET_ENDINGS = ("_access_key_id", "_session_id", "_amz_credential", "_auth_code")

# Names with such a last word that do not hold a credential: positions, and keys of data.
_PLAIN_ENDINGS = (
    r".*(?:page|next|cursor|continuation|start|skip|sync|delta|scroll|pagination|paging|resume"
    r"|bookmark|after|before)_?token|.*(?:sort|order|partition|primary|idempotency|group|state"
    r"|public|cache|dedup|routing|lookup)_?key"
)

_WORDS = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+"

_VERSIONS = r"(?:_(?:[0-9]+|v|ed|sha))+$"


def is_secret_name(name: str) -> bool:
    """Whether a query parameter, header or variable of that name holds a credential."""
    lower = name.lower()
    return any(sign in lower for sign in _SIGNS) and _is_secret_by_words(name)


def _is_secret_by_words(name: str) -> bool:
    plain = re.sub(_VERSIONS, "", _words(name))
    if re.fullmatch(_PLAIN_ENDINGS, plain):
        return False
    if plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDINGS):
        return True
    return re.fullmatch(_LAST_WORDS, plain.rpartition("_")[2]) is not None


def _words(name: str) -> str:
    """`DD-API-KEY`, `ddApiKey` → `dd_api_key`"""
    return "_".join(word.lower() for word in re.findall(_WORDS, name))


SHORTEST = 6  # characters of a secret that only its origin identifies as one

_WORD = "(?:[A-Z]?[a-z]{1,14}|[A-Z]{1,8})"

_PLAIN_VALUES = (
    rf"{_WORD}(?:[-_., ](?:{_WORD}|[0-9]{{1,2}})){{0,2}}"  # words as people write them
    r"|[0-9.:]+"
    r"|[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
    r"|(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,10}(?::[0-9]+)?(?:/[a-z0-9/_.-]*)?"
    r"|(?:~|\.{1,2})?(?:/[A-Za-z]?[a-z0-9]{0,14}(?:[-_.][a-z0-9]{1,14})*)+"  # a path
)

# In an address, the usual forms of ids of organizations and accounts, too.
_PLAIN_PARTS = (
    r"(?:(?:[A-Z]?[a-z]{1,14}){1,3}|[A-Z]{1,8}|[a-z]?[0-9]{1,8})[0-9]{0,6}"
    r"(?:[-_.~](?:(?:[A-Z]?[a-z]{1,14}){1,3}|[A-Z]{1,8})?[0-9]{0,8}){0,6}(?::[0-9]+)?"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-f]{24}|[0-9a-f]{32}"
)

_NAMES_AN_ID = (
    r".*_?(?:id|org|organi[sz]ation|tenant|account|region|zone|env|environment|site|domain|host"
    r"|hostname|url|uri|name|user|username|email|mail|team|project|workspace|group|role)"
)


def is_plain(value: str, variable: str = "", *, in_address: bool = False) -> bool:
    """Whether the value of an environment variable is clearly not a secret: a number, a time, a
    truth value, a host, a path, an e-mail address, or ordinary words.

    `variable`: its name, which counts too. `in_address`: the value is in the URL's host or path.
    """
    if len(value) < LEAST or is_secret_name(variable):
        return len(value) < LEAST
    if len(value) < SHORTEST or instant(value) is not None:
        return True
    if re.fullmatch(_NAMES_AN_ID, _words(variable)) or re.fullmatch(_PLAIN_VALUES, value):
        return True
    return in_address and re.fullmatch(_PLAIN_PARTS, value) is not None


def secrets_in_url(url: str) -> list[str]:
    """The parts of the path and query of a URL from the environment that may be secrets."""
    address, _, query = url.partition("?")
    pieces = [*bare_url(address).split("/")[2:], *re.split("[&=#]", query)]
    return [piece for piece in pieces if piece and not is_plain(piece, in_address=piece in address)]


def secrets_of(source: Source) -> list[str]:
    """The credentials in the configuration itself: in URL, query and headers."""
    found = user_info_secrets(source.url)
    try:
        pairs = parse_qsl(urlsplit(source.url).query.replace(";", "&"))
    except ValueError:
        pairs = []
    pairs += [*source.query_params.items(), *source.first_request_query_params.items()]
    pairs += source.headers.items()
    for name, value in pairs:
        if is_secret_name(name):
            found.append(value)
            found += _parts(value)
    return [v for v in found if v]


def _parts(value: str) -> list[str]:
    """The secrets in a header's value: `Bearer abc`, `Token token="abc"`, `Basic …`, `d=abc; e=f`.

    The scheme is not a secret."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            login = base64.b64decode(rest, validate=True)
            return [rest, login.decode("utf-8", "surrogateescape").partition(":")[2]]
    pieces = re.split(r"[\s=,;\"']+", value)
    return [*value.split()[1:], *(piece for piece in pieces if len(piece) >= 8)]


def register_secrets(source: Source) -> None:
    """Register the credentials in the source's configuration, so that no line shows them."""
    found = secrets_of(source) + logins(source.url)
    for value in source.from_environment:
        found += (value, *_parts(value), *user_info_secrets(value))
    for proxy in proxies():
        found += user_info_secrets(proxy, proxy=True) + logins(proxy, proxy=True)
    for value in found:
        secret(value)


def has_secret_path(source: Source) -> bool:
    """Whether there is a secret in the URL's path, which is part of each line."""
    return any(value in urlsplit(source.url).path for value in source.from_environment)


def proxies() -> list[str]:
    """The values of the `*_proxy` variables, in upper or lower case, as urllib reads them."""
    return [
        value
        for name, value in os.environ.items()
        if value and name.lower().endswith("_proxy") and name.lower() != "no_proxy"
    ]


_USER = r"//[^/?#@\s]*@"
_PARAM = r"([?&;])([^=&;#?\s]+)=([^&#\s>\"]*)"


def hidden_in_urls(text: str) -> str:
    """The text without the credentials of any URLs in it."""
    return redact(re.sub(_PARAM, _hide, re.sub(_USER, "//", text)))


def _hide(match: re.Match[str]) -> str:
    joint, name, _ = match.groups()
    return f"{joint}{name}={HIDDEN}" if is_secret_name(unquote_plus(name)) else match[0]
