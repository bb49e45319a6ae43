"""A poll's budget: pages, bytes and time, and what a poll says that it has done."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from helr.engine.assemble import scheduler
from helr.engine.poll import Budget
from helr.engine.position import Fresh
from helr.engine.watermark import Times
from helr.errors import StateError
from helr.http.client import Client
from helr.messages import Request, Response
from helr.model import Dedupe, Pagination, Resilience, Source, Timeouts
from helr.output.file import FileOutput
from helr.page.page import Page
from helr.pagination import LAST, More
from helr.pytest_plugin import FakeClock
from helr.state.sqlite import SqliteStore
from tests.unit.support import URL, make_source, respond


def source(pages: int = 100, secs: float | None = None, **changes: object) -> Source:
    limits = Resilience(Timeouts(1, 1, 1, poll_tick_secs=secs))
    return make_source(pagination=Pagination(max_pages=pages), resilience=limits, **changes)


def page(events: int = 3, size: int = 100, more: bool = True) -> Page:
    return Page(respond(), raws=[b"{}"] * events, size=size, next=More("c") if more else LAST)


def fresh(reached: float | None = None) -> Fresh:
    times = None if reached is None else Times([reached], [reached])
    return Fresh(None, [], times)


def test_a_summary_adds_the_pages_up(fake_clock: FakeClock) -> None:
    budget = Budget(source(), fake_clock)
    budget.spend(page(3), fresh(50.0), 2)
    budget.spend(page(4, more=False), fresh(), 0)  # without a time: as far back as before
    done = budget.summary
    assert (done.pages, done.bytes, done.events, done.delivered) == (2, 200, 7, 2)
    assert (done.more, done.reached) == (False, 50.0)


def test_max_pages_ends_it(fake_clock: FakeClock) -> None:
    budget = Budget(source(pages=2), fake_clock)
    assert budget.exhausted(0) is None
    budget.spend(page(), fresh(), 3)
    assert budget.exhausted(0) is None
    budget.spend(page(), fresh(), 3)
    assert budget.exhausted(0) == "max_pages"
    assert budget.summary.more


@pytest.mark.parametrize(("size", "limit"), [(499, None), (500, "max_bytes"), (501, "max_bytes")])
def test_max_bytes_counts_whole_pages(size: int, limit: str | None, fake_clock: FakeClock) -> None:
    budget = Budget(source(max_bytes=500), fake_clock)
    budget.spend(page(size=size), fresh(), 3)
    assert budget.exhausted(0) == limit


def test_poll_tick_secs_counts_the_wait_before_the_next_page(fake_clock: FakeClock) -> None:
    budget = Budget(source(secs=60), fake_clock)
    fake_clock.time += 50
    assert budget.exhausted(9) is None
    assert budget.exhausted(10) == "poll_tick_secs"
    fake_clock.ahead = 3600  # someone sets the wall clock
    assert budget.exhausted(0) is None


def test_without_it_a_poll_may_take_any_time(fake_clock: FakeClock) -> None:
    budget = Budget(replace(source(), max_bytes=None), fake_clock)
    fake_clock.time += 1e6
    assert budget.exhausted(1e6) is None


class Api(Client):
    """All events that there are, in one page."""

    ids: list[str] = []  # noqa: RUF012 - there is one client

    def send(self, request: Request) -> Response:
        events = [{"id": name} for name in self.ids]
        body = json.dumps({"items": events}).encode()
        return Response(request, URL, "/logs", 200, {}, body, self.clock.now())


@pytest.mark.parametrize("step", ["load", "commit"])
def test_a_deleted_state_is_written_again_though_that_failed_at_first(
    tmp_path: Path, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "state.db"
    store = SqliteStore(str(path))
    output = FileOutput(str(tmp_path / "out"), store, fake_clock)
    one = make_source(dedupe=Dedupe("id"))
    (made,) = scheduler([one], store, output, clock=fake_clock, connect=Api).pollers
    Api.ids = ["e1", "e2"]
    assert made.poll().delivered == 2
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    Api.ids = ["e1", "e2", "e3"]

    def locked(*_: object) -> None:
        raise StateError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(store, step, locked)
        with pytest.raises(StateError, match="locked"):
            made.poll()
    assert made.poll().delivered == 1
    assert sorted(store.source(one.name).ids()) == ["e1", "e2", "e3"]
    assert store.source(one.name).load().values["url"] == URL
    store.close()


class Pages(Client):
    """Three pages, and how many of them were in memory when each was requested."""

    in_memory: list[int] = []  # noqa: RUF012 - there is one client

    def send(self, request: Request) -> Response:
        gc.collect()  # what other tests left
        self.in_memory.append(sum(type(it) is Page for it in gc.get_objects()))
        count = len(self.in_memory)
        after = {"next": f"c{count}"} if count < 3 else {}
        body = json.dumps({"items": [{"id": f"e{count}"}], **after}).encode()
        return Response(request, URL, "/logs", 200, {}, body, self.clock.now())


def test_a_page_is_freed_before_the_next_is_requested(
    tmp_path: Path, fake_clock: FakeClock
) -> None:
    store = SqliteStore(str(tmp_path / "state.db"))
    output = FileOutput(str(tmp_path / "out"), store, fake_clock)
    options = {"cursor_param": "cursor", "cursor_path": "next"}
    one = make_source(pagination=Pagination("cursor", options=options))
    (made,) = scheduler([one], store, output, clock=fake_clock, connect=Pages).pollers
    assert made.poll().delivered == 3
    assert Pages.in_memory == [Pages.in_memory[0]] * 3
    store.close()
