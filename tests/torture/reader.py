"""The end of a pipe as a shipper holds it: reads at its own speed, dies, forgets what it just read.

It is a thread, and its death the end of its descriptor: all that a pipe shows of a killed process,
and what it had read by then is known exactly.
"""

from __future__ import annotations

import fcntl
import os
import random
import select
import struct
import termios
import threading
import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Habit:
    """`chunk`: bytes asked for at once; `pause`: seconds between two; `stalled`: reads nothing."""

    chunk: int = 65536
    pause: float = 0
    stalled: bool = False


def habit(rng: random.Random) -> Habit:
    chunk = rng.choice((1000, 4096, 30_000, 65536, 65536))
    return Habit(chunk, rng.choice((0, 0, 0, 0.0005, 0.002)), rng.random() < 0.15)


@dataclass(slots=True)
class Reader:
    """Reads until the pipe ends or `die` is called."""

    fd: int
    habit: Habit
    lines: list[tuple[float, bytes]] = field(default_factory=list)  # when read, and the line
    rest: bytes = b""  # what followed the last line break
    count: int = 0  # bytes read
    _dying: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> Reader:
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def _read(self) -> None:
        while not self._dying:
            if self.habit.stalled or not select.select([self.fd], [], [], 0.02)[0]:
                time.sleep(0.002 if self.habit.stalled else 0)
                continue
            data = os.read(self.fd, self.habit.chunk)
            if not data:
                break
            self._take(data)
            if self.habit.pause:
                time.sleep(self.habit.pause)
        os.close(self.fd)

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        *whole, self.rest = (self.rest + data).split(b"\n")
        self.lines += [(now, line) for line in whole]
        self.count += len(data)

    def unread(self) -> int:
        """Bytes that stand in the pipe."""
        if self._thread is None or not self._thread.is_alive():
            return 0
        found = fcntl.ioctl(self.fd, termios.FIONREAD, b"\0\0\0\0")
        return int(struct.unpack("i", found)[0])

    def die(self) -> None:
        """Let go of the pipe, whatever stands in it."""
        self._dying = True
        self.join()

    def finish(self, new: Habit | None = None) -> None:
        """Read to the end, which is there once every writer is gone."""
        self.habit = new or Habit()
        self.join()

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join(60)
        assert not self._thread.is_alive(), "the pipe never ended: somebody still holds it"
