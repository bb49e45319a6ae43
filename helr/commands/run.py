"""`helr run`: collect, once or until a signal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from helr.clock import Clock
from helr.engine import assemble
from helr.engine.event_log import log_event
from helr.engine.events import Event
from helr.engine.scheduler import STATE_TRIES, Scheduler, within
from helr.errors import UnusableError
from helr.http.client import Client
from helr.model import Config, Source
from helr.output.open import check_stdout, open_output
from helr.signals import Stopping
from helr.state import Store, open_store

if TYPE_CHECKING:
    from helr.output.rotation import Rotation
    from helr.recording.recorder import Recorder
    from helr.recording.replayer import Replay
    from helr.terminal import LiveLine

_LIVE_SECS = 0.2  # a terminal that is stopped (Ctrl-S) takes nothing


class Options(Struct, frozen=True):
    """What the command line says of a run. `sources`: their names, all when none is given.

    With `record_dir` the responses are kept there; with `replay_dir` they come from there, and
    neither state nor lock is touched.
    """

    once: bool = False
    sources: Sequence[str] = ()
    output: str | None = None
    rotation: Rotation | None = None
    record_dir: str | None = None
    replay_dir: str | None = None


def run(config: Config, options: Options, stopping: Stopping, live: LiveLine | None = None) -> int:
    """Poll; the exit status. Raises UnusableError, LockedError, OutputGoneError, StateError."""
    if options.output is None:
        check_stdout()
    clock = Clock() if live is None else live.clock
    sources = [config.sources[name] for name in dict.fromkeys(options.sources or config.sources)]
    _check_own_files(config, options, sources, writes=True)
    mode = _mode(sources, options)
    store = _open_store(config, options, mode.store, sources, clock)

    def observe(event: Event) -> None:
        log_event(event)
        if live is not None:
            live.hear(event)

    output = open_output(
        options.output,
        options.rotation,
        0 if options.replay_dir is not None else config.globals.settle_secs,
        store,
        clock,
        lambda error: scheduler.gone(error),
        state_tries=STATE_TRIES if options.once else None,
    )
    if options.output is not None:  # once more, now that all are open: a file may have many names
        _check_own_files(config, options, sources)
    mode.begin(store)
    scheduler = assemble.scheduler(
        sources, store, output, clock=clock, connect=mode.connect, observe=observe
    )
    status = _schedule(scheduler, stopping, options, live)
    if clock.stopping:
        os._exit(status)  # threads may still be at work; none of them is waited for
    status |= mode.finish()
    store.close()
    return status


def _open_store(
    config: Config, options: Options, given: Store | None, sources: list[Source], clock: Clock
) -> Store:
    """The state, held and known to be writable, with what other runs left undone done."""
    store = given or open_store(config.globals.state)
    for source in sources:
        store.lease(source.name)
    store.check_writable()
    if store.journal.unfinished():
        from helr.output.file import complete_others

        complete_others(store, options.output, clock)
    return store


def _schedule(
    scheduler: Scheduler, stopping: Stopping, options: Options, live: LiveLine | None
) -> int:
    stopping.ask = scheduler.stop
    if live is None:
        return scheduler.run(once=options.once)
    live.start()
    try:
        return scheduler.run(once=options.once)
    finally:
        within(_LIVE_SECS, live.stop)


def _check_own_files(
    config: Config, options: Options, sources: list[Source], *, writes: bool = False
) -> None:
    """Raise UnusableError when something would be written into a file of helr's own."""
    directory = options.record_dir or options.replay_dir
    if options.output is None and directory is None:
        return  # standard output was checked when the config was loaded
    from helr.output import own_files

    recordings: list[str] = []
    if directory is not None:
        from helr.recording import folder

        recordings = [folder(directory, source.name) for source in sources]
    if options.output is not None:
        own_files.check_output(options.output, config, recordings)
    if recordings:
        own_files.check_standard(config, recordings)
    if writes and options.record_dir is not None:
        own_files.check_recordings(recordings, config)


class _Live:
    """What a recording or a replay does, for a run that is neither."""

    store = None
    connect = Client

    def begin(self, store: Store) -> None:
        pass

    def finish(self) -> int:
        return 0


def _mode(sources: list[Source], options: Options) -> _Live | Recorder | Replay:
    if options.record_dir is None and options.replay_dir is None:
        return _Live()
    if not options.once:
        raise UnusableError(
            "--record-dir and --replay-dir need --once: a recording holds one poll of each source"
        )
    if options.record_dir is not None:
        from helr.recording.recorder import Recorder

        return Recorder(options.record_dir, sources)
    from helr.recording.replayer import Replay

    assert options.replay_dir is not None
    return Replay(options.replay_dir, sources, every=not options.sources)
