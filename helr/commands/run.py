"""`helr run`: collect, once or until a signal."""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Callable, Sequence
from types import FrameType

from helr.clock import Clock
from helr.collector import Collector
from helr.config.model import Config
from helr.errors import OutputGoneError, StateError, UnusableError
from helr.output import Output
from helr.state import Store, open_store
from helr.state.lock import hold_source

_locks: list[int] = []  # held until the process ends


def run(config: Config, names: Sequence[str], *, once: bool, output_path: str | None) -> int:
    """Poll the named sources (all, when none is named); the exit status.

    Raises UnusableError, LockedError, OutputGoneError.
    """
    clock = Clock()
    stopping = _Stopping(clock)
    sources = [config.sources[name] for name in names or config.sources]
    store = open_store(config.globals.state)
    if store.durable:
        _locks.extend(hold_source(config.globals.state.path, source.name) for source in sources)
    try:
        store.prove()
        output = _open_output(output_path, config, store, clock, stopping.gone)
        collector = Collector(sources, output, store, clock)
    except StateError as error:
        raise UnusableError(str(error)) from None
    stopping.collector = collector
    status = collector.run(once=once)
    store.close()
    return status


class _Stopping:
    """SIGTERM and SIGINT ask for a stop; a second one ends the process at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.collector: Collector | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._clock.stopping:
            os._exit(128 + number)
        self._clock.stop()
        if self.collector is None:
            os._exit(0)  # nothing was polled yet
        self.collector.stop(number)

    def gone(self, error: OutputGoneError) -> None:
        if self.collector is not None:
            self.collector.gone(error)


def _open_output(
    path: str | None,
    config: Config,
    store: Store,
    clock: Clock,
    gone: Callable[[OutputGoneError], None],
) -> Output:
    if path is not None and _regular(path):
        from helr.output.file import FileOutput

        return FileOutput(path, store, clock)
    from helr.output.stream import Stream, StreamOutput

    fd = sys.stdout.fileno() if path is None else _open_device(path, clock)
    stream = Stream(fd, clock, path or "standard output")
    return StreamOutput(stream, store, clock, config.globals.settle_secs, gone)


def _regular(path: str) -> bool:
    """Whether the path is a regular file, or will be one."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def _open_device(path: str, clock: Clock) -> int:
    """A FIFO or a device, opened without hanging on a FIFO that nobody reads yet."""
    import errno

    while True:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO:
                clock.sleep(0.1)
                continue
            raise UnusableError(f"output {path}: {error.strerror}: name a file or a FIFO") from None
        os.set_blocking(fd, True)
        return fd
