"""`helr test`: ask a source what its next poll would ask, and say what a person wants to know.

Reads the state and never moves it. Events go to standard output, the report to standard error.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from math import inf

from helr.clock import Clock
from helr.engine.position import Progress
from helr.errors import HeldError, StateError
from helr.http import Request, Response, Transport
from helr.http.circuit_breaker import Breaker
from helr.lines.envelope import Lines
from helr.log import for_source
from helr.model import Config, Source, State
from helr.page.decoder import Decoder, Page
from helr.pagination import open_paginator
from helr.state import SourceNotes, open_store, peek
from helr.state.memory import MemoryStore
from helr.timestamps import instant, rfc3339
from helr.vendors import hints


def run(config: Config, name: str) -> int:
    """The exit status. Raises PollError when the API's answer is no page of events."""
    source = config.sources[name]
    stored = peek(config.globals.state, name)
    paginator = open_paginator(source.pagination)
    progress = Progress(source, paginator, stored, list)
    lines = Lines(source)
    decode = Decoder(source, paginator.cursor_path, [*progress.paths, *lines.paths])
    values = dict(stored.values)
    clock = Clock()
    breaker = Breaker(source.resilience.circuit_breaker, clock, values.pop("breaker", None))
    notes = _Notes(config.globals.state, name, values)
    slots = threading.BoundedSemaphore(1)
    transport = Transport(source, clock=clock, notes=notes, slots=slots)
    try:
        transport.check_held()
    except HeldError as error:
        _say("held", f"{error}; nothing was asked")
        return error.exit_status
    _tell_breaker(name, breaker)
    request = progress.request()
    _say("request", _shown(request))
    decode.looks_for_more = True
    page = transport.fetch(request, lambda response: _told(response, decode))
    _report(source, request, page)
    progress.fresh(page)  # what does not fit the config is a warning of its own
    for reject in page.rejects:
        _say("set aside", f"{reject.place} {reject.why}")
    sys.stdout.flush()
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.writelines(lines.build(page)[0])
    return 0


class _Notes(SourceNotes):
    """Only a Retry-After is kept for the next process, because it is the server's word."""

    def __init__(self, state: State, name: str, values: Mapping[str, str]) -> None:
        super().__init__(MemoryStore(), name, values)
        self._state = state

    def set(self, key: str, value: str | None) -> None:
        if key == "hold" and value != self.get(key) and self._state.backend == "sqlite":
            self._keep(key, value)
        super().set(key, value)

    def _keep(self, key: str, value: str | None) -> None:
        try:
            store = open_store(self._state)
        except StateError as error:  # what the API said comes first
            for_source(self._source).warning("%s: %s; a run will not know it", key, error)
            return
        SourceNotes(store, self._source, self._values).set(key, value)
        store.close()


def _tell_breaker(name: str, breaker: Breaker) -> None:
    """An open breaker keeps runs from asking, not a person who has just put something right."""
    until = breaker.blocked_until()
    if until is not None:
        _say(
            "breaker",
            f"open until {rfc3339(int(until))}: a run asks nothing before that, this does; "
            f"`helr state reset {name} --hold` closes it",
        )


def _say(what: str, text: str) -> None:
    from helr.log import printable

    print(printable(f"{what + ':':12} {text}"), file=sys.stderr)


def _shown(request: Request) -> str:
    from helr.recording import scrub
    from helr.urls import safe_url

    query = scrub.query(request)
    return f"GET {safe_url(request.url)}" + (f"?{query}" if query else "")


def _told(response: Response, decode: Decoder) -> Page:
    _say("status", f"HTTP {response.status}, {len(response.body)} bytes")
    _say("time", f"{response.elapsed:.3f} s")
    for header, value in response.headers.items():
        if "ratelimit" in header.lower().replace("-", "") or "retry-after" in header.lower():
            _say("rate limit", f"{header}: {value}")
    return decode(response)


def _report(source: Source, request: Request, page: Page) -> None:
    _say("events", str(len(page.raws)))
    if not page.raws and (advice := hints.no_events(source, request)):
        _say("no events", advice)
    path = source.incremental_from and source.incremental_from.event_timestamp_path
    columns = [path] if path else Lines(source).time_fields
    times = [at for column in columns for at in map(instant, page.column(column)) if at is not None]
    if times:
        _say("newest", rfc3339(max(times)))
        _say("oldest", rfc3339(min(times)))
    _say("next page", "yes" if page.cursor else f"no{_doubt(source, page)}")


def _doubt(source: Source, page: Page) -> str:
    """A wrong cursor_path looks like the last page, which is seldom a full one."""
    from helr.config.warnings import page_size

    if source.pagination.strategy != "cursor" or len(page.raws) < (page_size(source) or inf):
        return ""
    return (
        ", though this one is full: if there are more events, check pagination.cursor_path, where "
        "nothing stands"
    )
