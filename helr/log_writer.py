"""Whole lines to a descriptor that may take nothing more: soon, or not at all.

A pipe, a terminal or a socket that nobody reads is full at some time, and whoever writes then waits
for ever, with the log's lock in hand. So a line is dropped when there is no room for it, and
counted; the rest of one that was begun goes before anything else.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

_PATIENCE_MS = 100  # how long a line waits for room, unless the one before was dropped
_PIECE = 4096  # a pipe that has room has room for so much (PIPE_BUF)


class LineWriter:
    """Writes to the stream's descriptor; raises OSError or ValueError where it has none.

    `notice`: the line about that many dropped ones, once there is room again.
    """

    def __init__(self, stream: TextIO, notice: Callable[[int], str]) -> None:
        stream.flush()
        fd = stream.fileno()
        self._fd, self._own = fd, -1
        self._encoding = stream.encoding
        self._notice = notice
        mode = os.fstat(fd).st_mode
        self._piece = None if stat.S_ISREG(mode) else _PIECE
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            # Others may write there too, and O_NONBLOCK would be theirs as well: so open it anew.
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_APPEND
            with suppress(OSError):
                self._fd = self._own = os.open(f"/proc/self/fd/{fd}", flags)
        self._room = select.poll()
        self._room.register(self._fd, select.POLLOUT)
        self._rest = b""
        self._dropped = 0

    def write(self, line: str) -> None:
        """Write the line, or count it; takes no longer than a tenth of a second."""
        notice = self._bytes(self._notice(self._dropped)) if self._dropped else b""
        data = self._rest + notice + self._bytes(line)
        ends = (len(self._rest), len(self._rest + notice), len(data))
        done = self._put(data)
        end = next(end for end in ends if done <= end)  # of the part that was begun last
        self._rest = data[done:end]
        if end == ends[2]:
            self._dropped = 0
        else:
            self._dropped = 1 if notice and end == ends[1] else self._dropped + 1

    def _bytes(self, line: str) -> bytes:
        return line.encode(self._encoding, "backslashreplace")

    def _put(self, data: bytes) -> int:
        """How much of it was written."""
        done, wait = 0, 0 if self._dropped else _PATIENCE_MS
        piece = self._piece or len(data)
        with suppress(OSError):  # closed, on a full disk, or others were quicker
            while done < len(data) and self._room.poll(wait):
                done += os.write(self._fd, data[done : done + piece])
        return done

    def close(self) -> None:
        """Close what was opened here."""
        if self._own >= 0:
            os.close(self._own)
            self._own = -1
