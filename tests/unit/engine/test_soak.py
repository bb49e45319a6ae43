"""A source polled for a week of virtual time: memory, state and marks stay bounded.

SOAK_POLLS=100000 for the whole week (a poll every six seconds); the suite takes a shorter one.
"""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from helr.engine.assemble import scheduler
from helr.http.client import Client
from helr.messages import Request, Response
from helr.model import Dedupe, IncrementalFrom, Source
from helr.output.stream import Stream, StreamOutput
from helr.pytest_plugin import FakeClock
from helr.state.sqlite import SqliteStore
from tests.support import FULL
from tests.unit.support import QUICK

POLLS = int(os.environ.get("SOAK_POLLS", "2500" if FULL else "800"))
URL = "https://api.example.com/logs"


class Api(Client):
    """Three new events before each answer; `oldest` is inclusive, the newest come first."""

    made = 0
    recent: list[dict[str, Any]] = []  # noqa: RUF012 - there is one client

    def send(self, request: Request) -> Response:
        for _number in range(3):
            self.made += 1
            event = {"id": f"event-{self.made}", "at": int(self.clock.now()), "x": "y" * 100}
            self.recent.insert(0, event)
        oldest = int(dict(request.params).get("oldest", 0))
        self.recent = [event for event in self.recent if event["at"] >= oldest]
        body = json.dumps({"entries": self.recent}).encode()
        return Response(request, URL, "/logs", 200, {}, body, self.clock.now())


@pytest.mark.unmeasured
def test_a_week_of_polls_leaves_no_trace_but_its_events(tmp_path: Path) -> None:
    source = Source(
        name="s",
        url=URL,
        resilience=QUICK,
        incremental_from=IncrementalFrom("oldest_ts", "at", "oldest"),
        dedupe=Dedupe("id", capacity=500),
    )
    clock = FakeClock()
    store = SqliteStore(str(tmp_path / "state.db"))
    with (tmp_path / "out").open("wb") as out:
        output = StreamOutput(Stream(out.fileno(), clock), clock, 0, lambda error: None)
        (poller,) = scheduler([source], store, output, clock=clock, connect=Api).pollers
        tracemalloc.start()
        early = 0
        for poll in range(POLLS):
            assert poller.poll().delivered == 3
            clock.time += 6
            clock.waits.clear()
            if poll == POLLS // 4:
                early = tracemalloc.get_traced_memory()[0]
        late = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert late - early < 200_000
    assert len(poller.position.edge.marks) <= 6
    assert len(store.source("s").ids()) <= 500 + 256
    assert (tmp_path / "state.db").stat().st_size < 500_000
    assert len((tmp_path / "out").read_bytes().splitlines()) == 3 * POLLS
