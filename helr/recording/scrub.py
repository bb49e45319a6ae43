"""No secret reaches a recording: not by its name, in a URL or a header, nor by its value."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from helr.credentials import hidden_in_urls, is_secret_name
from helr.log import HIDDEN, redact
from helr.messages import Request

_DECODED = ("content-encoding", "content-length", "transfer-encoding")


def query(request: Request) -> str:
    """What was asked for: the query of the source's URL and the parameters, secrets hidden."""
    parts = urlsplit(request.url).query, urlencode(request.params)
    return hidden_in_urls("?" + "&".join(part for part in parts if part)).strip("?")


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """A response's headers, those that hold credentials hidden.

    A body is recorded as it is without its Content-Encoding, so what describes the encoded one
    is left out.
    """
    encoded = given.get("Content-Encoding")
    return {
        name: HIDDEN if is_secret_name(name) else hidden_in_urls(value)
        for name, value in given.items()
        if not (encoded and name.lower() in _DECODED)
    }


def body(given: bytes | bytearray) -> bytes:
    """A body with every registered secret replaced, in whatever form it stands there."""
    plain = given.decode("utf-8", "surrogateescape")  # whatever the bytes are, and back again
    return redact(plain).encode("utf-8", "surrogateescape")
