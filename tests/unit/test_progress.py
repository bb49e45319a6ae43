"""helr.progress: what of a page is fresh, chain after chain, without dedupe."""

from __future__ import annotations

import json
from typing import Any

from helr.config.model import IncrementalFrom, Resilience, Source, Timeouts
from helr.page import Decoder
from helr.pagination.cursor import CursorPaginator
from helr.progress import Progress
from helr.state import Stored
from helr.transport.model import Response

URL = "https://api.example/logs"
NOW = 1_700_000_000
SOURCE = Source(
    name="s",
    url=URL,
    resilience=Resilience(timeouts=Timeouts(connect_secs=1, request_secs=1, read_secs=1)),
    incremental_from=IncrementalFrom("since", "at", "since"),
)


class Engine:
    """Takes pages in and gives the names of the fresh events, as if each was delivered."""

    def __init__(self) -> None:
        paginator = CursorPaginator("cursor", "next")
        self.progress = Progress(SOURCE, paginator, Stored(), list)
        self.decode = Decoder(SOURCE, "next", self.progress.paths)

    def take(self, received: float, events: dict[str, float], cursor: str = "") -> list[str]:
        request = self.progress.request()
        body: Any = [{"name": name, "at": at} for name, at in events.items()]
        body = json.dumps({"events": body, "next": cursor}).encode()
        page = self.decode(Response(request, URL, "/logs", 200, {}, body, received))
        fresh = self.progress.fresh(page)
        self.progress.adopt(self.progress.after(request, page, fresh))
        names = list(events)
        return names if fresh.keep is None else [names[index] for index in fresh.keep]


def test_events_ahead_of_our_clock_come_once_though_the_next_chain_has_two_pages() -> None:
    engine = Engine()
    assert engine.take(NOW, {"a": NOW - 9}) == ["a"]
    assert engine.take(NOW, {"b": NOW + 2, "a": NOW - 9}) == ["b"]
    assert engine.take(NOW + 5, {"c": NOW + 4}, "page-2") == ["c"]
    assert engine.take(NOW + 5, {"b": NOW + 2, "a": NOW - 9}) == []
    assert set(engine.progress.edge.marks) == {NOW + 4}, "what is behind the edge is forgotten"


def test_an_event_later_in_the_second_in_which_it_came_comes_once() -> None:
    engine = Engine()
    assert engine.take(NOW + 0.2, {"a": NOW + 0.9}) == ["a"]
    assert engine.take(NOW + 3, {"a": NOW + 0.9}) == []
