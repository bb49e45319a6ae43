"""`helr run`: collect, once or until a signal."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from helr.clock import Clock
from helr.collector import Collector
from helr.config.model import Config, Source
from helr.errors import OutputGoneError, StateError, UnusableError
from helr.output import Output
from helr.state import Store, open_store
from helr.state.lock import hold_source
from helr.stopping import Stopping
from helr.transport import Transport

if TYPE_CHECKING:
    from helr.liveline import LiveLine
    from helr.output.rotate import Rotation
    from helr.recording.record import Recorder
    from helr.recording.replay import Replay

log = logging.getLogger("helr")

_locks: list[int] = []  # held until the process ends


def run(
    config: Config,
    names: Sequence[str],
    stopping: Stopping,
    *,
    once: bool,
    output_path: str | None,
    rotation: Rotation | None = None,
    record_dir: str | None = None,
    replay_dir: str | None = None,
    live: LiveLine | None = None,
) -> int:
    """Poll the named sources (all, when none is named); the exit status.

    With `record_dir` the responses are kept there; with `replay_dir` they come from there, and
    neither state nor lock is touched. Raises UnusableError, LockedError, OutputGoneError.
    """
    if output_path is None:
        _check_stdout()
    clock = Clock() if live is None else live.clock
    sources = [config.sources[name] for name in dict.fromkeys(names or config.sources)]
    tape = _tape(sources, record_dir, replay_dir, once=once, every=not names)
    store = tape.store or open_store(config.globals.state)
    if store.durable:
        _locks.extend(hold_source(config.globals.state.path, source.name) for source in sources)
    try:
        store.prove()
        if store.unfinished():
            from helr.output.file import complete_others

            complete_others(store, output_path, clock)
        settle_secs = 0 if replay_dir is not None else config.globals.settle_secs
        output = _open_output(
            output_path, rotation, settle_secs, store, clock, lambda error: collector.gone(error)
        )
        tape.begin(store)
        collector = Collector(sources, output, store, clock, tape.connect)
    except StateError as error:
        raise UnusableError(str(error)) from None
    stopping.ask = collector.stop
    if live is not None:
        live.start(collector.summaries)
    try:
        status = collector.run(once=once)
    finally:
        if live is not None:
            live.stop()
    if clock.stopping:
        os._exit(status)  # threads may still be at work; none of them is waited for
    status |= tape.finish()
    store.close()
    return status


class _Live:
    """What a recording or a replay does, for a run that is neither."""

    store = None
    connect = Transport

    def begin(self, store: Store) -> None:
        pass

    def finish(self) -> int:
        return 0


def _tape(
    sources: list[Source],
    record_dir: str | None,
    replay_dir: str | None,
    *,
    once: bool,
    every: bool,
) -> _Live | Recorder | Replay:
    if not once and (record_dir is not None or replay_dir is not None):
        raise UnusableError(
            "--record-dir and --replay-dir need --once: a recording holds one poll of each source"
        )
    if record_dir is not None:
        from helr.recording.record import Recorder

        return Recorder(record_dir, sources)
    if replay_dir is not None:
        from helr.recording.replay import Replay

        return Replay(replay_dir, sources, every=every)
    return _Live()


def _open_output(
    path: str | None,
    rotation: Rotation | None,
    settle_secs: float,
    store: Store,
    clock: Clock,
    gone: Callable[[OutputGoneError], None],
) -> Output:
    if path is not None and _regular(path):
        from helr.output.file import FileOutput

        return FileOutput(path, store, clock, rotation)
    if rotation is not None:
        found = f": {path} is none" if path else ""
        raise UnusableError(f"--output-rotate needs -o FILE, and a regular file{found}")
    from helr.output.stream import Stream, StreamOutput

    fd = sys.stdout.fileno() if path is None else _open_device(path)
    stream = Stream(fd, clock, path or "standard output")
    return StreamOutput(stream, store, clock, settle_secs, gone)


def _regular(path: str) -> bool:
    """Whether the path is a regular file, or will be one."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def _open_device(path: str) -> int:
    """A FIFO or a device, opened without hanging on a FIFO that nobody reads yet."""
    waiting = False
    while True:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
                if not waiting:
                    log.info("output %s: nobody reads the FIFO yet; waiting for a reader", path)
                waiting = True
                time.sleep(0.1)  # not the clock's: there is nothing to stop yet
                continue
            raise UnusableError(f"output {path}: {error.strerror}: name a file or a FIFO") from None
        os.set_blocking(fd, True)
        return fd


def _check_stdout() -> None:
    """Raise UnusableError when standard output is closed, or open for reading only."""
    flags = fcntl.fcntl(1, fcntl.F_GETFL) if sys.stdout is not None else os.O_RDONLY
    if flags & os.O_ACCMODE == os.O_RDONLY:
        raise UnusableError(
            "standard output is closed or cannot be written: "
            "connect it to the shipper, or write to a file with -o FILE"
        )
