"""A regular file (`-o FILE`): each line exactly once, and the file only ever grows.

The order is turned round: a step's lines, the file's identity and length, and the checkpoint are
committed to the state file first, on the disk; then the lines are appended and fsynced. The next
start appends what a kill or a full disk left out. With a state that is not durable the lines are
simply appended. A rotation renames the file between two steps, once the last is known to be whole:
whatever ends helr then, the state asks for nothing to be appended, and a new file is begun.
"""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress

from helr.clock import Clock
from helr.errors import LockedError, OutputGoneError, StateError, UnusableError
from helr.output import Batch, rotate
from helr.output.fair import FairLock
from helr.state import Checkpoint, Step, Store
from helr.state.lock import hold

log = logging.getLogger("helr")


class FileOutput:
    """Opens and holds the file, and completes the last step; see helr.output.Output.

    Raises UnusableError when the file cannot be opened, LockedError when another helr holds it.
    """

    def __init__(
        self, path: str, store: Store, clock: Clock, rotation: rotate.Rotation | None = None
    ) -> None:
        self.path = os.path.realpath(path)
        self._rotation = rotation
        self._rotations = self.path + ".*"  # its step: the file rotated last, and its new name
        self._store = store
        self._clock = clock
        self._turn = FairLock()
        self._broken = ""  # why the last step could not be appended
        self._fd = self._open()
        self._length = os.fstat(self._fd).st_size
        self._complete()

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
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
        hold(fd, f"output file {self.path}", "writes a file")
        return fd

    def _complete(self) -> None:
        """Append what the last step left out, as far as this still is the file it was meant for."""
        step = self._store.step(self.path)
        if step is None:
            return
        found = os.fstat(self._fd)
        same = (found.st_dev, found.st_ino) == (step.device, step.inode)
        if not same and not step.lines and self._rotated(step):
            return
        if not same or found.st_size < step.length:
            what = "is shorter than it was left" if same else "is not the one written last"
            again = ": its last step may come again" if step.lines else ""
            log.warning("output file %s %s; going on from its end%s", self.path, what, again)
            self._append(self._fitting(step.lines))
        elif step.lines:
            written = min(found.st_size - step.length, len(step.lines))
            there = os.pread(self._fd, written, step.length)
            if step.lines.startswith(there):
                self._append(step.lines[len(there) :])
            else:
                log.warning(
                    "output file %s: somebody wrote into its last step, which comes again whole",
                    self.path,
                )
                self._append(self._fitting(step.lines))
        self._finish(os.fstat(self._fd).st_size)

    def deliver(self, batch: Batch) -> None:
        lines = b"".join(batch.lines)
        checkpoint = batch.checkpoint
        checkpoint.ids = [key for key in batch.ids if key is not None]
        with self._turn:
            self._clock.check()
            self._whole()
            if not lines:
                self._store.commit(batch.source, [checkpoint])
                return
            self._follow()
            self._rotate(len(lines))
            lines = self._fitting(lines)
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
        self._begin()

    def _begin(self) -> None:
        try:
            fd = self._open()
        except (UnusableError, LockedError) as error:
            raise OutputGoneError(str(error)) from None
        os.close(self._fd)
        self._fd = fd

    def _rotate(self, adding: int) -> None:
        """Rename the file if it is done with, and begin a new one. Raises StateError.

        The new name goes into the state first, so that none is used twice.
        """
        found = os.fstat(self._fd)
        if self._rotation is None or not self._rotation.due(found, adding, self._clock.now()):
            return
        step, last = self._store.step(self.path), self._store.step(self._rotations)
        if step and step.lines:
            self._store.finish_step(self.path, self._length)
        try:
            name = rotate.name(self.path, found.st_mtime, os.fsdecode(last.lines) if last else "")
            record = Step(
                self._rotations, found.st_dev, found.st_ino, found.st_size, os.fsencode(name)
            )
            self._store.commit_step("", Checkpoint(), record)
            os.rename(self.path, name)
        except OSError as error:
            log.warning("output file %s cannot be rotated: %s", self.path, error.strerror)
            return
        log.info("output file %s: rotated to %s", self.path, os.path.basename(name))
        self._begin()
        self._prune()

    def _prune(self) -> None:
        if self._rotation is None or self._rotation.keep is None:
            return
        try:
            for file in rotate.prune(self.path, self._rotation.keep):
                log.info("output file %s: deleted", file)
        except OSError as error:
            log.warning("output file %s: old ones cannot be deleted: %s", self.path, error.strerror)

    def _rotated(self, step: Step) -> bool:
        """Whether that step's file is the one that helr itself moved away last."""
        last = self._store.step(self._rotations)
        return last is not None and (last.device, last.inode) == (step.device, step.inode)

    def _fitting(self, lines: bytes) -> bytes:
        """The lines, after the end of a torn one that somebody else left (a file cut short)."""
        size = os.fstat(self._fd).st_size
        torn = size and lines and os.pread(self._fd, 1, size - 1) != b"\n"
        return b"\n" + lines if torn else lines

    def _append(self, lines: bytes) -> None:
        view = memoryview(lines)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError as error:
            self._broken = (
                f"output file {self.path}: {error.strerror}: "
                "what is missing is appended at the next start; make room, then start helr again"
            )
        self._whole()

    def _whole(self) -> None:
        """Nothing may follow a step that could not be appended whole, until the next start."""
        if self._broken:
            raise OutputGoneError(self._broken)

    def ready(self, source: str) -> None:
        self._whole()

    def restate(self, source: str, everything: Checkpoint | None) -> None:
        if everything:
            self._store.commit(source, [everything])

    def watch(self) -> None:
        pass

    def drain(self, seconds: float) -> None:
        self._turn.acquire(timeout=seconds)

    def again(self) -> int:
        return 0

    def finish(self) -> float:
        return 0

    def close(self) -> None:
        """Let another helr have the file."""
        os.close(self._fd)


def complete_others(store: Store, path: str | None, clock: Clock) -> None:
    """Complete the last steps of output files that are not the one of this run.

    Their checkpoints are recorded, so that nothing else would ever deliver what is missing.
    """
    own = path and os.path.realpath(path)
    for other in store.unfinished():
        if other == own:
            continue
        try:
            FileOutput(other, store, clock).close()
        except LockedError:
            continue  # its own helr is at work
        except (OutputGoneError, UnusableError, StateError) as error:
            log.warning(
                "its last events are missing until helr can write it, or runs with -o %s: %s",
                other,
                error,
            )
        else:
            log.info("output file %s: its last step was completed", other)
