"""helr.told: what an answer shows and the config ignores is found, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.dedupe import Seen, composite_keys
from helr.told import next_signs


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"events": [], "next_cursor": "abc"}, ["next_cursor"]),
        ({"items": [], "nextPageToken": "t"}, ["nextPageToken"]),
        ({"result": {"paging": {"nextPageToken": 100}}}, ["result.paging.nextPageToken"]),
        ({"value": [], "@odata.nextLink": "https://x"}, ["@odata.nextLink"]),
        ({"has_more": True, "cursor": "c"}, ["has_more"]),
        ({"meta": {"pageInfo": {"hasNextPage": True, "endCursor": "x"}}}, None),
        ({"links": {"next": "/p?2"}}, ["links.next"]),
        ({"events": [{"next": "never looked at"}]}, []),
        ({"next_cursor": "", "has_more": False, "next": None, "next_offset": 0}, []),
        ({"response_metadata": {"messages": ["x"]}}, []),
        ([{"next": 1}], []),
    ],
)
def test_signs_in_the_body(body: Any, found: list[str] | None) -> None:
    signs = list(next_signs(json.dumps(body).encode(), {}))
    expected = ["meta.pageInfo.hasNextPage", "meta.pageInfo.endCursor"] if found is None else found
    assert signs == expected


@pytest.mark.parametrize(
    ("link", "more"),
    [
        ('<https://x/?p=2>; rel="next"', True),
        ("<https://x/?p=2>; rel=next", True),
        ('<https://x/?p=1>; rel="prev", <https://x/?p=3>; rel="last next"', True),
        ('<https://x/?p=1>; rel="prev"', False),
        ("", False),
    ],
)
def test_signs_in_a_link_header(link: str, more: bool) -> None:
    assert bool(list(next_signs(b"[]", {"Link": link}))) == more


@given(st.binary(max_size=50))
def test_any_body_has_signs_or_none(body: bytes) -> None:
    list(next_signs(b"{" + body, {}))


def test_an_id_of_several_parts() -> None:
    keys = composite_keys([["t1", "t2", "t1", None, "t1"], [7, 7, 7, None, "7"]])
    assert keys[0] == keys[2]
    assert keys[3] is None
    assert len({keys[0], keys[1], keys[4]}) == 3
    assert composite_keys([["a", "b"]]) == ["a", "b"]
    assert len(set(composite_keys([["a", ""], ["", "a"]]))) == 2


def test_different_events_with_one_id_on_a_page_are_both_delivered() -> None:
    raws = ["x", "y", "x", "z"]
    keys: list[str | None] = ["k", "k", "k", "n"]
    seen = Seen(10)
    assert seen.fresh(keys, lambda one, other: raws[one] == raws[other]) == [0, 1, 3]
    assert seen.fresh(keys) == [0, 3]
