"""Lines to a descriptor that takes nothing more are dropped, counted, and told; never halved."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr import log_writer
from helr.log_writer import LineWriter

PIPE = 65536


@contextmanager
def ends(kind: str) -> Iterator[tuple[int, TextIO]]:
    """Where to read, and where to write."""
    if kind == "pipe":
        read, write = os.pipe()
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE)
    elif kind == "terminal":
        read, write = pty.openpty()
        tty.setraw(write)
    else:
        pair = socket.socketpair()
        read, write = (end.detach() for end in pair)
    with open(write, "w", encoding="utf-8") as stream:
        yield read, stream
    os.close(read)


def writer(stream: TextIO) -> LineWriter:
    return LineWriter(stream, lambda number: f"dropped {number}\n")


def read_all(fd: int) -> str:
    """Everything that is there now."""
    os.set_blocking(fd, False)
    data = b""
    while True:
        try:
            piece = os.read(fd, 1 << 20)
        except BlockingIOError:
            return data.decode()
        if not piece:
            return data.decode()
        data += piece


@pytest.mark.parametrize("kind", ["pipe", "terminal", "socket"])
@pytest.mark.parametrize("size", [10, 5000])
def test_what_nobody_reads_is_dropped_at_once_and_counted(kind: str, size: int) -> None:
    with ends(kind) as (read, stream):
        lines, count = writer(stream), 0
        while not lines._dropped:
            lines.write(f"{count:06} ".ljust(size, "x") + "\n")
            count += 1
            assert count < 200_000
        began = time.monotonic()
        for number in range(count, count + 500):
            lines.write(f"{number:06} ".ljust(size, "x") + "\n")
        assert time.monotonic() - began < 5  # 500 times the patience would be 50
        text = read_all(read)
        while not text.endswith("one more\n"):  # a terminal gives little at a time
            lines.write("one more\n")
            text += read_all(read)
        lines.close()
    found = [line for line in text.split("\n")[:-1] if line != "one more"]
    told = [line for line in found if line.startswith("dropped ")]
    whole = [line for line in found if not line.startswith("dropped ")]
    assert all(len(line) == max(size, 7) for line in whole)
    assert [int(line[:6]) for line in whole] == list(range(len(whole)))
    dropped = sum(int(line.removeprefix("dropped ")) for line in told)
    more = text.split("\n").count("one more")
    assert len(whole) + dropped >= count + 500 > len(whole)
    assert told
    assert more >= 1


@given(st.lists(st.tuples(st.integers(1, 40_000), st.integers(0, 80_000)), max_size=12))
def test_no_line_is_halved_and_every_one_is_accounted_for(steps: list[tuple[int, int]]) -> None:
    """Lines of any length, and a reader that takes any number of bytes between them."""
    log_writer._PATIENCE_MS, before = 0, log_writer._PATIENCE_MS
    text, written = b"", 0
    try:
        with ends("pipe") as (read, stream):
            lines = writer(stream)
            os.set_blocking(read, False)
            for size, taken in [*steps, (1, PIPE), (1, PIPE), (1, PIPE)]:
                lines.write("x" * size + "\n")
                written += 1
                try:
                    text += os.read(read, taken) if taken else b""
                except BlockingIOError:
                    assert not lines._rest
            lines.write("end\n")
            text += read_all(read).encode()
            lines.close()
    finally:
        log_writer._PATIENCE_MS = before
    found = text.decode().split("\n")
    assert found.pop() == ""
    assert found.pop() == "end"
    sizes = [size for size, _ in steps] + [1, 1, 1]
    position = 0
    for line in found:
        if line.startswith("dropped "):
            position += int(line.removeprefix("dropped "))
        else:
            assert line == "x" * sizes[position]
            position += 1
    assert position == written


def test_a_closed_pipe_and_a_full_disk_disturb_nothing() -> None:
    with ends("pipe") as (read, stream):
        lines = writer(stream)
        os.close(os.dup(read))
        reader = os.dup(read)
        os.close(reader)
        lines.write("x\n")
        assert read_all(read) == "x\n"
        lines.close()
    with open("/dev/full", "w", encoding="utf-8") as full:
        lines = writer(full)
        for _ in range(3):
            lines.write("x\n")
        assert lines._dropped == 3
        lines.close()


def test_letters_that_the_stream_cannot_spell_are_escaped() -> None:
    read, write = os.pipe()
    with open(write, "w", encoding="latin-1") as stream:
        writer(stream).write("é レ \ud800\n")
        assert os.read(read, 100) == b"\xe9 \\u30ec \\ud800\n"
    os.close(read)


def test_others_that_write_there_still_wait() -> None:
    """O_NONBLOCK would be set for every process that has the same end of the pipe."""
    with ends("pipe") as (_, stream):
        lines = writer(stream)
        assert os.get_blocking(stream.fileno())
        lines.close()


def test_lines_of_many_threads_are_whole() -> None:
    with ends("pipe") as (read, stream):
        lines, lock, text = writer(stream), threading.Lock(), b""

        def work(letter: str) -> None:
            for _ in range(50):
                with lock:  # as logging has one
                    lines.write(letter * 9000 + "\n")

        threads = [threading.Thread(target=work, args=(letter,)) for letter in "abc"]
        for thread in threads:
            thread.start()
        os.set_blocking(read, False)
        while any(thread.is_alive() for thread in threads):
            with suppress(BlockingIOError):
                text += os.read(read, 1 << 16)
        text += read_all(read).encode()
        lines.close()
    whole = [line for line in text.decode().split("\n")[:-1] if not line.startswith("dropped")]
    assert set(whole) <= {letter * 9000 for letter in "abc"}
