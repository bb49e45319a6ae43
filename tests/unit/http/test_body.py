"""Bodies: decompression, and limits on their size and on the work they cause."""

from __future__ import annotations

import gzip
import io
import threading
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.clock import Clock
from helr.http.body import MOST_CODINGS, BadBody, Readable, read_body
from helr.http.buffer import Buffer
from helr.http.failures import Late
from helr.http.timeouts import Deadline
from helr.model import Timeouts


def unpacked(reply: Readable, how: str, limit: int) -> bytes:
    deadline = Deadline(Timeouts(5, 60, 5), Clock())
    buffer = Buffer(threading.Semaphore(1), deadline)
    return bytes(read_body(reply, how, limit, buffer, lambda: None))


Pack = Callable[[bytes], bytes]


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


PACK: dict[str, Pack] = {
    "": lambda data: data,
    "identity": lambda data: data,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "deflate, gzip": lambda data: gzip.compress(zlib.compress(data)),
}


@given(st.binary(max_size=3000), st.sampled_from(sorted(PACK)), st.integers(1, 50))
def test_what_was_packed_comes_out_however_it_is_cut(data: bytes, how: str, size: int) -> None:
    class Dripping(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            return super().read(size)

    assert unpacked(Dripping(PACK[how](data)), how, 10_000) == data


def test_deflate_without_a_header_and_gzip_in_members() -> None:
    data = b'{"entries":[]}' * 100
    assert unpacked(io.BytesIO(raw_deflate(data)), "deflate", 10_000) == data
    members = gzip.compress(data) + gzip.compress(data)
    assert unpacked(io.BytesIO(members), "gzip", 10_000) == data * 2


@pytest.mark.parametrize("how", ["gzip", "deflate"])
def test_a_packed_body_that_is_cut_short_or_broken_is_told(how: str) -> None:
    packed = PACK[how](bytes(range(256)) * 40)
    for bad in (packed[:-6], packed[: len(packed) // 2], b"\x1f\x8b nonsense" + packed):
        with pytest.raises(BadBody) as caught:
            unpacked(io.BytesIO(bad), how, 100_000)
        assert caught.value.cut  # worth another try


@pytest.mark.parametrize("how", ["br", "zstd", "compress", "gzip, br"])
def test_an_encoding_that_was_not_requested_and_cannot_be_undone(how: str) -> None:
    packed = gzip.compress(b"x") if how.startswith("gzip") else b"\x8b\x00\x80x\x03"
    with pytest.raises(BadBody, match=r"'\w+', which was not requested") as caught:
        unpacked(io.BytesIO(packed), how, 100)
    assert not caught.value.cut


PLAIN = b' {"entries": []}'


@pytest.mark.parametrize(
    "how",
    [
        *("UTF-8", "utf8", "none", "null", "aws-chunked", "chunked", "binary", "8bit", "json"),
        *("application/json", "*", ",", ";", '""', "identity;q=1", "\xff", "br", "zstd", "gzip"),
    ],
)
def test_a_coding_that_only_the_header_knows_of_is_passed_over(how: str) -> None:
    assert unpacked(io.BytesIO(PLAIN), how, 100) == PLAIN


@pytest.mark.parametrize("how", ["gzip", "gzip, UTF-8", "utf-8,gzip", '"gzip"', "x-gzip;v=1"])
def test_a_real_coding_among_others_is_undone(how: str) -> None:
    assert unpacked(io.BytesIO(gzip.compress(PLAIN)), how, 100) == PLAIN


@pytest.mark.parametrize(("how", "pack"), [("gzip", zlib.compress), ("deflate", gzip.compress)])
def test_gzip_and_deflate_are_told_apart_by_what_came(how: str, pack: Pack) -> None:
    assert unpacked(io.BytesIO(pack(PLAIN)), how, 100) == PLAIN


@pytest.mark.parametrize("tail", [b"\0" * 512, b"\0", b"\r\n", b"junk", b"\x1f"])
def test_what_follows_a_packed_body_is_not_part_of_it(tail: bytes) -> None:
    for how in ("gzip", "deflate"):
        assert unpacked(io.BytesIO(PACK[how](PLAIN) + tail), how, 100) == PLAIN


def test_no_more_codings_in_one_another_than_curl_undoes() -> None:
    packed = PLAIN
    for _ in range(MOST_CODINGS):
        packed = gzip.compress(packed)
    assert unpacked(io.BytesIO(packed), ", ".join(["gzip"] * MOST_CODINGS), 100) == PLAIN
    for number in (MOST_CODINGS + 1, 5000):
        with pytest.raises(BadBody, match=f"compressed {number} times"):
            unpacked(io.BytesIO(packed), ",".join(["gzip"] * number), 100)


class Endless:
    """Endless empty gzip members inside `depth` further codings: they never produce any output."""

    def __init__(self, depth: int) -> None:
        piece = gzip.compress(b"") * 1000
        for _ in range(depth):
            piece = gzip.compress(piece * 1000)
        self.piece = piece

    def read(self, _: int) -> bytes:
        return self.piece


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_work_that_yields_nothing_is_bounded_in_size_and_time(depth: int) -> None:
    how = ",".join(["gzip"] * (depth + 1))
    with pytest.raises(BadBody, match="max_response_bytes"):
        unpacked(Endless(depth), how, 1 << 20)
    checks = 0

    def late() -> None:
        nonlocal checks
        checks += 1
        if checks > 10:
            raise Late("request_secs", 5)

    buffer = Buffer(threading.Semaphore(1), Deadline(Timeouts(5, 60, 5), Clock()))
    with pytest.raises(Late):
        read_body(Endless(depth), how, 1 << 40, buffer, late)


def test_the_limit_itself_is_allowed() -> None:
    assert len(unpacked(io.BytesIO(b"x" * 10), "", 10)) == 10
    with pytest.raises(BadBody, match=r"larger than max_response_bytes \(10\)"):
        unpacked(io.BytesIO(b"x" * 11), "", 10)


def test_a_gzip_of_zeros_is_stopped_early_and_in_little_memory() -> None:
    """A gigabyte that is quick to make: members of a megabyte each."""
    bomb = gzip.compress(bytes(1 << 20), 9) * 1024
    reply = io.BytesIO(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(BadBody, match="max_response_bytes"):
            unpacked(reply, "gzip", 4 << 20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert reply.tell() < len(bomb) / 2
