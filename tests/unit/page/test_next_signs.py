"""A next page is found wherever a vendor names it, and only if there is one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.messages import Request, Response
from helr.model import Source
from helr.page.decoder import Decoder
from helr.page.next_signs import next_signs
from helr.pagination.none import SinglePage
from tests.unit.support import QUICK

URL = "https://api.example/logs"

MORE: list[tuple[Any, list[str]]] = [
    ({"events": [], "next_cursor": "abc"}, ["next_cursor"]),
    ({"items": [], "nextPageToken": "t"}, ["nextPageToken"]),
    ({"result": {"paging": {"nextPageToken": 100}}}, ["result.paging.nextPageToken"]),
    ({"value": [], "@odata.nextLink": "https://x"}, ["@odata.nextLink"]),
    ({"has_more": True, "cursor": "c"}, ["has_more"]),
    (
        {"meta": {"pageInfo": {"hasNextPage": True, "endCursor": "x"}}},
        ["meta.pageInfo.hasNextPage", "meta.pageInfo.endCursor"],
    ),
    ({"links": {"next": "/p?2"}}, ["links.next"]),
    ({"_links": {"next": {"href": "/p?2"}}}, ["_links.next.href"]),
    ({"paging": {"next": {"after": "17", "link": "?after=17"}}}, None),
    ({"metadata": {"next_offset": ["1532951895000", "af0ba235"]}}, ["metadata.next_offset"]),
    ({"paging": {"cursors": {"after": "x", "before": "y"}}}, ["paging.cursors.after"]),
    ({"result_info": {"cursors": {"after": "x"}}}, ["result_info.cursors.after"]),
    ({"meta": {"page": {"after": "x"}}}, ["meta.page.after"]),
    ({"links": [{"rel": "self"}, {"rel": "next", "href": "/2"}]}, ["links with rel: next"]),
    ({"link": [{"relation": "next", "url": "/2"}]}, ["link with rel: next"]),
    ({"nextRecordsUrl": "/q/01-2000", "done": False}, ["nextRecordsUrl", "done"]),
    ({"isLast": False, "values": []}, ["isLast"]),
    ({"IsTruncated": True, "NextMarker": "m"}, ["IsTruncated", "NextMarker"]),
    ({"continuation_token": "x"}, ["continuation_token"]),
    ({"_scroll_id": "x"}, ["_scroll_id"]),
    ({"next": 2}, ["next"]),
    ({"total": 300, "offset": 0, "data": []}, ["total"]),
    ({"meta": {"total_pages": 3}}, ["meta.total_pages"]),
]
NO_MORE: list[Any] = [
    {"events": [{"next": "never looked at"}]},
    {"next_cursor": "", "has_more": False, "next": None, "next_offset": 0},
    {"_links": {"next": {"href": ""}, "self": {"href": "/1"}}, "links": [{"rel": "self"}]},
    {"paging": {"cursors": {"before": "y", "after": ""}}, "page": {"cursor": None}},
    {"next_offset": [], "paging": {"next": {}}, "links": {"next": None, "last": "/9"}},
    {"response_metadata": {"messages": ["x"]}},
    {"total": 100, "total_pages": 1, "isLast": True, "done": True, "truncated": False},
    {"next_poll_at": "2026-11-01", "nextRefreshSecs": 60, "more_info": "https://docs"},
    [{"next": 1}],
]


@pytest.mark.parametrize(("body", "found"), MORE)
def test_signs_in_the_body(body: Any, found: list[str] | None) -> None:
    expected = ["paging.next.after", "paging.next.link"] if found is None else found
    assert next_signs(json.dumps(body).encode(), {}, 100) == expected


@pytest.mark.parametrize("body", NO_MORE)
def test_a_last_page_has_none(body: Any) -> None:
    assert next_signs(json.dumps(body).encode(), {}, 100) == []


@pytest.mark.parametrize("odd", [r'{"id":"\ud800"}', "null", '{"n":NaN}', "[" * 2000 + "]" * 2000])
def test_a_page_that_is_not_plain_has_its_signs_too(odd: str) -> None:
    decode = Decoder(Source("s", URL, QUICK, on_parse_error="skip_event"), SinglePage(), ["id"])
    body = f'{{"events":[{{"id":1}},{odd}],"next_cursor":"x"}}'.encode()
    response = Response(Request(URL), URL, "/logs", 200, {}, body, 1_700_000_000.0)
    page = decode(response, looks_for_more=True)
    assert list(page.next_signs) == ["next_cursor"]


def test_only_the_first_page_of_a_chain_is_compared_with_a_total() -> None:
    body = b'{"total":300,"total_pages":3}'
    assert len(next_signs(body, {}, 100)) == 2
    assert next_signs(body, {}, 100, first=False) == []


@pytest.mark.parametrize(
    ("name", "value", "more"),
    [
        ("Link", '<https://x/?p=2>; rel="next"', True),
        ("link", "<https://x/?p=2>; rel=next", True),
        ("Link", "<https://x/?p=2>; Rel='Next'", True),
        ("Link", '<https://x/?p=1>; rel="prev", <https://x/?p=3>; rel="last next"', True),
        ("Link", '<https://x/?p=1>; rel="prev"', False),
        ("Link", "", False),
        ("X-Next-Page", "2", True),
        ("X-Next-Page", "", False),
        ("NextPageUri", "https://x/?p=2", True),
        ("Next-Range", "id x..", True),
        ("X-Has-More", "true", True),
        ("x-nextjs-cache", "HIT", False),
        ("X-Next-Reset", "17", False),
    ],
)
def test_signs_in_headers(name: str, value: str, more: bool) -> None:
    assert bool(next_signs(b"[]", {name: value}, 1)) == more


@given(st.binary(max_size=50), st.text(max_size=20))
def test_any_answer_has_signs_or_none(body: bytes, header: str) -> None:
    next_signs(b"{" + body, {"Link": header, "X-Next": header, header: "x"}, 1)
