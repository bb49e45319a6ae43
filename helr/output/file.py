"""A regular file (`-o FILE`): each line exactly once, and the file only ever grows.

The order is turned round: a step's lines, the file's identity and length, and the checkpoint are
committed to the state file first, on the disk; then the lines are appended and fsynced. The next
start appends what a kill or a full disk left out. With a state that is not durable the lines are
simply appended.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress

from helr.clock import Clock
from helr.errors import OutputGoneError, StateError, UnusableError
from helr.output import Batch
from helr.output.fair import FairLock
from helr.state import Checkpoint, Step, Store
from helr.state.lock import hold

log = logging.getLogger("helr")


class FileOutput:
    """Opens and holds the file, and completes the last step; see helr.output.Output.

    Raises UnusableError when the file cannot be opened, LockedError when another helr holds it.
    """

    def __init__(self, path: str, store: Store, clock: Clock) -> None:
        self.path = os.path.abspath(path)
        self._store = store
        self._clock = clock
        self._turn = FairLock()
        self._fd = self._open()
        self._length = os.fstat(self._fd).st_size
        self._complete()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            fd = os.open(self.path, flags, 0o640)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise IsADirectoryError(0, "not a regular file")
            folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise UnusableError(
                f"output file {self.path}: {error.strerror}: "
                "name a file in a directory that exists and that helr may write"
            ) from None
        hold(fd, f"output file {self.path}")
        return fd

    def _complete(self) -> None:
        """Append what the last step left out, as far as this still is the file it was meant for."""
        step = self._store.step(self.path)
        if step is None:
            return
        found = os.fstat(self._fd)
        same = (found.st_dev, found.st_ino) == (step.device, step.inode)
        if not same or found.st_size < step.length:
            what = "is shorter than it was left" if same else "is not the one written last"
            again = ": its last step may come again" if step.lines else ""
            log.warning("output file %s %s; going on from its end%s", self.path, what, again)
            self._append(step.lines)
        elif step.lines:
            self._append(step.lines[found.st_size - step.length :])
        self._finish(os.fstat(self._fd).st_size)

    def deliver(self, batch: Batch) -> None:
        lines = b"".join(batch.lines)
        checkpoint = batch.checkpoint
        checkpoint.ids = [key for key in batch.ids if key is not None]
        with self._turn:
            self._clock.check()
            if not lines:
                self._store.commit(batch.source, [checkpoint])
                return
            self._follow()
            found = os.fstat(self._fd)
            step = Step(self.path, found.st_dev, found.st_ino, found.st_size, lines)
            self._store.commit_step(batch.source, checkpoint, step)
            self._append(lines)
            self._finish(found.st_size + len(lines))

    def _finish(self, length: int) -> None:
        """Note that a step was appended whole. Should that fail, the file's length tells it too."""
        self._length = length
        with suppress(StateError):
            self._store.finish_step(self.path, length)

    def _follow(self) -> None:
        """Begin a new file where the old one was moved away (by a log rotation, say)."""
        ours = os.fstat(self._fd)
        try:
            there = os.stat(self.path)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                if ours.st_size < self._length:
                    log.warning("output file %s was cut short; going on from its end", self.path)
                return
        except OSError:
            pass
        log.warning("output file %s was moved away; beginning a new one", self.path)
        try:
            fd = self._open()
        except UnusableError as error:
            raise OutputGoneError(str(error)) from None
        os.close(self._fd)
        self._fd = fd

    def _append(self, lines: bytes) -> None:
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError as error:
            raise OutputGoneError(
                f"output file {self.path}: {error.strerror}: "
                "what is missing is appended at the next start; make room, then start helr again"
            ) from None

    def ready(self, source: str) -> None:
        pass

    def restate(self, source: str, everything: Checkpoint | None) -> None:
        if everything:
            self._store.commit(source, [everything])

    def drain(self, seconds: float) -> int:
        self._turn.acquire(timeout=seconds)
        return 0

    def finish(self) -> None:
        pass
