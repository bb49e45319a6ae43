"""Any combination of paths in a config reads a page as `json` would.

Paths may be equal, lie inside one another or be spelled with any character: the page is what a
plain walk through the decoded body gives, or a clear error, never a traceback.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from helr.engine.position import Position
from helr.errors import PollError
from helr.lines.envelope import Lines
from helr.messages import Request, Response
from helr.model import (
    Dedupe,
    IncrementalFrom,
    Pagination,
    Source,
    Transform,
)
from helr.page.decoder import EVENT_KEYS, Decoder
from helr.page.json_fallback import dig
from helr.pagination import open_pagination
from helr.state.records import Stored
from tests.unit.support import QUICK

URL = "https://api.example/logs"
KEYS = (
    "ok",
    "data",
    "events",
    "a",
    "b",
    "id",
    "",
    "é",
    '"',
    "\\",
    "\ud800",
    "\n",
    "f0",
    "__class__",
)
keys = st.sampled_from(KEYS) | st.text(max_size=3)
paths = st.lists(keys, min_size=1, max_size=3).map(".".join).filter(bool)  # as the schema asks
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
values = st.recursive(plain, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=6)
lists = st.lists(st.dictionaries(keys, values, max_size=3), max_size=3)


@pytest.fixture(autouse=True)
def unheard() -> Iterator[None]:
    """Warnings name the paths, half characters too, which no report of a worker can carry."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def put(body: dict[str, Any], path: str, value: Any) -> None:
    *branches, leaf = path.split(".")
    for key in branches:
        if not isinstance(body.get(key), dict):
            body[key] = {}
        body = body[key]
    body[leaf] = value


@given(paths, paths, st.lists(paths, min_size=4, max_size=4), lists, values, st.data())
@example("ok", "next", ["id"] * 4, [{"id": 1}], "c", None)
@example("data", "data", ["id", "id.x", "a", "a"], [{"id": 1}], "c", None)
@example("data", "data.next", ["a.b"] * 4, [{"a": {"b": 1}}], 3, None)
def test_any_paths_read_a_page_as_json_does(
    where: str, cursor_path: str, fields: list[str], events: list[Any], cursor: Any, data: Any
) -> None:
    named = where if data is None or data.draw(st.booleans()) else None
    body: dict[str, Any] = {}
    put(body, cursor_path, cursor)
    put(body, where if named else EVENT_KEYS[0], events)
    source = Source(
        "s",
        URL,
        QUICK,
        response_events_path=named,
        pagination=Pagination("cursor", options={"cursor_param": "c", "cursor_path": cursor_path}),
        incremental_from=IncrementalFrom("mark", fields[0], "since"),
        dedupe=Dedupe((fields[1], fields[2])),
        transform=Transform(timestamp_field=fields[2], id_field=fields[3]),
    )
    pagination, lines = open_pagination(source.pagination), Lines(source)
    position = Position(source, pagination, Stored(), list)
    decode = Decoder(source, pagination, [*position.paths, *lines.paths])
    text = json.dumps(body).encode()
    request = Request(URL)
    try:
        page = decode(Response(request, URL, "/logs", 200, {}, text, 1_700_000_000.0))
    except PollError as error:
        assert "\n" not in str(error)
        return
    found = dig(body, named or EVENT_KEYS[0])
    assert [json.loads(bytes(raw)) for raw in page.raws] == found
    for path in fields:
        assert page.column(path) == [dig(event, path) for event in found]
    fresh = position.fresh(page)
    for line in lines.build(page, fresh.keep)[0]:
        assert isinstance(json.loads(line)["event"], dict)
    position.adopt(position.after(page, fresh))
    position.next_request()
