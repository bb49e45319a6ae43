"""Bodies: decompression, the bound on their size, and places in memory."""

from __future__ import annotations

import gzip
import io
import threading
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.clock import Clock
from helr.config.model import Timeouts
from helr.errors import Stopped
from helr.transport.body import SMALL_BYTES, BadBody, read_body, take_slot
from helr.transport.deadline import Deadline


def never() -> None:
    raise AssertionError("a small body needs no place")


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


PACK = {
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

    assert read_body(Dripping(PACK[how](data)), how, 10_000, never) == data


def test_deflate_without_a_header_and_gzip_in_members() -> None:
    data = b'{"entries":[]}' * 100
    assert read_body(io.BytesIO(raw_deflate(data)), "deflate", 10_000, never) == data
    members = gzip.compress(data) + gzip.compress(data)
    assert read_body(io.BytesIO(members), "gzip", 10_000, never) == data * 2


@pytest.mark.parametrize("how", ["gzip", "deflate"])
def test_a_packed_body_that_is_cut_short_or_broken_is_told(how: str) -> None:
    packed = PACK[how](bytes(range(256)) * 40)
    for bad in (packed[:-6], packed[: len(packed) // 2], b"\x1f\x8b nonsense" + packed):
        with pytest.raises(BadBody) as caught:
            read_body(io.BytesIO(bad), how, 100_000, never)
        assert caught.value.cut  # worth another try


def test_an_encoding_that_was_not_asked_for() -> None:
    with pytest.raises(BadBody, match="'br' was not asked for") as caught:
        read_body(io.BytesIO(b"x"), "br", 10, never)
    assert not caught.value.cut


def test_the_limit_itself_is_allowed() -> None:
    assert len(read_body(io.BytesIO(b"x" * 10), "", 10, never)) == 10
    with pytest.raises(BadBody, match=r"larger than max_response_bytes \(10\)"):
        read_body(io.BytesIO(b"x" * 11), "", 10, never)


def test_a_gzip_of_zeros_is_stopped_early_and_in_little_memory() -> None:
    """A gigabyte, in a form that takes no time to make: members of a megabyte each."""
    bomb = gzip.compress(bytes(1 << 20), 9) * 1024
    reply = io.BytesIO(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(BadBody, match="max_response_bytes"):
            read_body(reply, "gzip", 4 << 20, lambda: None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20
    assert reply.tell() < len(bomb) / 2


def test_a_place_is_taken_once_and_only_for_a_large_body() -> None:
    taken: list[bool] = []
    read_body(io.BytesIO(bytes(SMALL_BYTES)), "", 1 << 30, never)
    read_body(io.BytesIO(bytes(5 * SMALL_BYTES)), "", 1 << 30, lambda: taken.append(True))
    read_body(
        io.BytesIO(gzip.compress(bytes(5 * SMALL_BYTES))),
        "gzip",
        1 << 30,
        lambda: taken.append(True),
    )
    assert taken == [True, True]


def test_waiting_for_a_place_ends_when_one_is_free_and_is_not_the_servers_time() -> None:
    deadline = Deadline(Timeouts(5, 0.05, 5), Clock())
    slots = threading.Semaphore(0)
    deadline.start()
    threading.Timer(0.15, slots.release).start()
    take_slot(slots, deadline)
    deadline.start_read()
    assert deadline.read_left() > 0


def test_waiting_for_a_place_ends_on_a_stop() -> None:
    clock = Clock()
    deadline = Deadline(Timeouts(5, 5, 5), clock)
    deadline.start()
    threading.Timer(0.1, clock.stop).start()
    with pytest.raises(Stopped):
        take_slot(threading.Semaphore(0), deadline)
