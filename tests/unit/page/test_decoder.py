"""The columns of a page: what the decoder learns from one page does not affect later ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from helr.lines.envelope import TIME_FIELDS, Lines
from helr.messages import Request, Response
from helr.model import Source
from helr.page.api_error import ApiError, TokenRefusedError
from helr.page.decoder import Decoder, check_utf8
from helr.page.json_fallback import dig
from helr.page.page import Page
from helr.pagination.cursor import Cursor
from helr.pagination.none import SinglePage
from tests.support import examples
from tests.unit.support import QUICK

RECEIVED = 1_700_000_000.0
URL = "https://api.example/audit/v1/logs"
SOURCE = Source(
    name="slack-audit",
    url=URL,
    resilience=QUICK,
)
PATHS = (*TIME_FIELDS, "actor.id")


def decoder() -> Decoder:
    return Decoder(SOURCE, SinglePage(), PATHS)


def page(decode: Decoder, events: list[Any], *, bare: bool = False) -> Page:
    body = json.dumps(events if bare else {"entries": events}).encode()
    return decode(Response(Request(URL), URL, "/audit/v1/logs", 200, {}, body, RECEIVED))


@pytest.mark.parametrize(
    ("body", "cursor", "refused"),
    [
        ({"entries": [], "error": "invalid_cursor"}, True, TokenRefusedError),
        ({"entries": [], "error": "internal_error"}, False, ApiError),
        ({"entries": [], "message": "cursor_expired"}, True, TokenRefusedError),
        ({"data": [], "errors": [{"message": "no"}], "next": None}, True, ApiError),
        ({"entries": [], "message": "cursor_expired"}, False, None),
        ({"entries": [], "error": None, "errors": [], "message": "fine"}, True, None),
        ({"entries": [], "error": "late", "next": "more"}, True, None),
        ({"entries": [], "success": False, "message": "no licence"}, False, ApiError),
        ({"entries": [], "status": "error"}, True, ApiError),
        ({"entries": [], "meta": {"errors": ["no"]}}, False, ApiError),
        ({"entries": [], "result": "failure", "status": "done"}, False, None),
        ({"entries": [{"id": 1}], "error": "some were left out"}, True, None),
    ],
)
def test_an_empty_last_page_that_names_an_error_is_none(
    body: dict[str, Any], cursor: bool, refused: type[Exception] | None
) -> None:
    decode = Decoder(SOURCE, Cursor("cursor", "next"), ())
    request = Request(URL, token="c" if cursor else None)
    response = Response(request, URL, "/logs", 200, {}, json.dumps(body).encode(), RECEIVED)
    if refused is None:
        assert decode(response).size
        return
    with pytest.raises(refused) as caught:
        decode(response)
    assert type(caught.value) is refused


@pytest.mark.parametrize("status", [204, 205])
@pytest.mark.parametrize("cursor", [True, False])
def test_a_status_that_means_no_content_is_an_empty_page(status: int, cursor: bool) -> None:
    request = Request(URL, token="c" if cursor else None)
    empty = Decoder(SOURCE, Cursor("cursor", "next"), PATHS)(
        Response(request, URL, "/", status, {}, b"", RECEIVED)
    )
    assert (empty.raws, empty.token, empty.size) == ((), None, 0)
    assert empty.column("id") == []


def test_not_modified_is_an_empty_page_where_a_condition_was_sent() -> None:
    """Not for a later page of a chain, as the chain would end there."""
    conditional = replace(SOURCE, headers={"If-None-Match": '"abc"'})
    for source, cursor in ((SOURCE, False), (conditional, True)):
        response = Response(
            Request(URL, token="c" if cursor else None), URL, "/", 304, {}, b"", RECEIVED
        )
        with pytest.raises(ApiError, match=r"HTTP 304; the server reports no change"):
            Decoder(source, Cursor("cursor", "next"), ())(response)
    response = Response(Request(URL), URL, "/", 304, {}, b"", RECEIVED)
    assert not Decoder(conditional, Cursor("cursor", "next"), ())(response).raws


def columns(of: Page) -> dict[str, list[Any]]:
    return {path: of.column(path) for path in PATHS}


values = st.one_of(st.none(), st.integers(-5, 2 * 10**11), st.text(max_size=3), st.booleans())
event = st.dictionaries(
    st.sampled_from([*TIME_FIELDS, "id"]), values, max_size=3
) | st.fixed_dictionaries({"actor": st.fixed_dictionaries({"id": values}) | values})
pages = st.lists(st.tuples(st.lists(event, min_size=1, max_size=4), st.booleans()), max_size=4)


@pytest.mark.unmeasured
@examples(60)
@given(pages)
def test_a_decoder_with_a_past_decodes_as_a_new_one(made: list[tuple[list[Any], bool]]) -> None:
    seasoned = decoder()
    for events, bare in made:
        many = events * 1000
        ours, fresh = page(seasoned, many, bare=bare), page(decoder(), many, bare=bare)
        assert columns(ours) == columns(fresh)
        assert [ours.has(path) for path in PATHS] == [fresh.has(path) for path in PATHS]
        built = [list(Lines(SOURCE).build(of)[0]) for of in (ours, fresh)]
        assert built[0] == built[1]


@pytest.mark.parametrize("size", [1000, 20])
def test_a_field_that_turns_up_late_gives_the_time_of_its_line(size: int) -> None:
    decode = decoder()
    plain = {"id": "a", "date_create": 1_521_214_343}
    *first, last = (page(decode, [plain] * size) for _ in range(1000 // size + 1))
    assert all(one.fields.keys() == set(PATHS) for one in first)
    assert last.fields.keys() == {"date_create"}
    late = [plain, {**plain, "published": "2024-01-01T00:00:00Z"}, {"actor": {"id": "W1"}}]
    found = page(decode, late)
    assert found.column("published") == [None, "2024-01-01T00:00:00Z", None]
    assert found.column("actor.id") == [None, None, "W1"]
    stamps = [json.loads(line)["ts"] for line in Lines(SOURCE).build(found)[0]]
    assert stamps == ["2018-03-16T15:32:23Z", "2024-01-01T00:00:00Z", "2023-11-14T22:13:20Z"]


@given(st.lists(values, min_size=1, max_size=5))
def test_seconds_are_given_only_where_all_are_whole_unix_seconds(column: list[Any]) -> None:
    found = page(decoder(), [{"ts": value} for value in column])
    whole = all(type(value) is int and 0 < value <= 100_000_000_000 for value in column)
    assert found.seconds("ts") == (column if whole else None)
    assert found.seconds("published") is None


pieces = st.lists(st.text(min_size=1).map(str.encode) | st.binary(max_size=4), max_size=5)


@given(st.sampled_from([1 << 14, 1 << 15, 1 << 16, 5 << 16]), st.integers(-4, 1), pieces)
def test_utf8_is_checked_across_the_pieces(size: int, offset: int, tail: list[bytes]) -> None:
    body = b"a" * (offset % 2) + b"\xc3\xa9" * ((size + offset) // 2) + b"".join(tail) + b"."
    try:
        body.decode()
    except UnicodeDecodeError as expected:
        with pytest.raises(UnicodeDecodeError) as caught:
            check_utf8(bytearray(body))
        assert caught.value.reason == expected.reason
        assert caught.value.object[caught.value.start] == body[expected.start]
    else:
        check_utf8(bytearray(body))


keys = st.text(st.characters(codec="utf-16", exclude_characters="."), max_size=3)


@given(st.lists(st.lists(keys, min_size=1, max_size=3).map(".".join), min_size=1, max_size=3))
@example(['a"b', "a\\b", "\0"])
@example(["a", "a.b", ""])
def test_a_path_may_have_any_spelling(paths: list[str]) -> None:
    """A quote, a backslash, a control character, an empty key, one path inside another."""
    event: dict[str, Any] = {}
    for number, path in enumerate(paths):
        *outer, last = path.split(".")
        inner = event
        for key in outer:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                break
        else:
            inner.setdefault(last, number)
    body = {**event, "entries": [event]}
    response = Response(Request(URL), URL, "/", 200, {}, json.dumps(body).encode(), RECEIVED)
    source = replace(SOURCE, response_events_path="entries")
    found = Decoder(source, Cursor("cursor", paths[0]), paths)(response)
    for path in paths:
        assert found.column(path) == [dig(event, path)]
