"""The head of a response: status line and header lines, read as curl and browsers read them.

http.client ends the headers at the first line that it does not understand, takes 102 and 103 for
the final response, and limits each line but not their total. Here a meaningless line is ignored,
every 1xx is skipped (RFC 9110 §15.2), and everything before the body is limited to `MOST_BYTES`.
"""

from __future__ import annotations

import http.client
import re
from typing import NamedTuple, Protocol

from helr.http.body import tokens

MOST_BYTES = 300 * 1024  # all heads of one response together, as much as curl allows
_STATUS = re.compile(rb"HTTP/ ?(\S*)[ \t]+(\d{3})(?!\d)[ \t]*(.*)", re.DOTALL | re.IGNORECASE)
_LENGTH = re.compile(r"\+?(\d{1,18})(?!\d)", re.ASCII)  # anything after the number is ignored
_BODYLESS = (204, 304)  # RFC 9112 §6.3
_SWITCHING = 101  # what follows it is no longer HTTP

Fields = list[tuple[str, str]]


class BadAnswer(http.client.HTTPException):
    """The response is not readable HTTP; the text says what is wrong with it."""


class Readable(Protocol):
    def readline(self, size: int, /) -> bytes: ...


class Head(NamedTuple):
    """`version`: 10 or 11, as http.client counts. `fields`: names and values, in order."""

    version: int
    status: int
    reason: str
    fields: Fields


def read_head(fp: Readable) -> Head:
    """The head of the final response. Raises http.client.HTTPException (BadAnswer and others)."""
    lines = _Lines(fp)
    while True:
        head = _one(lines)
        if not 100 <= head.status < 200 or head.status == _SWITCHING:
            return head


def framing(head: Head) -> tuple[Fields, bool, int | None]:
    """The fields that describe the body as it is sent, whether it is chunked, and its length.

    The length is None for a body that ends with the connection. Codings in Transfer-Encoding are
    decoded like those in Content-Encoding, so they are moved there.
    Raises BadAnswer for lengths that differ, as there is no telling which one is right.
    """
    encodings, transfer, lengths, others = [], [], [], []
    for name, value in head.fields:
        low = name.lower()
        if low == "transfer-encoding":
            transfer += tokens(value)
        elif low == "content-encoding":
            encodings += tokens(value)
        elif low == "content-length":
            lengths += tokens(value)
        else:
            others.append((name, value))
    if head.status in _BODYLESS or head.status < 200:
        return others, False, 0
    encodings += [coding for coding in transfer if coding not in ("identity", "chunked")]
    if encodings:
        others.append(("Content-Encoding", ", ".join(encodings)))
    if "chunked" in transfer:
        return [*others, ("Transfer-Encoding", "chunked")], True, None
    length = _length(lengths)
    if length is not None:
        others.append(("Content-Length", str(length)))
    return others, False, length


def _length(said: list[str]) -> int | None:
    """The value of Content-Length; None when it is not a length."""
    lengths = {int(found[1]) for found in map(_LENGTH.match, said) if found}
    if len(lengths) > 1:
        raise BadAnswer(f"Content-Length is {' and '.join(map(str, sorted(lengths)))}")
    return lengths.pop() if lengths else None


class _Lines:
    """The lines of all heads of one response, at most `MOST_BYTES` in total."""

    def __init__(self, fp: Readable) -> None:
        self._fp = fp
        self._left = MOST_BYTES

    def next(self) -> bytes:
        """One line with its line break; empty at the end of the data."""
        line = self._fp.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise BadAnswer(f"its headers are longer than {MOST_BYTES >> 10} KiB")
        return line


def _one(lines: _Lines) -> Head:
    first = lines.next()
    if not first:
        raise http.client.RemoteDisconnected("the connection was closed without a response")
    match = _STATUS.match(first)
    if not match:
        raise http.client.BadStatusLine(first[:80].decode("latin-1"))
    said, status, reason = match.groups()
    version = 10 if said in (b"1.0", b"0.9") else 11
    return Head(version, int(status), reason.decode("latin-1").strip(), _fields(lines))


def _fields(lines: _Lines) -> Fields:
    """The header lines up to the empty one; those without a name are ignored."""
    fields: Fields = []
    while not (line := lines.next()).startswith((b"\r", b"\n")):
        if not line:
            raise http.client.IncompleteRead(b"")
        text = line.replace(b"\0", b"").decode("latin-1")
        name, colon, value = text.partition(":")
        if text[:1] in (" ", "\t"):  # continues the line before it (RFC 9112 §5.2)
            if fields:
                last, begun = fields[-1]
                fields[-1] = last, f"{begun} {text.strip()}".strip()
        elif colon and name.strip():
            fields.append((name.strip(), value.strip()))
    return fields
