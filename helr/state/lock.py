"""One helr at a time: a lock that ends with its process, even by a kill, and shows its pid.

A POSIX record lock, because F_GETLK names the process that holds it (fcntl(2)). It is dropped
when this process closes any descriptor of the file, so nothing else here may open the file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

from helr.errors import LockedError, StateError, UnusableError

_FLOCK = "hhqqi4x"  # struct flock on 64-bit Linux: type, whence, start, len, pid


def lock_path(state_path: str, source: str) -> str:
    """The lock file of a source, beside the state file."""
    safe = "".join(
        char if char.isalnum() or char in "-_." else f"%{ord(char):x}" for char in source
    )
    return f"{os.path.realpath(state_path)}.{safe}.lock"


def lock_source(state_path: str, source: str) -> int:
    """Lock a source until this process ends; returns the open descriptor.

    Raises LockedError when another helr has locked it, StateError when the file cannot be created,
    UnusableError when its name is too long, or it is a link or not a regular file.
    """
    path = lock_path(state_path, source)
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            what = "a symbolic link" if error.errno == errno.ELOOP else "a directory"
            raise UnusableError(
                f"it is {what}", where=f"lock file {path}", do="remove it"
            ) from None
        kind = UnusableError if error.errno == errno.ENAMETOOLONG else StateError
        raise kind(
            str(error.strerror),
            where=f"lock file {path}",
            do="make the directory of global.state.path writable for helr",
        ) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise UnusableError("it is not a regular file", where=f"lock file {path}", do="remove it")
    lock_file(fd, f"source {source}", "collects a source", f"lock file {path}")
    return fd


def lock_file(fd: int, what: str, alone: str, place: str = "") -> None:
    """Lock an open file. `what` it represents, what one helr `alone` does with it, and its `place`.

    Raises LockedError that names the other process, and UnusableError where there are no locks (NFS
    without a lock daemon, some FUSE and shared folders): a second helr would go unnoticed there.
    """
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EAGAIN):  # fcntl(2): it is locked
            raise UnusableError(
                f"cannot be locked ({error.strerror}): its file system has no working file locks",
                where=place or what,
                do="choose a path on a local disk",
            ) from None
        pid = _holder(fd)
        by = f" (process {pid})" if pid else ""
        raise LockedError(
            f"locked by another helr{by}; only one helr at a time {alone}",
            where=what,
            do="wait until it ends, or stop it",
        ) from None


def _holder(fd: int) -> int:
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        found = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    except OSError:
        return 0
    return int(found[4]) if found[0] != fcntl.F_UNLCK else 0
