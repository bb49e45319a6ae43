"""`helr test`: fetch a source's next page and print it, without changing any state.

Events go to standard output, the report to standard error.
"""

from __future__ import annotations

import os
import sys
import threading
from math import inf

from helr.clock import Clock
from helr.engine.assemble import parts
from helr.errors import HeldError, StateError
from helr.http.circuit_breaker import Breaker
from helr.http.retry_after import Note
from helr.lines.envelope import Lines
from helr.log import for_source
from helr.messages import Request, Response
from helr.model import Config, Source, State
from helr.page.page import Page
from helr.pagination import More
from helr.state import open_store, peek
from helr.state.memory import MemoryStore
from helr.state.records import BREAKER, RETRY_AFTER, Stored
from helr.timestamps import instant, rfc3339
from helr.vendors import hints


def run(config: Config, name: str) -> int:
    """The exit status. Raises PollError when the API's answer is not a page of events."""
    source = config.sources[name]
    stored, clock = peek(config.globals.state, name), Clock()
    breaker = Breaker(source.resilience.circuit_breaker, clock, stored.values.get(BREAKER))
    without = {key: value for key, value in stored.values.items() if key != BREAKER}
    retry, decode, position, lines = parts(
        source,
        Stored(without, stored.marks),
        MemoryStore().source(name),
        _note(config.globals.state, name),
        clock=clock,
        slots=threading.BoundedSemaphore(1),
    )
    try:
        retry.check_held()
    except HeldError as error:
        _say("held", f"{error.text}; nothing was requested")
        return error.exit_status
    _tell_breaker(name, breaker)
    request = position.next_request()
    _say("request", _shown(request))
    for attempt in retry.attempts():
        with attempt:
            response = attempt.send(request)
            _told(response)
            page = decode(response, looks_for_more=True)
            break
    _report(source, request, page)
    position.fresh(page)  # what does not fit the config is a warning of its own
    for reject in page.rejects:
        _say("set aside", f"{reject.place} {reject.why}")
    sys.stdout.flush()
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.writelines(lines.build(page)[0])
    return 0


def _note(state: State, name: str) -> Note:
    """Only a Retry-After is kept for the next process, because it is the server's word."""

    def note(key: str, value: str | None) -> None:
        if key != RETRY_AFTER or state.backend == "memory":
            return
        try:
            store = open_store(state)
        except StateError as error:  # what the API said comes first
            for_source(name).warning("%s: %s; a run will not know it", key, error.text)
            return
        store.source(name).note(key, value)
        store.close()

    return note


def _tell_breaker(name: str, breaker: Breaker) -> None:
    """An open breaker keeps runs from asking, not a person who has just put something right."""
    until = breaker.blocked_until()
    if until is not None:
        _say(
            "breaker",
            f"open until {rfc3339(int(until))}: a run requests nothing before that, this does; "
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


def _told(response: Response) -> None:
    _say("status", f"HTTP {response.status}, {len(response.body)} bytes")
    _say("time", f"{response.elapsed:.3f} s")
    for header, value in response.headers.items():
        if "ratelimit" in header.lower().replace("-", "") or "retry-after" in header.lower():
            _say("rate limit", f"{header}: {value}")


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
    _say("next page", "yes" if isinstance(page.next, More) else f"no{_doubt(source, page)}")


def _doubt(source: Source, page: Page) -> str:
    """A wrong cursor_path looks like the last page, which is seldom a full one."""
    from helr.config.warnings import page_size

    if source.pagination.strategy == "none" or len(page.raws) < (page_size(source) or inf):
        return ""
    return (
        ", though this one is full: if there are more events, check `pagination`, which found "
        "nothing that leads to them"
    )
