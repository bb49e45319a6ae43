"""A source polled for a week of virtual time: memory, state and marks stay bounded.

SOAK_POLLS=100000 for the whole week (a poll every six seconds); the suite takes a shorter one.
"""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helr.clock import Clock
from helr.engine.poll import Poller
from helr.http.messages import Request, Response
from helr.model import Dedupe, IncrementalFrom, Resilience, Source, Timeouts
from helr.output.stream import Stream, StreamOutput
from helr.state.sqlite import SqliteStore

POLLS = int(os.environ.get("SOAK_POLLS", "2500"))
URL = "https://api.example.com/logs"


class WeekClock(Clock):
    """Sleeping is free."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1_700_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.check()
        self.time += seconds


class Api:
    """Three new events before each answer; `oldest` is inclusive, the newest come first."""

    def __init__(self, clock: WeekClock) -> None:
        self.clock = clock
        self.made = 0
        self.recent: list[dict[str, Any]] = []

    def check_held(self) -> None:
        pass

    def pause(self) -> tuple[float, str]:
        return 0.0, ""

    def fetch(self, request: Request, decode: Callable[[Response], Any], **_: Any) -> Any:
        for _number in range(3):
            self.made += 1
            event = {"id": f"event-{self.made}", "at": int(self.clock.time), "x": "y" * 100}
            self.recent.insert(0, event)
        oldest = int(dict(request.params).get("oldest", 0))
        self.recent = [event for event in self.recent if event["at"] >= oldest]
        body = json.dumps({"entries": self.recent}).encode()
        return decode(Response(request, URL, "/logs", 200, {}, body, self.clock.time))


@pytest.mark.unmeasured
def test_a_week_of_polls_leaves_no_trace_but_its_events(tmp_path: Path) -> None:
    source = Source(
        name="s",
        url=URL,
        resilience=Resilience(Timeouts(1, 1, 1)),
        incremental_from=IncrementalFrom("oldest_ts", "at", "oldest"),
        dedupe=Dedupe("id", capacity=500),
    )
    clock = WeekClock()
    api = Api(clock)
    store = SqliteStore(str(tmp_path / "state.db"))
    with (tmp_path / "out").open("wb") as out:
        output = StreamOutput(Stream(out.fileno(), clock), store, clock, 0, lambda error: None)
        poller = Poller(source, api, output, store, clock)  # type: ignore[arg-type]
        tracemalloc.start()
        early = 0
        for poll in range(POLLS):
            assert poller.poll().delivered == 3
            clock.sleep(6)
            if poll == POLLS // 4:
                early = tracemalloc.get_traced_memory()[0]
        late = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert late - early < 200_000
    assert len(poller.progress.edge.marks) <= 6
    assert len(store.ids("s")) <= 500 + 256
    assert (tmp_path / "state.db").stat().st_size < 500_000
    assert len((tmp_path / "out").read_bytes().splitlines()) == api.made == 3 * POLLS
