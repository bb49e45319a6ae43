"""Blocks into a pipe, a socket, a terminal: what is delivered, and what is known of it."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import socket
import sqlite3
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.clock import Clock
from helr.errors import OutputGoneError, StateError, Stopped
from helr.output import checkpoint_queue, stream
from helr.output.stream import Stream, StreamOutput, blocks
from helr.pytest_plugin import FakeClock
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore
from tests.support import some, until
from tests.unit.output.support import Batch, Lanes

SETPIPE, GETPIPE = 1031, 1032


class Pipe:
    """A pipe whose read end the test holds."""

    def __init__(self, size: int = 65536) -> None:
        self.read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, SETPIPE, size)
        self.open = {self.read_end, self.write_end}

    def close(self, *ends: int) -> None:
        for end in ends or tuple(self.open):
            if end in self.open:
                self.open.remove(end)
                os.close(end)

    def read(self, count: int) -> bytes:
        """Exactly that many bytes."""
        data = b""
        while len(data) < count:
            data += os.read(self.read_end, count - len(data))
        return data

    def unread(self) -> int:
        found = fcntl.ioctl(self.read_end, termios.FIONREAD, b"\0\0\0\0")
        return int(struct.unpack("i", found)[0])

    def reader(self) -> tuple[threading.Thread, bytearray]:
        came = bytearray()

        def work() -> None:
            while data := os.read(self.read_end, 65536):
                came.extend(data)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread, came


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


class Journal(MemoryStore):
    """State that tells what was committed when, and can be made to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Checkpoint] = []
        self.broken = False
        source = self.source("s")
        commit = source.commit

        def recorded(checkpoints: Sequence[Checkpoint]) -> None:
            if self.broken:
                raise StateError("the disk is full")
            self.commits += checkpoints
            commit(checkpoints)

        source.commit = recorded  # type: ignore[method-assign]

    def cursor(self) -> str | None:
        return self.source("s").load().values.get("cursor")


def output(
    fd: int, store: MemoryStore, settle: float = 0, clock: Clock | None = None
) -> tuple[Lanes, list[OutputGoneError]]:
    gone: list[OutputGoneError] = []
    clock = clock or Clock()
    made = StreamOutput(Stream(fd, clock), clock, settle, gone.append)
    return Lanes(made, store), gone


def batch(lines: list[bytes], cursor: str = "c", ids: list[str | None] | None = None) -> Batch:
    return Batch("s", lines, Checkpoint(values={"cursor": cursor}, ids=ids or [], capacity=1000))


def background(work: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, errors


@given(st.lists(st.integers(0, 50)), st.integers(1, 60))
def test_blocks_hold_every_line_once_and_no_more_than_the_limit(
    sizes: list[int], limit: int
) -> None:
    lines = [b"%c" % (i % 256) * size for i, size in enumerate(sizes)]
    *before, (_, last) = made = list(blocks(iter(lines), limit))
    assert [line for block, _ in made for line in block] == lines
    assert last
    assert not any(last for _, last in before)
    for block, last in made:
        assert block or (last and not lines)
        whole = sum(map(len, block))
        assert whole <= limit or sum(1 for line in block if line) == 1


def test_a_block_is_no_larger_than_the_pipe_nor_than_64_kib(pipe: Pipe) -> None:
    assert Stream(pipe.write_end, Clock()).block_size == 65536
    fcntl.fcntl(pipe.write_end, SETPIPE, 4096)
    assert Stream(pipe.write_end, Clock()).block_size == 4096
    fcntl.fcntl(pipe.write_end, SETPIPE, 1 << 20)
    assert Stream(pipe.write_end, Clock()).block_size == 65536


def test_nothing_is_recorded_before_the_block_is_read(pipe: Pipe) -> None:
    store = Journal()
    out, _ = output(pipe.write_end, store)
    thread, _ = background(lambda: out.deliver(batch([b"one\n", b"two\n"])))
    until(lambda: out.unconfirmed() == 2)
    time.sleep(0.05)
    assert store.commits == []
    assert pipe.read(4) == b"one\n"
    time.sleep(0.05)
    assert store.commits == []  # half a block is no block
    assert pipe.read(4) == b"two\n"
    thread.join(5)
    assert store.cursor() == "c"
    assert out.unconfirmed() == 0


def test_the_next_block_waits_until_the_pipe_is_empty_whoever_filled_it(pipe: Pipe) -> None:
    os.write(pipe.write_end, b"of the helr before\n")
    out, _ = output(pipe.write_end, Journal())
    thread, _ = background(lambda: out.deliver(batch([b"mine\n"])))
    time.sleep(0.05)
    assert os.read(pipe.read_end, 100) == b"of the helr before\n"
    assert pipe.read(5) == b"mine\n"
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.parametrize("size", [4096, 65536])
@pytest.mark.parametrize("blocking", [True, False])
def test_a_page_of_many_blocks_comes_whole_and_in_order(size: int, blocking: bool) -> None:
    pipe = Pipe(size)
    os.set_blocking(pipe.write_end, blocking)
    lines = [b"%05d %s\n" % (i, b"x" * (i % 900)) for i in range(2000)]
    thread, came = pipe.reader()
    out, _ = output(pipe.write_end, Journal())
    out.deliver(batch(lines))
    pipe.close(pipe.write_end)
    thread.join(5)
    assert bytes(came) == b"".join(lines)
    pipe.close()


@pytest.mark.parametrize("blocking", [True, False])
@pytest.mark.parametrize("size", [100_000, 3_000_000])
def test_a_line_longer_than_the_pipe(pipe: Pipe, size: int, blocking: bool) -> None:
    """The kernel lets the pipe grow for the first; the second is too long even for that."""
    os.set_blocking(pipe.write_end, blocking)
    store = Journal()
    out, _ = output(pipe.write_end, store)
    thread, came = pipe.reader()
    lines = [b"short\n", b"x" * size + b"\n", b"short\n"]
    out.deliver(batch(lines))
    assert store.cursor() == "c"
    pipe.close(pipe.write_end)
    thread.join(5)
    assert bytes(came) == b"".join(lines)


def test_a_reader_that_leaves_with_the_block_unread(pipe: Pipe) -> None:
    store = Journal()
    out, _ = output(pipe.write_end, store)
    thread, errors = background(lambda: out.deliver(batch([b"one\n"])))
    until(pipe.unread)
    pipe.close(pipe.read_end)
    thread.join(5)
    assert isinstance(errors[0], OutputGoneError)
    assert store.commits == []


def test_a_reader_that_leaves_in_the_middle_of_a_block_ends_the_wait_at_once(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one may open the FIFO in its place, and nothing would show that it was another."""
    monkeypatch.setattr(stream, "_FIRST_WAIT", 60.0)
    monkeypatch.setattr(stream, "_LONGEST_WAIT", 60.0)
    store = Journal()
    out, _ = output(pipe.write_end, store)
    thread, errors = background(lambda: out.deliver(batch([b"x" * 100 + b"\n"] * 10)))
    pipe.read(250)
    time.sleep(0.1)  # it waits now: whenever it does not, the test passes for another reason
    pipe.close(pipe.read_end)
    thread.join(30)
    assert not thread.is_alive()
    assert isinstance(errors[0], OutputGoneError)
    assert store.commits == []


@pytest.mark.parametrize("settle", [0, 60])
def test_a_reader_that_reads_the_block_and_leaves_is_not_trusted(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, settle: float
) -> None:
    """It may have died with the block in its hands: asked after the pipe was seen empty."""
    store = Journal()
    out, _ = output(pipe.write_end, store, settle)
    seen = Stream._unread

    def read_and_leave(self: Stream) -> int:
        if seen(self):
            os.read(pipe.read_end, 100)
            pipe.close(pipe.read_end)
        return seen(self)

    monkeypatch.setattr(Stream, "_unread", read_and_leave)
    with pytest.raises(OutputGoneError, match="reader went away"):
        out.deliver(batch([b"one\n"]))
    assert store.commits == []


def test_the_reader_is_asked_for_again_right_before_the_commit(pipe: Pipe) -> None:
    """What was read but not settled when the reader went is not recorded."""
    store = Journal()
    out, gone = output(pipe.write_end, store, settle=0.3)
    thread, _ = background(lambda: out.deliver(batch([b"one\n"])))
    assert pipe.read(4) == b"one\n"
    thread.join(5)
    pipe.close(pipe.read_end)
    until(lambda: gone)
    assert store.commits == []


def test_a_reader_that_stays_has_it_recorded_when_it_is_settled(pipe: Pipe) -> None:
    store = Journal()
    out, _ = output(pipe.write_end, store, settle=0.2)
    began = time.monotonic()
    for name in ("c1", "c2"):  # the second page does not wait for the first to settle
        thread, _ = background(lambda n=name: out.deliver(batch([b"one\n"], n)))  # type: ignore[misc]
        assert pipe.read(4) == b"one\n"
        thread.join(5)
    assert time.monotonic() - began < 0.2
    assert store.commits == []
    until(lambda: store.cursor() == "c2")
    assert time.monotonic() - began >= 0.2


def test_a_reader_that_leaves_while_nothing_happens_is_told_at_once(pipe: Pipe) -> None:
    out, gone = output(pipe.write_end, Journal())
    out.watch()
    time.sleep(0.05)
    assert not gone
    pipe.close(pipe.read_end)
    until(lambda: gone, 1)


def test_errors_of_the_descriptor_end_it() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        out, _ = output(full.fileno(), Journal())
        with pytest.raises(OutputGoneError, match=r"No space left on device; .*next start"):
            out.deliver(batch([b"one\n"]))


def test_dev_null_takes_everything() -> None:
    store = Journal()
    with open(os.devnull, "wb", buffering=0) as null:
        out, _ = output(null.fileno(), store)
        out.deliver(batch([b"x" * 100_000 + b"\n"]))
    assert store.cursor() == "c"


def test_a_socket_counts_what_was_written_and_notices_that_it_is_closed() -> None:
    store = Journal()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        out, _ = output(ours.fileno(), store)
        out.deliver(batch([b"one\n"]))
        assert theirs.recv(100) == b"one\n"
        assert store.cursor() == "c"
        theirs.close()
        with pytest.raises(OutputGoneError):
            out.ready("s")


def test_a_terminal() -> None:
    store = Journal()
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    out, _ = output(theirs, store)
    thread, _ = background(lambda: out.deliver(batch([b"%d\n" % i for i in range(5000)])))
    came = b""
    while len(came) < sum(len(b"%d\n" % i) for i in range(5000)):
        came += os.read(ours, 65536)
    thread.join(5)
    assert came.split() == [b"%d" % i for i in range(5000)]
    assert store.cursor() == "c"
    os.close(ours)
    os.close(theirs)


def test_ids_are_recorded_block_by_block_and_the_cursor_when_the_page_is_through(
    pipe: Pipe,
) -> None:
    store = Journal()
    out, _ = output(pipe.write_end, store)
    lines = [b"%d" % i + b"x" * 30_000 + b"\n" for i in range(6)]
    ids: list[str | None] = ["a", "b", "c", None, "e", "f"]
    thread, _ = background(lambda: out.deliver(batch(lines, ids=ids)))
    pipe.read(len(lines[0] + lines[1]))
    until(lambda: store.source("s").ids() == ["a", "b"])
    assert store.cursor() is None
    pipe.read(len(lines[2] + lines[3]))
    until(lambda: store.source("s").ids() == ["a", "b", "c"])
    assert out.unconfirmed() >= 1  # the event without an id would come again
    assert store.cursor() is None
    pipe.read(len(lines[4] + lines[5]))
    thread.join(5)
    assert store.source("s").ids() == ["a", "b", "c", "e", "f"]
    assert store.cursor() == "c"
    assert out.unconfirmed() == 0
    assert len(store.commits) == 3  # the last block's ids go with the page


def test_a_stall_is_said_once(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stream, "_STALLED", 0.05)
    caplog.set_level(logging.INFO, "helr")
    out, _ = output(pipe.write_end, Journal())
    thread, _ = background(lambda: out.deliver(batch([b"one\n"])))
    until(lambda: caplog.messages)
    time.sleep(0.3)
    pipe.read(4)
    thread.join(5)
    assert len(caplog.messages) == 1
    assert "nothing has been read for" in caplog.messages[0]


def test_a_stop_begins_no_block_and_waits_for_the_one_under_way(pipe: Pipe) -> None:
    clock, store = Clock(), Journal()
    out, _ = output(pipe.write_end, store, clock=clock)
    lines = [b"x" * 60_000 + b"\n", b"y" * 60_000 + b"\n"]
    thread, errors = background(lambda: out.deliver(batch(lines, ids=["a", "b"])))
    until(pipe.unread)
    clock.stop()
    drained, _ = background(lambda: out.drain(5))
    time.sleep(0.05)
    assert drained.is_alive()
    assert pipe.read(len(lines[0])) == lines[0]
    drained.join(5)
    assert store.source("s").ids() == ["a"]
    assert out.unconfirmed() == 0
    thread.join(0.2)
    os.set_blocking(pipe.read_end, False)
    with pytest.raises(BlockingIOError):
        os.read(pipe.read_end, 1)
    assert errors == [] or isinstance(errors[0], Stopped)


def test_a_stop_counts_what_was_written_and_not_recorded(pipe: Pipe) -> None:
    clock, store = Clock(), Journal()
    out, _ = output(pipe.write_end, store, settle=60, clock=clock)
    _, came = pipe.reader()
    out.deliver(batch([b"one\n", b"", b"three\n"]))  # the second was left out for its length
    out.deliver(batch([b"four\n"]))
    until(lambda: came == b"one\nthree\nfour\n")
    clock.stop()
    out.drain(1)
    assert out.unconfirmed() == 3
    assert store.commits == []


def test_a_checkpoint_that_cannot_be_written_holds_the_source_and_keeps_its_place(
    pipe: Pipe,
) -> None:
    store = Journal()
    _, _ = pipe.reader()
    out, _ = output(pipe.write_end, store)
    store.broken = True
    out.deliver(batch([b"one\n"], "c1"))
    for _ in range(2):
        with pytest.raises(StateError, match="disk is full"):
            out.ready("s")
    out.ready("other")  # holds nobody else up
    assert out.unconfirmed() == 1
    store.broken = False
    out.ready("s")
    assert store.cursor() == "c1"
    assert out.unconfirmed() == 0


BLOCKS = 8
LINE = b"x" * 4095 + b"\n"  # sixteen to a block


class LockedFrom(SqliteStore):
    """State that another program locks right before its commit number `number`."""

    def __init__(self, path: Path, number: int) -> None:
        super().__init__(str(path), busy_secs=0.01)
        self.blocker = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._number = number

    def commit(self, source: str, checkpoints: Sequence[Checkpoint]) -> None:
        self._number -= 1
        if self._number == 0:
            self.blocker.execute("BEGIN IMMEDIATE")
        super().commit(source, checkpoints)

    def unlock(self) -> None:
        self.blocker.execute("ROLLBACK")


def eight_blocks(source: str = "s") -> Batch:
    ids: list[str | None] = [f"{source}{number}" for number in range(16 * BLOCKS)]
    page = Checkpoint(values={"cursor": "c"}, ids=ids, capacity=1000)
    return Batch(source, [LINE] * len(ids), page)


@pytest.mark.parametrize("number", some(range(1, BLOCKS + 1)))
@pytest.mark.parametrize("ends", ["unlocked", "killed"])
def test_a_state_locked_at_any_block_repeats_that_block_at_most(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, ends: str
) -> None:
    monkeypatch.setattr(checkpoint_queue, "_AGAIN_SECS", 0.01)
    store, clock = LockedFrom(tmp_path / "state.db", number), Clock()
    out, _ = output(pipe.write_end, store, clock=clock)
    _, came = pipe.reader()
    thread, errors = background(lambda: out.deliver(eight_blocks()))
    last = number == BLOCKS
    until(lambda: len(came) == number * 65536 and (last or out.queue._unwritten))
    time.sleep(0.1)  # what must not come has the time to
    assert len(came) == number * 65536
    if ends == "killed":
        clock.stop()
        thread.join(5)
        assert [type(error) for error in errors] == ([] if last else [Stopped])
        recorded = SqliteStore(str(tmp_path / "state.db"), read_only=True).ids("s")
        assert len(recorded) == 16 * (number - 1)
        assert out.unconfirmed() == 16
        return
    store.unlock()
    until(lambda: len(came) == BLOCKS * 65536)
    thread.join(5)
    assert errors == []
    out.ready("s")
    assert store.source("s").ids() == eight_blocks().checkpoint.ids
    assert store.source("s").load().values == {"cursor": "c"}
    assert out.unconfirmed() == 0


class FullFrom(LockedFrom):
    """State whose disk is full from its commit number `number` on."""

    def commit(self, source: str, checkpoints: Sequence[Checkpoint]) -> None:
        self._number -= 1
        if self._number == 0:
            (pages,) = self._db.execute("PRAGMA page_count").fetchone()
            self._db.execute(f"PRAGMA max_page_count = {pages}")
        SqliteStore.commit(self, source, checkpoints)

    def unlock(self) -> None:
        self._db.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize("number", some(range(1, BLOCKS + 1)))
def test_a_state_that_is_full_at_any_block_repeats_a_block_at_most(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Commits still fit into the pages that there are, and then no more."""
    monkeypatch.setattr(checkpoint_queue, "_AGAIN_SECS", 0.01)
    monkeypatch.setattr("helr.state.sqlite._ROW_IDS", 1)  # a row, and soon a page, for each
    store = FullFrom(tmp_path / "state.db", number)
    out, _ = output(pipe.write_end, store)
    _, came = pipe.reader()
    page = eight_blocks()
    page.checkpoint.ids = [f"{id_}{'x' * 60}" for id_ in page.checkpoint.ids]
    thread, errors = background(lambda: out.deliver(page))
    until(lambda: out.queue._unwritten or not thread.is_alive())
    time.sleep(0.05)  # what must not come has the time to
    assert 16 * len(came) // 65536 - len(store.source("s").ids()) <= 16
    store.unlock()
    thread.join(5)
    assert errors == []
    out.ready("s")
    assert store.source("s").ids() == page.checkpoint.ids
    assert len(came) == BLOCKS * 65536


def test_a_locked_state_holds_every_sources_blocks(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promise is one block in all, not one of each source."""
    monkeypatch.setattr(checkpoint_queue, "_AGAIN_SECS", 0.01)
    store = LockedFrom(tmp_path / "state.db", 1)
    out, _ = output(pipe.write_end, store)
    _, came = pipe.reader()
    started = [background(lambda n=name: out.deliver(eight_blocks(n))) for name in "abc"]  # type: ignore[misc]
    until(lambda: out.queue._unwritten)
    time.sleep(0.1)
    assert len(came) == 65536
    store.unlock()
    for thread, errors in started:
        thread.join(5)
        assert errors == []
    assert [len(store.source(name).ids()) for name in "abc"] == [16 * BLOCKS] * 3


def test_a_one_shot_run_does_not_wait_for_ever(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_queue, "_AGAIN_SECS", 0.01)
    store, clock = LockedFrom(tmp_path / "state.db", 2), Clock()
    made = StreamOutput(Stream(pipe.write_end, clock), clock, 0, lambda _: None, 3)
    out = Lanes(made, store)
    _, came = pipe.reader()
    with pytest.raises(StateError, match="locked"):
        out.deliver(eight_blocks())
    with pytest.raises(StateError, match="locked"):
        out.deliver(eight_blocks("other"))
    with pytest.raises(StateError, match="locked"):
        out.ready("third")  # which is not even asked
    assert len(came) == 2 * 65536


def test_a_one_shot_run_waits_for_a_short_lock_between_two_pages(
    pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_queue, "_AGAIN_SECS", 0.01)
    store, clock = LockedFrom(tmp_path / "state.db", BLOCKS), Clock()
    made = StreamOutput(Stream(pipe.write_end, clock), clock, 0, lambda _: None, 10_000)
    out = Lanes(made, store)
    pipe.reader()
    out.deliver(eight_blocks())
    thread, errors = background(lambda: out.ready("s"))
    assert thread.is_alive()
    store.unlock()
    thread.join(5)
    assert (errors, store.source("s").load().values) == ([], {"cursor": "c"})


def test_a_deleted_state_file_holds_up_no_page(pipe: Pipe, tmp_path: Path) -> None:
    """What was recorded is gone: to wait would save nothing, and no poll would end it."""
    store = SqliteStore(str(tmp_path / "state.db"), busy_secs=0.01)
    out, _ = output(pipe.write_end, store)
    _, came = pipe.reader()
    (tmp_path / "state.db").unlink()
    out.deliver(eight_blocks())
    until(lambda: len(came) == BLOCKS * 65536)
    with pytest.raises(StateError, match="deleted or replaced"):
        out.ready("s")


@pytest.mark.parametrize("drops", [1, 2])
def test_a_state_that_is_written_anew_settles_no_sooner(pipe: Pipe, drops: int) -> None:
    """The queue goes with the old file; when it was due does not."""
    store, clock = Journal(), FakeClock()
    out, _ = output(pipe.write_end, store, settle=20, clock=clock)
    _, _ = pipe.reader()
    out.deliver(batch([b"one\n", b"two\n"], "c1"))
    clock.time += 5
    for _ in range(drops):  # as often as the new file could not be read
        out.rebase("s", None)
    out.rebase("s", Checkpoint(values={"cursor": "all"}))
    assert (store.commits, out.unconfirmed()) == ([], 2)
    clock.time += 14.9
    out.ready("s")
    assert store.commits == []
    clock.time += 0.1
    out.ready("s")
    assert (store.cursor(), out.unconfirmed()) == ("all", 0)


def test_sources_take_turns(pipe: Pipe) -> None:
    """One block at a time, handed over in the order it was asked for: no source starves."""
    store = MemoryStore()
    out, _ = output(pipe.write_end, store)

    def lines(name: str) -> Iterator[bytes]:
        for _ in range(20):
            yield name.encode() * 30_000 + b"\n"

    threads = [
        background(lambda n=name: out.deliver(Batch(n, lines(n), Checkpoint())))[0]  # type: ignore[misc]
        for name in "ab"
    ]
    until(lambda: len(out.turn._waiting) == 1)  # one holds the pipe, the other asks for its turn
    came = pipe.read(2 * 20 * 30_001)
    for thread in threads:
        thread.join(5)
    order = [line[:1] for line in came.split(b"\n")[:-1]]
    assert sorted(order) == [b"a"] * 20 + [b"b"] * 20
    assert len(set(order[:12])) == 2
