"""Position: what of a page is fresh, chain after chain, without dedupe."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from helr.engine.position import Position
from helr.messages import Response
from helr.model import Dedupe, IncrementalFrom, Source
from helr.page.decoder import Decoder
from helr.pagination.cursor import Cursor
from helr.state.records import Stored
from tests.unit.support import QUICK

URL = "https://api.example/logs"
NOW = 1_700_000_000
SOURCE = Source(
    name="s",
    url=URL,
    resilience=QUICK,
    incremental_from=IncrementalFrom("since", "at", "since"),
)


class Engine:
    """Takes pages in and gives the names of the fresh events, as if each was delivered."""

    def __init__(self, source: Source = SOURCE) -> None:
        pagination = Cursor("cursor", "next")
        self.position = Position(source, pagination, Stored(), list)
        self.decode = Decoder(source, pagination, self.position.paths)

    @property
    def start(self) -> float:
        """Where the next chain begins."""
        return float(dict(self.position.next_request().params)["since"])

    def take(self, received: float, events: dict[str, float], cursor: str = "") -> list[str]:
        request = self.position.next_request()
        body: Any = [{"name": name, "at": at} for name, at in events.items()]
        body = json.dumps({"events": body, "next": cursor}).encode()
        page = self.decode(Response(request, URL, "/logs", 200, {}, body, received))
        fresh = self.position.fresh(page)
        self.position.adopt(self.position.after(page, fresh))
        names = list(events)
        return names if fresh.keep is None else [names[index] for index in fresh.keep]


def test_events_ahead_of_our_clock_come_once_though_the_next_chain_has_two_pages() -> None:
    engine = Engine()
    assert engine.take(NOW, {"a": NOW - 9}) == ["a"]
    assert engine.take(NOW, {"b": NOW + 2, "a": NOW - 9}) == ["b"]
    assert engine.take(NOW + 5, {"c": NOW + 4}, "page-2") == ["c"]
    assert engine.take(NOW + 5, {"b": NOW + 2, "a": NOW - 9}) == []
    assert set(engine.position.edge.marks) == {NOW + 4}, "what is behind the edge is forgotten"


def test_an_event_later_in_the_second_in_which_it_came_comes_once() -> None:
    engine = Engine()
    assert engine.take(NOW + 0.2, {"a": NOW + 0.9}) == ["a"]
    assert engine.take(NOW + 3, {"a": NOW + 0.9}) == []


LOOKING_BACK = replace(SOURCE, incremental_from=IncrementalFrom("since", "at", "since", 60))


def test_after_a_long_oldest_first_chain_the_lookback_counts_from_its_first_page() -> None:
    """An event 50 s late, shown while the chain's later pages are read, is asked for again."""
    engine = Engine(LOOKING_BACK)
    engine.take(NOW, {"a": NOW - 9}, "page-2")
    engine.take(NOW + 3600, {"b": NOW + 3599})
    assert engine.start == NOW - 60
    engine.take(NOW + 3601, {"c": NOW + 3600})
    assert engine.start == NOW + 3540, "a chain of one page looks back from its newest event"


def test_the_lookback_begins_earlier_where_dedupe_drops_all_that_comes_again() -> None:
    """Whatever the API's clock says: not later than the newest event of the first page."""
    engine = Engine(replace(LOOKING_BACK, dedupe=Dedupe("name", capacity=2)))
    engine.take(NOW, {"a": 100}, "page-2")
    engine.take(NOW + 1, {"b": 900})
    assert engine.start == 40
    engine.take(NOW + 2, {"a": 100}, "page-2")
    engine.take(NOW + 2, {"b": 900, "c": 1000}, "page-3")
    engine.take(NOW + 3, {"d": 1100})
    assert engine.start == 1040, "four events are more than dedupe remembers"


def test_a_newest_first_chain_looks_back_from_its_newest_event() -> None:
    engine = Engine(LOOKING_BACK)
    engine.take(NOW + 5, {"b": NOW}, "page-2")
    engine.take(NOW + 3600, {"a": NOW - 9})
    assert engine.start == NOW - 60
