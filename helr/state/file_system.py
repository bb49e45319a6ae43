"""What SQLite's write-ahead log needs from a file system, and some do not offer.

SQLite reports "database is locked" or "disk I/O error" for all of it (sqlite.org/wal.html: shared
memory, hence no network file system; unixErr in os_unix.c: ENOLCK becomes SQLITE_BUSY).
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable
from contextlib import suppress

_SIZE = 32_768  # of the -shm file that SQLite maps


def missing(path: str) -> str:
    """What the file system of a state file lacks, and why; "" if nothing, or if it is unknown.

    It is tried on a separate file: opening and closing one of SQLite's would drop SQLite's locks.
    """
    probe = f"{os.path.realpath(path)}.{os.getpid()}-shm"  # named like what SQLite would map
    try:
        fd = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return ""
    try:
        for lack, need in _NEEDS:
            try:
                need(fd)
            except OSError as error:
                return f"{lack} ({error.strerror})"
    finally:
        os.close(fd)
        with suppress(OSError):
            os.unlink(probe)
    return ""


def _lock(fd: int) -> None:
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _map(fd: int) -> None:
    os.truncate(fd, _SIZE)
    mmap.mmap(fd, _SIZE, mmap.MAP_SHARED).close()


_NEEDS: tuple[tuple[str, Callable[[int], None]], ...] = (
    ("has no working file locks", _lock),
    ("has no shared memory (mmap)", _map),
    ("cannot sync a file", os.fsync),
)
