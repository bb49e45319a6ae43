"""Which output a run has: standard output, a FIFO or device, or a regular file."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import stat
import sys
import time
from typing import TYPE_CHECKING

from helr.clock import Clock
from helr.errors import UnusableError
from helr.output import Gone, Output
from helr.state import Store

if TYPE_CHECKING:
    from helr.output.rotation import Rotation

log = logging.getLogger("helr")


def open_output(
    path: str | None,
    rotation: Rotation | None,
    settle_secs: float,
    store: Store,
    clock: Clock,
    gone: Gone,
    state_tries: int | None = None,
) -> Output:
    """The output at `path`, or standard output; `gone` is called when the output can no longer
    be used; `state_tries` as for StreamOutput. Raises UnusableError, LockedError, StateError."""
    if path is not None and _regular(path):
        from helr.output.file import FileOutput

        return FileOutput(path, store, clock, rotation)
    if rotation is not None:
        found = f", which {path} is not" if path else ""
        raise UnusableError(f"--output-rotate requires -o FILE with a regular file{found}")
    from helr.output.stream import Stream, StreamOutput

    fd = sys.stdout.fileno() if path is None else _open_device(path)
    stream = Stream(fd, clock, path or "standard output")
    return StreamOutput(stream, clock, settle_secs, gone, state_tries)


def check_path(option: str, path: str) -> None:
    """Raise UnusableError for a URL, which would become a file name, and for an empty path."""
    option = f"--{option.replace('_', '-')}"
    if not path:
        raise UnusableError(f"{option} is empty", do="give the path of a file or directory")
    scheme, separator, _ = path.partition("://")
    if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise UnusableError(
            f"{option} {scheme}://…: helr writes only to files and pipes",
            do="give a path, and let a log shipper send the lines on (helr help shippers)",
        )


def _regular(path: str) -> bool:
    """Whether the path is a regular file, or will be one."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def _open_device(path: str) -> int:
    """Open a FIFO or a device without hanging on a FIFO that has no reader yet."""
    waiting = False
    while True:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
                if not waiting:
                    log.info("output %s: the FIFO has no reader yet; waiting for one", path)
                waiting = True
                time.sleep(0.1)  # not the clock's sleep: there is nothing to stop yet
                continue
            raise UnusableError(
                str(error.strerror), where=f"output {path}", do="name a file or a FIFO"
            ) from None
        os.set_blocking(fd, True)
        return fd


def check_stdout() -> None:
    """Raise UnusableError when standard output is closed, or open for reading only."""
    flags = fcntl.fcntl(1, fcntl.F_GETFL) if sys.stdout is not None else os.O_RDONLY
    if flags & os.O_ACCMODE == os.O_RDONLY:
        raise UnusableError(
            "closed, or not open for writing",
            where="standard output",
            do="connect it to the shipper, or write to a file with -o FILE",
        )
