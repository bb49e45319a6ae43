"""The body of a response: read into one buffer, decompressed, never larger than allowed.

`max_response_bytes` counts decompressed bytes as they stream, so a gzip of zeros is stopped early.
The intermediate data of nested codings is bounded as well, and all of it by the request's time
limit. Where a body is kept while it arrives: helr/http/buffer.py.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from helr.http.buffer import SMALL_BYTES, Buffer

CHUNK_BYTES = 262_144
MOST_CODINGS = 5  # nested; curl decodes as many
_GZIP = b"\x1f\x8b"
_ZLIB_WINDOW, _GZIP_WINDOW, _RAW_WINDOW = 15, 31, -15  # as zlib numbers them
_DEFLATED = ("gzip", "x-gzip", "deflate", "x-deflate")
# Codings that were not requested and cannot be decoded here. Any other name (`UTF-8`, `none`,
# `aws-chunked`) is not a coding but a server's mistake: the body is plain.
_UNREADABLE = ("br", "zstd", "compress", "x-compress", "dcb", "dcz", "bzip2", "lzma", "xz", "exi")


class BadBody(Exception):  # noqa: N818 - internal: becomes a PollError with source and URL
    """The body is too large or cannot be decompressed: `what` happened and what to `do`.

    `cut`: it ended too early.
    """

    def __init__(self, what: str, do: str, *, cut: bool = False) -> None:
        super().__init__(f"{what}; {do}")
        self.what = what
        self.do = do
        self.cut = cut


_CHECK_SERVER = "check the server, and any proxy in between"
_LOWER_LIMIT = "if it persists, lower `limit`"


class Readable(Protocol):
    def read(self, size: int) -> bytes: ...


def read_body(
    reply: Readable, encoding: str, limit: int, buffer: Buffer, check: Callable[[], None]
) -> bytearray:
    """The complete body, of at most `limit` bytes. `check` is called between the steps of the work
    and can end it by raising.

    Raises BadBody, and anything that `reply.read`, `buffer` and `check` raise.
    """
    between = limit + SMALL_BYTES  # small data does not shrink when compressed
    pieces = _bounded(_raw(reply), between, limit)
    for coding in _codings(encoding):
        pieces = _bounded(_decoded(pieces, coding, check), between, limit)
    for piece in _bounded(pieces, limit, limit):
        buffer.add(piece)
        check()
    return buffer.whole()


def _codings(encoding: str) -> list[str]:
    """The codings to decode, in that order."""
    known = [name for name in tokens(encoding) if name in _DEFLATED or name in _UNREADABLE]
    if len(known) > MOST_CODINGS:
        raise BadBody(f"the body is compressed {len(known)} times over", _CHECK_SERVER)
    return known[::-1]


def tokens(value: str) -> list[str]:
    """The members of a header's list, in lower case, without parameters and quotes."""
    each = (part.replace(";", " ").strip(" \t\"'").split() for part in value.split(","))
    return [words[0].lower().strip("\"'") for words in each if words]


def _bounded(pieces: Iterator[bytes], most: int, limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise BadBody(
                f"the body is larger than max_response_bytes ({limit})",
                "request fewer events per page (`limit`), or raise it",
            )
        yield piece


def _raw(reply: Readable) -> Iterator[bytes]:
    size = SMALL_BYTES
    while piece := reply.read(size):
        yield piece
        size = CHUNK_BYTES


def _decoded(pieces: Iterator[bytes], coding: str, check: Callable[[], None]) -> Iterator[bytes]:
    """The data with one coding decoded. A body that is encoded in name only passes through: a
    proxy that decompresses a body may leave its Content-Encoding in place."""
    start = b""
    while len(start) < 2 and (piece := next(pieces, b"")):
        start += piece
    if not start:
        return
    window = _window(start, coding)
    if window is None and _looks_plain(start):
        yield start
        yield from pieces
        return
    if coding in _UNREADABLE:
        raise BadBody(
            f"the body is compressed with {coding!r}, which was not requested", _CHECK_SERVER
        )
    yield from _inflate(start, pieces, window or _GZIP_WINDOW, coding, check)


def _window(start: bytes, coding: str) -> int | None:
    """How the data is compressed, as its first bytes show; except for deflate without a header,
    which some servers send. None for data that is not compressed in one of these ways."""
    if coding in _UNREADABLE:
        return None
    if start.startswith(_GZIP):
        return _GZIP_WINDOW
    if len(start) > 1 and start[0] & 15 == 8 and (start[0] << 8 | start[1]) % 31 == 0:
        return _ZLIB_WINDOW
    return _RAW_WINDOW if coding.endswith("deflate") else None


def _looks_plain(start: bytes) -> bool:
    return start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[")


def _inflate(
    start: bytes, pieces: Iterator[bytes], window: int, coding: str, check: Callable[[], None]
) -> Iterator[bytes]:
    """Decompress piece by piece, at most `CHUNK_BYTES` at a time, at any compression ratio."""
    machine = zlib.decompressobj(window)
    piece, last = start, b""
    try:
        while piece:
            check()
            if machine.eof:
                piece = piece.lstrip(b"\0")
                if window != _GZIP_WINDOW or not piece.startswith(_GZIP[: len(piece)]):
                    break  # padding or foreign data; only another gzip member may follow
                if len(piece) < len(_GZIP):
                    piece += next(pieces, b"")
                    if len(piece) < len(_GZIP):
                        break
                    continue
                machine = zlib.decompressobj(window)
            out = machine.decompress(piece, CHUNK_BYTES)
            piece = machine.unused_data if machine.eof else machine.unconsumed_tail
            if out:
                yield out
                last = out
            piece = piece or next(pieces, b"")
        while not machine.eof and (out := machine.decompress(b"", CHUNK_BYTES)):
            check()
            yield out
            last = out
    except zlib.error as error:
        what = f"the {coding} body cannot be decompressed ({error})"
        raise BadBody(what, _CHECK_SERVER, cut=True) from error
    if not machine.eof and not last.rstrip().endswith((b"}", b"]")):  # JSON shows whether it is cut
        raise BadBody(f"the {coding} body was cut short", _LOWER_LIMIT, cut=True)
    for _ in pieces:  # so that the connection can be reused
        check()
