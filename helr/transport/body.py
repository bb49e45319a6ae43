"""The body of an answer: into one buffer, decompressed, never larger than allowed.

`max_response_bytes` counts decompressed bytes as they stream, so that a gzip of zeros is
stopped early. A body larger than `SMALL_BYTES` needs one of the few places for a page in
memory first; a smaller one does not, so a server that drips a small body blocks nobody.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from helr.transport.deadline import Deadline

SMALL_BYTES = 65_536
CHUNK_BYTES = 262_144
SLOT_WAIT_SECS = 0.05


class BadBody(Exception):  # noqa: N818 - internal: becomes a PollError with source and URL
    """The body is too large or cannot be decompressed. `cut`: it ended too early."""

    def __init__(self, text: str, *, cut: bool = False) -> None:
        super().__init__(text)
        self.cut = cut


class Readable(Protocol):
    def read(self, size: int) -> bytes: ...


def read_body(
    reply: Readable, encoding: str, limit: int, take_slot: Callable[[], None]
) -> bytes | bytearray:
    """The whole body. Calls `take_slot` once, before more than `SMALL_BYTES` are kept.

    Raises BadBody, and whatever `reply.read` and `take_slot` raise.
    """
    kept = bytearray()
    large = False
    for piece in _pieces(reply, encoding):
        if len(kept) + len(piece) > limit:
            raise BadBody(
                f"the body is larger than max_response_bytes ({limit}); ask for fewer events a"
                " page (`limit`), or raise it"
            )
        if not large and len(kept) + len(piece) > SMALL_BYTES:
            take_slot()
            large = True
        kept += piece
    return kept


def _pieces(reply: Readable, encoding: str) -> Iterator[bytes]:
    codings = [c for c in (part.strip().lower() for part in encoding.split(",")) if c]
    pieces = _raw(reply)
    for coding in reversed([c for c in codings if c != "identity"]):
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise BadBody(f"the body's encoding {coding[:40]!r} was not asked for")
        pieces = _inflate(pieces, coding)
    return pieces


def _raw(reply: Readable) -> Iterator[bytes]:
    size = SMALL_BYTES
    while piece := reply.read(size):
        yield piece
        size = CHUNK_BYTES


def _inflate(pieces: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """Decompress piece by piece, at most `CHUNK_BYTES` at a time, however well it packs."""
    window = 31 if coding.endswith("gzip") else 15
    machine = zlib.decompressobj(window)
    start, began = b"", False
    try:
        for piece in pieces:
            if not began and window == 15:  # some servers send deflate without zlib's header
                start += piece
                if len(start) < 2:
                    continue
                piece = start
                machine = zlib.decompressobj(15 if _zlib_header(start) else -15)
            began = True
            while piece:
                if machine.eof:  # gzip members may follow one another
                    machine = zlib.decompressobj(window)
                out = machine.decompress(piece, CHUNK_BYTES)
                piece = machine.unused_data if machine.eof else machine.unconsumed_tail
                if out:
                    yield out
                if machine.eof and window != 31:
                    break  # whatever follows a deflate stream is not part of it
            while not machine.eof and (out := machine.decompress(b"", CHUNK_BYTES)):
                yield out
    except zlib.error as error:
        raise BadBody(f"the {coding} body cannot be decompressed ({error})", cut=True) from error
    if (began or start) and not machine.eof:
        raise BadBody(f"the {coding} body was cut short", cut=True)


def _zlib_header(start: bytes) -> bool:
    return start[0] & 15 == 8 and (start[0] << 8 | start[1]) % 31 == 0


def take_slot(slots: threading.Semaphore, deadline: Deadline) -> None:
    """Wait for a place for a page in memory; that time is not the server's. Raises Stopped."""
    if slots.acquire(blocking=False):
        return
    clock = deadline.clock
    began = clock.monotonic()
    while not slots.acquire(timeout=SLOT_WAIT_SECS):
        clock.check()
    deadline.extend(clock.monotonic() - began)
