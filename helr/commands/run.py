"""`helr run`: collect, once or until a signal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from helr.clock import Clock
from helr.engine.scheduler import STATE_TRIES, Collector, within
from helr.errors import UnusableError
from helr.http import Transport
from helr.model import Config, Source
from helr.output.open import check_stdout, open_output
from helr.signals import Stopping
from helr.state import Store, open_store
from helr.state.lock import hold_source

if TYPE_CHECKING:
    from helr.output.rotation import Rotation
    from helr.recording.recorder import Recorder
    from helr.recording.replayer import Replay
    from helr.terminal import LiveLine

_LIVE_SECS = 0.2  # a terminal that is stopped (Ctrl-S) takes nothing

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
    neither state nor lock is touched. Raises UnusableError, LockedError, OutputGoneError,
    StateError.
    """
    if output_path is None:
        check_stdout()
    clock = Clock() if live is None else live.clock
    sources = [config.sources[name] for name in dict.fromkeys(names or config.sources)]
    recordings = _recordings(sources, record_dir or replay_dir)
    _check_own_files(config, output_path, recordings, writes=record_dir is not None)
    tape = _tape(sources, record_dir, replay_dir, once=once, every=not names)
    store = tape.store or open_store(config.globals.state)
    if store.durable:
        _locks.extend(hold_source(config.globals.state.path, source.name) for source in sources)
    store.prove()
    if store.unfinished():
        from helr.output.file import complete_others

        complete_others(store, output_path, clock)
    settle_secs = 0 if replay_dir is not None else config.globals.settle_secs
    output = open_output(
        output_path,
        rotation,
        settle_secs,
        store,
        clock,
        lambda error: collector.gone(error),
        state_tries=STATE_TRIES if once else None,
    )
    if output_path is not None:  # once more, now that all are open: a file may have many names
        _check_own_files(config, output_path, recordings)
    tape.begin(store)
    collector = Collector(sources, output, store, clock, tape.connect)
    stopping.ask = collector.stop
    if live is not None:
        live.start(collector.summaries)
    try:
        status = collector.run(once=once)
    finally:
        if live is not None:
            within(_LIVE_SECS, live.stop)
    if clock.stopping:
        os._exit(status)  # threads may still be at work; none of them is waited for
    status |= tape.finish()
    store.close()
    return status


def _recordings(sources: list[Source], directory: str | None) -> list[str]:
    """The directories of these sources' recordings."""
    if directory is None:
        return []
    from helr.recording import folder

    return [folder(directory, source.name) for source in sources]


def _check_own_files(
    config: Config, output_path: str | None, recordings: list[str], *, writes: bool = False
) -> None:
    """Raise UnusableError when something would be written into a file of helr's own."""
    if output_path is None and not recordings:
        return  # standard output was checked when the config was loaded
    from helr.output import own_files

    if output_path is not None:
        own_files.check_output(output_path, config, recordings)
    if recordings:
        own_files.check_standard(config, recordings)
    if writes:
        own_files.check_recordings(recordings, config)


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
        from helr.recording.recorder import Recorder

        return Recorder(record_dir, sources)
    if replay_dir is not None:
        from helr.recording.replayer import Replay

        return Replay(replay_dir, sources, every=every)
    return _Live()
