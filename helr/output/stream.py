"""Standard output (or a FIFO or device named by -o): blocks of whole lines, confirmed on a pipe.

On a Linux pipe a block goes in one write into an empty pipe and is delivered when the pipe is
seen empty again with its reader still there: no other program's unread bytes interfere, and a
kill leaves no half line. Elsewhere (a socket, a terminal, a file by redirection, other systems) a
completed write counts. One block at a time, for all sources.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import select
import stat
import sys
import termios
import threading
from collections.abc import Callable, Iterable, Iterator

from helr.clock import Clock
from helr.errors import OutputGoneError, Stopped
from helr.output import Gone
from helr.output.checkpoint_queue import CheckpointQueue
from helr.output.fair_lock import FairLock
from helr.state import SourceState
from helr.state.records import Checkpoint

log = logging.getLogger("helr")

_F_SETPIPE_SZ, _F_GETPIPE_SZ = 1031, 1032  # fcntl(2); named in Python 3.10's fcntl on Linux only
_BLOCK = 65536  # maximum bytes of a block: with more, a crash would only repeat more
_FIRST_WAIT, _LONGEST_WAIT = 50e-6, 0.02  # seconds between looks at an unread pipe
_FD_SETSIZE = 1024  # select(2) takes smaller descriptors only
_NONE = bytes(4)  # FIONREAD's int when nothing is unread
_STALLED = 10  # seconds without reading after which this is logged, once


class Stream:
    """An open descriptor that lines are written to, block by block."""

    def __init__(self, fd: int, clock: Clock, name: str = "standard output") -> None:
        self.fd = fd
        self.name = name
        self._clock = clock
        self._pipe = sys.platform == "linux" and stat.S_ISFIFO(os.fstat(fd).st_mode)
        self._room = fcntl.fcntl(fd, _F_GETPIPE_SZ) if self._pipe else _BLOCK
        self.block_size = min(self._room, _BLOCK)
        self._torn = _ends_within_a_line(fd)

    def alive(self) -> None:
        """Raise OutputGoneError if there is no reader any more."""
        if self._trouble(0):
            raise self._reader_gone()

    def watch(self, gone: Callable[[OutputGoneError], None]) -> None:
        """Call `gone` as soon as the reader goes away, and return only then. Never wakes before."""
        while not self._trouble(None):
            pass
        gone(self._reader_gone())

    def _trouble(self, timeout: float | None) -> bool:
        """Whether the descriptor has an error."""
        poll = select.poll()  # one per call: two threads may not share it
        poll.register(self.fd, 0)
        return bool(poll.poll(timeout))  # a mask of 0 reports only errors

    def write(self, block: bytes) -> None:
        """Return when the block was delivered.

        Raises Stopped if a stop was requested before it was begun, OutputGoneError.
        """
        if self._pipe:
            self._wait_empty(before=True)
            if len(block) > self._room:
                self._grow(len(block))
        else:
            self._clock.check()
        self._write(b"\n" + block if self._torn else block)
        self._torn = False
        if self._pipe:
            self._wait_empty(before=False)
        self.alive()

    def _wait_empty(self, *, before: bool) -> None:
        """Short waits that back off. Before a block, a stop ends them; for a block that is in the
        pipe, they continue until the process ends, which `drain` bounds.

        If the reader goes away, the wait ends, and helr with it, before another reader opens the
        FIFO: that one would read the rest of the block, beginning in the middle of a line.
        """
        wait, waited = _FIRST_WAIT, 0.0
        while self._unread():
            if before:
                self._clock.check()
            if self._lost_within(wait):
                raise self._reader_gone()
            waited += wait
            wait = min(wait * 2, _LONGEST_WAIT)
            if waited >= _STALLED:
                log.info(
                    "%s: nothing has been read for %d s; waiting for the reader", self.name, waited
                )
                waited = float("-inf")
        if before:
            self._clock.check()

    def _lost_within(self, seconds: float) -> bool:
        """Wait that long, or until the reader goes away; returns whether it did.

        With select(2), which takes microseconds: a pipe's write end is "readable" only on error.
        """
        if self.fd >= _FD_SETSIZE:
            return self._trouble(max(seconds * 1000, 1))
        return bool(select.select([self.fd], [], [], seconds)[0])

    def _unread(self) -> bool:
        return fcntl.ioctl(self.fd, termios.FIONREAD, _NONE) != _NONE

    def _grow(self, size: int) -> None:
        """Enlarge the pipe for a line longer than it, if the kernel allows that."""
        try:
            fcntl.fcntl(self.fd, _F_SETPIPE_SZ, size)
            self._room = fcntl.fcntl(self.fd, _F_GETPIPE_SZ)
        except OSError:
            log.debug("%s: the pipe is too small for a line of %d bytes", self.name, size)

    def _write(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:
                select.select([], [self.fd], [], 0.1)
            except OSError as error:
                if error.errno == errno.EPIPE:
                    raise self._reader_gone() from None
                raise self._gone(error.strerror, "fix the cause, then start helr again") from None

    def _reader_gone(self) -> OutputGoneError:
        return self._gone("the reader went away")

    def _gone(
        self, what: str | None, do: str = "keep the reader running, or write to a file with -o FILE"
    ) -> OutputGoneError:
        return OutputGoneError(
            f"{what}; unread events will be delivered at the next start", where=self.name, do=do
        )


def _ends_within_a_line(fd: int) -> bool:
    """Whether a regular file (`>>`) ends in the middle of a line, after a full disk for example."""
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return False
    try:
        with open(f"/dev/fd/{fd}", "rb") as file:  # this descriptor may be write-only
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # it is empty, or cannot be read
        return False


def blocks(lines: Iterable[bytes], limit: int) -> Iterator[tuple[list[bytes], bool]]:
    """The lines in blocks of at most `limit` bytes, or of one line; and whether it is the last.

    There is always a last block; without lines, it is empty.
    """
    block, size = list[bytes](), 0
    for line in lines:
        size += len(line)
        if size > limit and block:
            yield block, False
            block, size = [], len(line)
        block.append(line)
    yield block, True


class StreamOutput:
    """Delivers into a Stream and queues checkpoints; see helr.output.Output.

    `state_tries`: how often to try to write the state before a block (a second apart); None:
    forever.
    """

    def __init__(
        self,
        stream: Stream,
        clock: Clock,
        settle_secs: float,
        gone: Gone,
        state_tries: int | None = None,
    ) -> None:
        self.stream = stream
        self.queue = CheckpointQueue(clock, settle_secs, stream.alive, gone, state_tries)
        self.turn = FairLock()
        self._gone = gone
        self._lanes: list[_Lane] = []

    def lane(self, state: SourceState) -> _Lane:
        self._lanes.append(lane := _Lane(self, state))
        return lane

    def watch(self) -> None:
        threading.Thread(target=self.stream.watch, args=(self._gone,), daemon=True).start()

    def drain(self, seconds: float) -> None:
        if self.turn.acquire(timeout=seconds):
            self.queue.flush_all()

    def unconfirmed(self) -> int:
        return self.queue.pending() + sum(lane.uncovered for lane in self._lanes)

    def finish(self) -> float:
        error = self.queue.flush_all()
        if error:
            raise error
        return self.queue.wait()


class _Lane:
    """`uncovered`: written lines that no queued checkpoint covers."""

    def __init__(self, output: StreamOutput, state: SourceState) -> None:
        self.uncovered = 0
        self._stream = output.stream
        self._queue = output.queue
        self._turn = output.turn
        self._state = state

    def ready(self) -> None:
        self._stream.alive()
        self._queue.ready(self._state)

    def deliver(self, lines: Iterable[bytes], checkpoint: Checkpoint) -> None:
        start = 0
        for block, last in blocks(lines, self._stream.block_size):
            with self._turn:
                self._write(block)
                if last:
                    self.record(checkpoint.rest(start, self.uncovered))
                elif ahead := checkpoint.ahead(start, block):
                    self.record(ahead)
            start += len(block)

    def record(self, checkpoint: Checkpoint) -> None:
        self._queue.put(self._state, checkpoint)
        self.uncovered -= checkpoint.lines

    def rebase(self, everything: Checkpoint | None) -> None:
        self._queue.replace(self._state, everything)
        self._queue.flush(self._state)

    def _write(self, block: list[bytes]) -> None:
        count = len(block) - block.count(b"")  # lines left out are empty
        if not count:
            return
        self._queue.wait_recorded()
        self.uncovered += count
        try:
            self._stream.write(b"".join(block))
        except Stopped:
            self.uncovered -= count
            raise
