"""From a checked configuration to pollers: the one place that puts a source's parts together, for
a run, a recording, a replay, `helr test` and the tests."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

from helr.clock import Clock
from helr.engine.event_log import log_event
from helr.engine.events import Observer
from helr.engine.poll import Parts, Poller
from helr.engine.position import Position
from helr.engine.rejects import Rejects
from helr.engine.scheduler import Scheduler
from helr.http.circuit_breaker import Breaker
from helr.http.client import Client
from helr.http.retry import Retry
from helr.http.retry_after import Note, RetryAfter
from helr.lines.envelope import Lines
from helr.model import Source
from helr.output import Output
from helr.page.decoder import Decoder
from helr.pagination import open_pagination
from helr.state import SourceState, Store
from helr.state.records import BREAKER, RETRY_AFTER, Stored

PAGES_IN_MEMORY = 4


class Connect(Protocol):
    """Makes the client of a source; a recorder and a replay have their own."""

    def __call__(self, source: Source, *, clock: Clock, slots: threading.Semaphore) -> Client: ...


def parts(
    source: Source,
    stored: Stored,
    state: SourceState,
    note: Note,
    *,
    clock: Clock,
    slots: threading.Semaphore,
    connect: Connect = Client,
) -> Parts:
    """The parts of a source whose position is in `stored`. `note`: records a value at once."""
    client = connect(source, clock=clock, slots=slots)
    saved, clock = stored.values, client.clock
    retry = Retry(
        client,
        RetryAfter(saved.get(RETRY_AFTER), note, clock),
        Breaker(source.resilience.circuit_breaker, clock, saved.get(BREAKER)),
        note,
    )
    pagination, lines = open_pagination(source.pagination), Lines(source)
    position = Position(source, pagination, stored, state.ids)
    decode = Decoder(source, pagination, [*position.paths, *lines.paths])
    return Parts(retry, decode, position, lines)


def poller(
    source: Source,
    store: Store,
    output: Output,
    *,
    clock: Clock,
    slots: threading.Semaphore,
    connect: Connect = Client,
    observe: Observer = log_event,
) -> Poller:
    """The poller of one source. Raises StateError, UnusableError."""
    state = store.source(source.name)
    if not state.is_current():
        state.accept()
    made = parts(source, state.load(), state, state.note, clock=clock, slots=slots, connect=connect)
    rejects = Rejects(source, f"{store.path}.rejected" if store.path else None)
    return Poller(source, made, state, output.lane(state), rejects, observe)


def scheduler(
    sources: Sequence[Source],
    store: Store,
    output: Output,
    *,
    clock: Clock,
    connect: Connect = Client,
    observe: Observer = log_event,
) -> Scheduler:
    """The scheduler of a run's sources, which share the slots for large pages in memory."""
    slots = threading.BoundedSemaphore(PAGES_IN_MEMORY)
    pollers = [
        poller(source, store, output, clock=clock, slots=slots, connect=connect, observe=observe)
        for source in sources
    ]
    return Scheduler(pollers, output, clock, observe)
