"""on_parse_error: skip_event: broken events never affect the good ones, which pass unchanged."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from helr.messages import Request, Response
from helr.model import Source
from helr.page.api_error import BadPageError
from helr.page.decoder import Decoder
from helr.page.page import Page
from helr.pagination.cursor import Cursor
from helr.pagination.none import SinglePage
from tests.unit.support import QUICK

URL = "https://api.example/logs"
FAIL = Source(
    name="s",
    url=URL,
    response_events_path="result.entries",
    resilience=QUICK,
)
SKIP = replace(FAIL, on_parse_error="skip_event")

BAD = {
    b"null": "is null, not an event",
    b"17": "is a number, not an event",
    b"true": "is a boolean, not an event",
    b'"text, with ] and }"': "is a string, not an event",
    b'[{"id":1},{"id":2}]': "is an array, not an event",
    b'{"score":NaN}': "is not JSON (NaN is not a JSON number)",
    b'{"score":-Infinity}': "is not JSON (-Infinity is not a JSON number)",
    b'{"ua":"a\tb"}': "is not JSON (invalid control character at byte 8)",
    b'{"ua":"\xff"}': "is not UTF-8",
    b'{"ua":tru}': "is not JSON (expecting value at byte 6)",
    b'{"a":1,}': "is not JSON",
    b"{'a':1}": "is not JSON",
    b'{"a" 1}': "is not JSON",
    b"": "is empty",
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}": "is nested too deeply for a JSON parser",
}
GOOD = (
    b'{"id":"a","n":1.50}',
    b'{ "id" : "b\\"]}," , "x":[1,{"y":"}"}] }',
    b'{"id":"c","s":"\\ud800"}',
    '{"id":"\u00e9"}'.encode(),
    b"{}",
)


def page(source: Source, elements: list[bytes], cursor: str = "more") -> Page:
    body = b'{"x":[null],"result":{"entries":[%s], "n":1},"next":"%s"}'
    body %= b" ,\n".join(elements), cursor.encode()
    response = Response(Request(URL), URL, "/logs", 200, {}, body, 1_700_000_000.0)
    return Decoder(source, Cursor("cursor", "next"), ["id"])(response)


@given(st.lists(st.sampled_from([*GOOD, *BAD]), min_size=1, max_size=6))
@example([b"null"])
@example([*BAD])
@example([b'{"a":1,}', GOOD[0]])
def test_good_events_come_untouched_and_bad_ones_are_named(elements: list[bytes]) -> None:
    bad = [index for index, element in enumerate(elements) if element in BAD]
    if elements == [b""]:
        bad = []  # an empty array
    found = page(SKIP, elements)
    good = [element for element in elements if element not in BAD]
    assert [bytes(raw) for raw in found.raws] == good
    assert found.token == "more"
    ids = [json.loads(element).get("id") for element in good]
    assert found.column("id") == ids
    assert [reject.place for reject in found.rejects] == [f"result.entries[{n}]" for n in bad]
    for reject, index in zip(found.rejects, bad, strict=True):
        assert reject.why.startswith(BAD[elements[index]])
        assert reject.text.encode("utf-8", "surrogateescape") == elements[index]
    if bad:
        with pytest.raises(BadPageError):
            page(FAIL, elements)


MISQUOTED = (
    b'{"id":7,"ua":"say "hi""}',
    b'{"id":7,"ua":"say "hi"}',
    b'{"id":7,"dir":"C:\\x\\"}',
    b'{"id":7,"ua":"never ends}',
    b'{"id":7,"ua:1}',
    b'{id":7}',
    b'{"id":7,"ua":"a"b"c","z":[{"q":1},{"q":2}]}',
)
IDS = (
    b'{"id":1,"x":[{"id":9},{"id":8}]}',
    b'{ "id" : 2, "dir":"C:\\\\x\\\\" }',
    b'{"id":3,"t":"},{"}',
    b'{"id":4,"c":[{"id":41},{"id":42,"n":null},{"id":43}]}',
)


@given(st.lists(st.sampled_from([*IDS, *MISQUOTED]), min_size=1, max_size=6))
@example([MISQUOTED[2], MISQUOTED[2], IDS[0]])
@example([IDS[0], MISQUOTED[1], IDS[1], MISQUOTED[3]])
def test_wrong_quotation_marks_cost_no_other_event(elements: list[bytes]) -> None:
    """They swap strings and structure in everything that follows, brackets and commas too."""
    bad = [element for element in elements if element in MISQUOTED]
    found = page(SKIP, elements)
    assert [bytes(raw) for raw in found.raws] == [each for each in elements if each in IDS]
    assert found.token == "more"
    kept = b"\n".join(reject.text.encode() for reject in found.rejects)
    assert [kept.count(each) for each in MISQUOTED] == [bad.count(each) for each in MISQUOTED]
    assert not any(each in kept for each in IDS)


def test_the_usual_keys_are_found_before_a_broken_event() -> None:
    body = b'{"ok":true,"events":[{"id":1},{"id":"x" 1"}],"next":"more"}'
    response = Response(Request(URL), URL, "/logs", 200, {}, body, 1_700_000_000.0)
    found = Decoder(replace(SKIP, response_events_path=None), Cursor("cursor", "next"), ["id"])(
        response
    )
    assert [bytes(raw) for raw in found.raws] == [b'{"id":1}']
    assert found.token == "more"


def test_a_broken_element_is_not_searched_for_events() -> None:
    bad = b'{"id":7,"c":[{"id":71},{"id":72,"n":NaN},{"id":73}]}'
    assert [bytes(raw) for raw in page(SKIP, [IDS[0], bad]).raws] == [IDS[0]]


@pytest.mark.parametrize(
    "elements",
    [
        b'null,{"a":"' + b'\\"' * 60_000,
        b'{"a":"},{"a"' * 40_000,
        b'{"a":[1,2},' * 40_000,
        b'{"a":"x},' * 40_000,
        b'{"a":' * 40_000,
    ],
)
def test_the_time_does_not_grow_with_the_square_of_a_page(elements: bytes) -> None:
    """An unterminated string used to be scanned once for each quotation mark in it, and each broken
    element caused a scan of everything before it."""
    began = time.process_time()
    with suppress(BadPageError):
        page(SKIP, [elements])
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b'{"result":{"entries":[{"id":1},',
        b'{"result":{"entries":[{"id":1}]',
        b'{"result":{"entries":{"id":1}}}',
        b'{"result":{"entries":[]},"next":NaN}',
        b'{"result":null}',
        b"<html>[]</html>",
        b'{"result":{"entries":[]',
    ],
)
def test_what_surrounds_the_events_must_be_json(body: bytes) -> None:
    response = Response(Request(URL), URL, "/logs", 200, {}, body, 1_700_000_000.0)
    with pytest.raises(BadPageError):
        Decoder(SKIP, Cursor("cursor", "next"), ["id"])(response)


@given(st.binary(max_size=60) | st.text('{}[],:"\\\\ntf1 ', max_size=30).map(str.encode))
def test_any_bytes_give_a_page_or_an_error(noise: bytes) -> None:
    body = b'{"result":{"entries":[' + noise + b"]}}"
    response = Response(Request(URL), URL, "/logs", 200, {}, body, 1_700_000_000.0)
    try:
        found = Decoder(SKIP, Cursor("cursor", "next"), ["id"])(response)
    except BadPageError:
        return
    for raw in found.raws:
        assert isinstance(json.loads(bytes(raw)), dict)


def test_a_bare_array_too() -> None:
    body: Any = b'\xef\xbb\xbf [ {"id":1}, null ]'
    response = Response(Request(URL), URL, "/logs", 200, {}, body, 1_700_000_000.0)
    found = Decoder(replace(SKIP, response_events_path=None), SinglePage(), ["id"])(response)
    assert [bytes(raw) for raw in found.raws] == [b'{"id":1}']
    assert [reject.place for reject in found.rejects] == ["the array[1]"]
