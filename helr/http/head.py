"""The head of an answer: status line and header lines, read as curl and browsers read them.

http.client ends the headers at the first line that it does not understand, takes 102 and 103 for
the answer, and bounds lines but not their sum. Here a line that says nothing is passed over, every
1xx is read over (RFC 9110 §15.2), and everything before the body is bounded by `MOST_BYTES`.
"""

from __future__ import annotations

import http.client
import re
from typing import NamedTuple, Protocol

from helr.http.body import tokens

MOST_BYTES = 300 * 1024  # all heads of one answer together, as much as curl allows
_STATUS = re.compile(rb"HTTP/ ?(\S*)[ \t]+(\d{3})(?!\d)[ \t]*(.*)", re.DOTALL | re.IGNORECASE)
_LENGTH = re.compile(r"\+?(\d{1,18})(?!\d)", re.ASCII)  # what follows the number is passed over
_BODYLESS = (204, 304)  # RFC 9112 §6.3
_SWITCHING = 101  # what follows it is not HTTP any more

Fields = list[tuple[str, str]]


class BadAnswer(http.client.HTTPException):
    """What came is not HTTP that can be read; the text says what is wrong with it."""


class Readable(Protocol):
    def readline(self, size: int, /) -> bytes: ...


class Head(NamedTuple):
    """`version`: 10 or 11, as http.client counts. `fields`: name and value, in order."""

    version: int
    status: int
    reason: str
    fields: Fields


def read_head(fp: Readable) -> Head:
    """The head of the final answer. Raises http.client.HTTPException (BadAnswer and others)."""
    lines = _Lines(fp)
    while True:
        head = _one(lines)
        if not 100 <= head.status < 200 or head.status == _SWITCHING:
            return head


def framing(head: Head) -> tuple[Fields, bool, int | None]:
    """The fields that describe the body as it comes, whether it is chunked, and its length.

    The length is None for a body that ends with the connection. Codings that stand in
    Transfer-Encoding are undone like those in Content-Encoding, so they are put there.
    Raises BadAnswer for lengths that differ: nobody can tell which one is true.
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
    """What Content-Length says; None when it says nothing that is a length."""
    lengths = {int(found[1]) for found in map(_LENGTH.match, said) if found}
    if len(lengths) > 1:
        raise BadAnswer(f"Content-Length is {' and '.join(map(str, sorted(lengths)))}")
    return lengths.pop() if lengths else None


class _Lines:
    """The lines of all heads of one answer, which have `MOST_BYTES` together."""

    def __init__(self, fp: Readable) -> None:
        self._fp = fp
        self._left = MOST_BYTES

    def next(self) -> bytes:
        """One line with its end, empty at the end of what comes."""
        line = self._fp.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise BadAnswer(f"its headers are longer than {MOST_BYTES >> 10} KiB")
        return line


def _one(lines: _Lines) -> Head:
    first = lines.next()
    if not first:
        raise http.client.RemoteDisconnected("the connection was closed without an answer")
    match = _STATUS.match(first)
    if not match:
        raise http.client.BadStatusLine(first[:80].decode("latin-1"))
    said, status, reason = match.groups()
    version = 10 if said in (b"1.0", b"0.9") else 11
    return Head(version, int(status), reason.decode("latin-1").strip(), _fields(lines))


def _fields(lines: _Lines) -> Fields:
    """The header lines up to the empty one; those without a name are passed over."""
    fields: Fields = []
    while not (line := lines.next()).startswith((b"\r", b"\n")):
        if not line:
            raise http.client.IncompleteRead(b"")
        text = line.replace(b"\0", b"").decode("latin-1")
        name, colon, value = text.partition(":")
        if text[:1] in (" ", "\t"):  # a line that goes on with the one before it (RFC 9112 §5.2)
            if fields:
                last, begun = fields[-1]
                fields[-1] = last, f"{begun} {text.strip()}".strip()
        elif colon and name.strip():
            fields.append((name.strip(), value.strip()))
    return fields
