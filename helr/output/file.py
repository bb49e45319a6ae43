"""A regular file (`-o FILE`): each line exactly once, and the file only ever grows.

The order is reversed: a step's lines, the file's identity and length, and the checkpoint are first
committed to the state file and synced; then the lines are appended and synced. The next start
writes an incomplete step again in its place. With a state that is not durable, the lines are simply
appended. A rotation renames the file between two steps, once the last one is complete: even if helr
is killed then, no step is left to append, and the next start begins a new file.

Another program may rename, delete or truncate the file at any moment. A step counts as appended
only if the path still names the file *after* the write: if the file is renamed and compressed
later, for example, the step is already in it. Until then, the state keeps the step.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from helr.clock import Clock
from helr.errors import LockedError, OutputGoneError, StateError, UnusableError
from helr.output.fair_lock import FairLock
from helr.output.rotation import Rotation, next_name, prune
from helr.state import SourceState, Store
from helr.state.lock import lock_file
from helr.state.records import Checkpoint, Step

log = logging.getLogger("helr")

# fsync(2) on a file system without it (CIFS and FUSE, mostly for a directory)
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NAMES = 1000  # how many names of rotated files are remembered
_ATTEMPTS = 5  # how often to write a step to a file that is moved away during the write
_ADVICE = {
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "raise this user's disk quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EIO: "check its disk",
    errno.EROFS: "mount its file system for writing",
    errno.ELOOP: "remove the symbolic link that is there now",
}


class FileOutput:
    """Opens and locks the file, and completes the last step; see helr.output.Output.

    Raises UnusableError if the file cannot be opened, LockedError if another helr has locked it.
    """

    def __init__(
        self, path: str, store: Store, clock: Clock, rotation: Rotation | None = None
    ) -> None:
        self.path = os.path.realpath(path)
        self._place = f"output file {self.path}"
        self._rotation = rotation
        self._rotations = (
            self.path + ".*"
        )  # this path's step: the last rotated file, and all names in order
        self._names: list[str] | None = None  # of rotated files; None: not read yet
        self._journal = store.journal
        self._clock = clock
        self._turn = FairLock()
        self._broken: OutputGoneError | None = None  # why the last step could not be appended
        self._syncs = True  # whether the file system can sync the file
        self._fd = self._open()
        self._length = os.fstat(self._fd).st_size
        self._complete()

    def _open(self) -> int:
        # the path is resolved: a link that appears in it now is not followed
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(self.path, flags, 0o640)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise IsADirectoryError(0, "not a regular file")
            self._sync_directory(is_new=not os.fstat(fd).st_size)
        except OSError as error:
            advice = _ADVICE.get(
                error.errno or 0, "name a file in a directory that exists and that helr may write"
            )
            raise UnusableError(str(error.strerror), where=self._place, do=advice) from None
        lock_file(fd, f"output file {self.path}", "writes a file")
        return fd

    def _sync_directory(self, *, is_new: bool) -> None:
        """Make the file's name as durable as its bytes, where that is possible. Raises OSError.

        CIFS, FUSE and shared folders refuse it; so does a directory that helr may not list.
        """
        try:
            folder = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno not in {*_NO_SYNC, errno.EACCES}:
                raise
            if is_new:
                log.info(
                    "output file %s: its directory cannot be synced (%s): "
                    "a power failure within seconds of this could remove the file",
                    self.path,
                    error.strerror,
                )

    def _complete(self) -> None:
        """Append what is missing of the last step, if this is still the file that it belongs to."""
        step = self._journal.step(self.path)
        if step is None:
            return
        found = os.fstat(self._fd)
        same = (found.st_dev, found.st_ino) == (step.device, step.inode)
        if not same and not step.lines and self._rotated(step):
            return
        if not same or found.st_size < step.length:
            what = "is shorter than helr left it" if same else "is not the one helr last wrote"
            again = "; its last lines may be duplicated" if step.lines else ""
            log.warning("output file %s %s; continuing at its end%s", self.path, what, again)
            self._append_again(step.lines)
        elif step.lines:
            written = min(found.st_size - step.length, len(step.lines))
            if step.lines.startswith(os.pread(self._fd, written, step.length)):
                if not self._rewrite(step):
                    self._append_again(step.lines)
            else:
                log.warning(
                    "output file %s: another program modified the last batch; writing it again in "
                    "full",
                    self.path,
                )
                self._append_again(step.lines)
        self._finish(os.fstat(self._fd).st_size)

    def _append_again(self, lines: bytes) -> None:
        if lines:
            self._follow()
            self._append("", None, lines)

    def _rewrite(self, step: Step) -> bool:
        """Write a step again in its place; whether the path still names the file after that.

        It is written even if its bytes are there already: after a failed sync, the page cache has
        bytes that the disk may not have, and the next sync succeeds (fsync(2)).
        """
        flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
        fcntl.fcntl(self._fd, fcntl.F_SETFL, flags & ~os.O_APPEND)  # pwrite(2) would append
        try:
            with self._breaking():
                view, at = memoryview(step.lines), step.length
                while view:
                    written = os.pwrite(self._fd, view, at)
                    view, at = view[written:], at + written
                there = self._named()
                self._sync()
        finally:
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags)
        return there

    def lane(self, state: SourceState) -> _Lane:
        return _Lane(self, state)

    def deliver(self, state: SourceState, lines: bytes, checkpoint: Checkpoint) -> None:
        """See helr.output.Lane."""
        with self._turn:
            self._clock.check()
            self.check_whole()
            if not lines:
                state.commit([checkpoint])
                return
            self._follow()
            self._rotate(len(lines))
            self._append(state.name, checkpoint, lines)

    def _finish(self, length: int) -> None:
        """Record that a step is complete. If that fails, the file's length shows it, too."""
        self._length = length
        with suppress(StateError):
            self._journal.finish(self.path, length)

    def _follow(self) -> None:
        """Begin a new file where the old one was moved away (by a log rotation, say)."""
        if not self._named():
            log.warning("output file %s was moved away; starting a new one", self.path)
            self._begin()
        elif os.fstat(self._fd).st_size < self._length:
            log.warning(
                "output file %s was truncated; continuing at its end; lines written while it was "
                "being copied are lost: have it renamed instead (logrotate: create, not "
                "copytruncate)",
                self.path,
            )

    def _named(self) -> bool:
        """Whether the path still names the file that is open."""
        ours = os.fstat(self._fd)
        try:
            there = os.stat(self.path)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def _begin(self) -> None:
        try:
            fd = self._open()
        except (UnusableError, LockedError) as error:
            raise OutputGoneError(error.what, where=error.where, do=error.do) from None
        os.close(self._fd)
        self._fd = fd
        lock_file(fd, f"output file {self.path}", "writes a file")  # in case both are the same file

    def _rotate(self, adding: int) -> None:
        """Rename the file if that is due, and begin a new one. Raises StateError.

        The new name is recorded in the state first, so that no name is used twice.
        """
        found = os.fstat(self._fd)
        if self._rotation is None or not self._rotation.due(found, adding, self._clock.now()):
            return
        step, names = self._journal.step(self.path), self._given_names()
        if step and step.lines:
            self._journal.finish(self.path, self._length)
        try:
            name = next_name(self.path, found.st_mtime, names)
            names = [*names, os.path.basename(name)][-_NAMES:]
            given = os.fsencode("\0".join(names))
            record = Step(self._rotations, found.st_dev, found.st_ino, found.st_size, given)
            self._journal.commit(record)
            os.rename(self.path, name)
        except OSError as error:
            log.warning("output file %s cannot be rotated: %s", self.path, error.strerror)
            return
        log.info("output file %s: rotated to %s", self.path, os.path.basename(name))
        self._names = names
        self._begin()
        self._prune(names)

    def _given_names(self) -> list[str]:
        """The names of rotated files, in order; helr 0.1 recorded only the last path."""
        if self._names is None:
            last = self._journal.step(self._rotations)
            given = os.fsdecode(last.lines).split("\0") if last else []
            self._names = [os.path.basename(name) for name in given]
        return self._names

    def _prune(self, names: list[str]) -> None:
        if self._rotation is None or self._rotation.keep is None:
            return
        try:
            for file in prune(self.path, self._rotation.keep, names):
                log.info("output file %s: deleted", file)
        except OSError as error:
            log.warning(
                "output file %s: old files cannot be deleted: %s", self.path, error.strerror
            )

    def _rotated(self, step: Step) -> bool:
        """Whether that step's file is the one that helr itself rotated last."""
        last = self._journal.step(self._rotations)
        return last is not None and (last.device, last.inode) == (step.device, step.inode)

    def _append(self, source: str, checkpoint: Checkpoint | None, lines: bytes) -> None:
        """Record a step, append it, and record that. Raises StateError, OutputGoneError.

        The synced commit may take long, and another program may move the file away during it; then
        the step is recorded for the new file. If the file is moved between the two checks of an
        append, helr cannot know whether the program that compresses and deletes it has read the
        step, so the step is appended again.
        """
        step = self._record(source, checkpoint, lines)
        for _ in range(_ATTEMPTS):
            if self._named() and self._write(step):
                with self._breaking():
                    self._sync()
                self._finish(self._length)
                return
            with self._breaking():  # only one step is kept, and no other may replace it now
                self._follow()
                step = self._record("", None, lines)
        self._break("it is moved away whenever helr writes to it", "stop the program that moves it")

    def _record(self, source: str, checkpoint: Checkpoint | None, lines: bytes) -> bytes:
        """Commit a step for the end of the file; returns its bytes. Raises StateError.

        They begin with a line break if another program left half a line there.
        """
        with self._breaking():
            found = os.fstat(self._fd)
            last = os.pread(self._fd, 1, max(found.st_size - 1, 0))
        step = lines if last in (b"", b"\n") else b"\n" + lines
        record = Step(self.path, found.st_dev, found.st_ino, found.st_size, step)
        self._journal.commit(record, source, checkpoint)
        return step

    def _write(self, step: bytes) -> bool:
        """Append the bytes; whether they are in the file that the path names."""
        view = memoryview(step)
        with self._breaking():
            while view:
                view = view[os.write(self._fd, view) :]
            end = os.lseek(self._fd, 0, os.SEEK_CUR)  # where O_APPEND put their end
            if self._named() and os.fstat(self._fd).st_size >= end:
                self._length = end
                return True
        log.warning(
            "output file %s was moved away or truncated while helr was writing to it: "
            "the last %d lines are written again and may be duplicated",
            self.path,
            step.count(b"\n"),
        )
        return False

    def _sync(self) -> None:
        """Raises OSError, except if the file system has no sync, which is logged once."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            if error.errno not in _NO_SYNC:
                raise
            if self._syncs:
                log.warning(
                    "output file %s: its file system cannot sync it (%s): a power failure could "
                    "lose the last lines; write to a local disk",
                    self.path,
                    error.strerror,
                )
            self._syncs = False

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """After a failed append, the file is not used until the next start, which completes it.

        Raises OutputGoneError.
        """
        try:
            yield
        except OSError as error:
            self._break(str(error.strerror), _ADVICE.get(error.errno or 0, "fix the cause"))
        except StateError as error:
            self._break(f"{error.where}: {error.what}", error.do or "fix the cause")

    def _break(self, why: str, advice: str) -> None:
        self._broken = OutputGoneError(
            f"{why}; missing lines are appended at the next start",
            where=self._place,
            do=f"{advice}, then start helr again",
        )
        self.check_whole()

    def check_whole(self) -> None:
        """Nothing may follow an incomplete step until the next start."""
        if self._broken:
            raise self._broken

    def watch(self) -> None:
        pass

    def drain(self, seconds: float) -> None:
        self._turn.acquire(timeout=seconds)

    def unconfirmed(self) -> int:
        return 0

    def finish(self) -> float:
        return 0

    def close(self) -> None:
        """Release the file for another helr."""
        os.close(self._fd)


class _Lane:
    def __init__(self, output: FileOutput, state: SourceState) -> None:
        self._output = output
        self._state = state

    def ready(self) -> None:
        self._output.check_whole()

    def deliver(self, lines: Iterable[bytes], checkpoint: Checkpoint) -> None:
        self._output.deliver(self._state, b"".join(lines), checkpoint.rest(0, 0))

    def record(self, checkpoint: Checkpoint) -> None:
        self._output.deliver(self._state, b"", checkpoint)

    def rebase(self, everything: Checkpoint | None) -> None:
        if everything:
            self._state.commit([everything])


def complete_others(store: Store, path: str | None, clock: Clock) -> None:
    """Complete the last steps of output files other than this run's.

    Their checkpoints are already recorded, so nothing else would ever deliver the missing lines.
    """
    own = path and os.path.realpath(path)
    for other in store.journal.unfinished():
        if other == own:
            continue
        try:
            FileOutput(other, store, clock).close()
        except LockedError:
            continue  # another helr is writing it
        except (OutputGoneError, UnusableError, StateError) as error:
            log.warning(
                "output file %s: its last events are missing until helr can write to it, or runs "
                "with -o %s: %s",
                other,
                other,
                error.text,
            )
        else:
            log.info("output file %s: its last lines, which were missing, were appended", other)
