"""What the next request of a source is."""

from __future__ import annotations

from typing import Any

from helr.engine.position import Point, Position
from helr.engine.request import start_of
from helr.messages import Request
from helr.model import IncrementalFrom, Pagination, Source
from helr.pagination import open_pagination
from helr.state.records import Chain, Stored
from tests.unit.support import QUICK

URL = "https://api.example.com/audit/v1/logs"
CURSOR = Pagination("cursor", options={"cursor_param": "cursor", "cursor_path": "next"})
INCREMENTAL = IncrementalFrom("oldest_ts", "date_create", "oldest")


def source(**more: Any) -> Source:
    more.setdefault("url", URL)
    return Source("s", resilience=QUICK, pagination=CURSOR, **more)


def request_at(source: Source, point: Point) -> Request:
    position = Position(source, open_pagination(source.pagination), Stored(), list)
    position.point = point
    return position.next_request()


def params(source: Source, point: Point) -> dict[str, str]:
    request = request_at(source, point)
    assert len(dict(request.params)) == len(request.params), "a parameter is sent twice"
    assert request.token == point.token
    return dict(request.params)


def test_the_first_request_carries_its_own_parameters_and_the_watermark() -> None:
    one = source(
        query_params={"limit": "5"},
        first_request_query_params={"action": "x"},
        incremental_from=INCREMENTAL,
    )
    assert params(one, Point()) == {"limit": "5", "action": "x"}
    assert params(one, Point("7")) == {"limit": "5", "action": "x", "oldest": "7"}


def test_the_watermark_replaces_a_start_by_hand_in_either_map() -> None:
    for place in ("query_params", "first_request_query_params"):
        one = source(incremental_from=INCREMENTAL, **{place: {"oldest": "3"}})
        assert params(one, Point()) == {"oldest": "3"}
        assert params(one, Point("7")) == {"oldest": "7"}


def test_a_cursor_carries_the_start_of_its_chain_wherever_that_came_from() -> None:
    one = source(
        query_params={"limit": "5"},
        first_request_query_params={"oldest": "3", "action": "x"},
        incremental_from=INCREMENTAL,
    )
    first = request_at(one, Point())
    chain = Chain(start_of(one, first))
    after = params(one, Point(None, "abc", chain))
    assert after == {"limit": "5", "oldest": "3", "cursor": "abc"}


def test_a_later_watermark_or_config_does_not_change_a_chain_under_way() -> None:
    one = source(query_params={"oldest": "9"}, incremental_from=INCREMENTAL)
    assert params(one, Point("9", "abc", Chain("3")))["oldest"] == "3"
    assert "oldest" not in params(one, Point("9", "abc", Chain(None)))


def test_without_incremental_from_a_cursor_carries_the_query_parameters_alone() -> None:
    one = source(query_params={"oldest": "3"}, first_request_query_params={"latest": "4"})
    assert params(one, Point(None, "abc", Chain())) == {"oldest": "3", "cursor": "abc"}


def test_a_query_in_the_url_is_sent_once() -> None:
    one = source(url=URL + "?limit=1&x=a%20b", query_params={"limit": "5"})
    request = request_at(one, Point())
    assert request.url == URL
    assert dict(request.params) == {"limit": "5", "x": "a b"}


def test_a_lookback_asks_that_much_earlier() -> None:
    back = IncrementalFrom("oldest_ts", "date_create", "oldest", lookback_secs=60)
    assert params(source(incremental_from=back), Point("100")) == {"oldest": "40"}


def test_a_single_page_sends_no_cursor() -> None:
    one = Source("s", URL, QUICK)
    left = Stored({"cursor": "left over", "chain": Chain().dump()})
    request = Position(one, open_pagination(one.pagination), left, list).next_request()
    assert (request.params, request.token) == ((), None)
