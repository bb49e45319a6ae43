"""What the tests of lines share: pages of events, and texts of JSON objects in any spelling."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from helr.lines.envelope import Lines
from helr.messages import Request, Response
from helr.model import Source
from helr.page.decoder import Decoder
from helr.page.page import Page
from helr.pagination.none import SinglePage
from tests.unit.support import QUICK

RECEIVED = 1_700_000_000.0  # 2023-11-14T22:13:20Z
URL = "https://api.example/audit/v1/logs"


def source(**changes: Any) -> Source:
    changes.setdefault("max_line_bytes_behavior", "truncate")
    return Source(name="slack-audit", url=URL, resilience=QUICK, **changes)


def page_of(of: Source, *events: bytes | str) -> Page:
    texts = [event.encode() if isinstance(event, str) else event for event in events]
    body = b'{"entries":[' + b",".join(texts) + b"]}"
    paths = [*Lines(of).paths, *([of.dedupe.id_path] if of.dedupe else [])]
    request = Request(URL)
    return Decoder(of, SinglePage(), paths)(
        Response(request, URL, "/audit/v1/logs", 200, {}, body, RECEIVED)
    )


def lines_of(of: Source, *events: bytes | str) -> list[bytes]:
    lines, count = Lines(of).build(page_of(of, *events))
    lines = list(lines)
    assert count == sum(1 for line in lines if line)
    return lines


def line_of(event: bytes | str, **changes: Any) -> Any:
    [line] = lines_of(source(**changes), event)
    return json.loads(line)


SPACE = st.text(" \t", max_size=2)
BREAKS = st.text(" \t\r\n", max_size=3)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.sampled_from(["0", "-0", "1.50", "1E5", "2e-7", "9007199254740993", "-0.0", "1e+2"]),
)


STRINGS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(
        lambda text: json.dumps(text, ensure_ascii=False)
    ),
    st.text(max_size=12).map(json.dumps),
    st.sampled_from(['"\\u0041\\/"', '"\\ud83d\\ude00"', '"\\ud800"', '"\x7f\u2028"']),
)


def texts(space: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of JSON objects, with keys, numbers and blanks spelled in every way."""
    scalars = st.one_of(NUMBERS, STRINGS, st.sampled_from(["null", "true", "false"]))

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        items = st.lists(st.tuples(space, inner, space).map("".join), max_size=3)
        return st.one_of(items.map(lambda each: f"[{','.join(each)}]"), objects(inner))

    def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        member = st.tuples(space, STRINGS, space, st.just(":"), space, inner, space).map("".join)
        return st.lists(member, max_size=4).map(lambda each: "{" + ",".join(each) + "}")

    return objects(st.recursive(scalars, grow, max_leaves=8))
