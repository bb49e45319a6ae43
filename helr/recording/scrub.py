"""Keeps secrets out of recordings: by their names in URLs and headers, and by their values."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from helr.credentials import hidden_in_urls, is_secret_name
from helr.log import HIDDEN, redact
from helr.messages import Request

_DECODED = ("content-encoding", "content-length", "transfer-encoding")


def query(request: Request) -> str:
    """The request's query: that of the source's URL and the parameters, with secrets hidden."""
    parts = urlsplit(request.url).query, urlencode(request.params)
    return hidden_in_urls("?" + "&".join(part for part in parts if part)).strip("?")


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """A response's headers, with credentials hidden.

    A body is recorded without its Content-Encoding, so the headers that describe the encoded body
    are left out.
    """
    encoded = given.get("Content-Encoding")
    kept: dict[str, str] = {}
    for name, value in given.items():
        if encoded and name.lower() in _DECODED:
            continue
        shown = HIDDEN if is_secret_name(name) else hidden_in_urls(value)
        # several of a name, such as Link, are one list (RFC 9110 §5.3)
        kept[name] = f"{kept[name]}, {shown}" if name in kept and shown != HIDDEN else shown
    return kept


def body(given: bytes | bytearray) -> bytes:
    """A body with every registered secret replaced, in any encoding."""
    plain = given.decode("utf-8", "surrogateescape")  # any bytes, and back again
    return redact(plain).encode("utf-8", "surrogateescape")
