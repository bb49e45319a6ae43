"""Hostile bodies: any page becomes good lines or one error, never a crash.

`pour` does with a body all that a poll does with it, but for the network: decode, find duplicates,
move the watermark, build the lines, write the checkpoint to a state file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given
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
from helr.page.api_error import ApiError, BadPageError, TokenRefusedError
from helr.page.decoder import Decoder
from helr.page.page import Page
from helr.pagination import open_pagination
from helr.state.records import Stored
from helr.state.sqlite import SqliteStore
from tests.support import examples
from tests.unit.support import QUICK

URL = "http://127.0.0.1/audit/v1/logs"
EXAMPLES = int(os.environ.get("HELR_FUZZ", "50"))  # more after a change here
NOW = 1_760_000_000.0
fuzz = examples(
    EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
Pour = Callable[..., "Poured"]


class Poured:
    """The result of a body: the page, and its lines."""

    def __init__(self, page: Page, lines: list[bytes]) -> None:
        self.page = page
        self.lines = lines

    @property
    def events(self) -> list[bytes]:
        """The events' bytes as they are in the lines; each line is checked."""
        return [event_of(line) for line in self.lines]


def source_with(**changes: Any) -> Source:
    options = {"cursor_param": "cursor", "cursor_path": "response_metadata.next_cursor"}
    given: dict[str, Any] = {
        "name": "slack-audit",
        "url": URL,
        "resilience": QUICK,
        "pagination": Pagination("cursor", options=options),
        "incremental_from": IncrementalFrom("oldest_ts", "date_create", "oldest"),
        "dedupe": Dedupe("id", capacity=50),
        "transform": Transform(id_field="id"),
    }
    return Source(**{**given, **changes})


def response_of(
    body: bytes, status: int = 200, cursor: bool = False, content_type: str = "application/json"
) -> Response:
    return Response(
        request=Request(URL, token="c" if cursor else None),
        url=URL,
        path="/audit/v1/logs",
        status=status,
        headers={"Content-Type": content_type},
        body=body,
        received=NOW,
    )


@pytest.fixture(scope="module")
def pour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pour]:
    store = SqliteStore(str(tmp_path_factory.mktemp("state") / "state.db"))

    def run(body: bytes, *, status: int = 200, cursor: bool = False, **changes: Any) -> Poured:
        source = source_with(**changes)
        pagination, lines = open_pagination(source.pagination), Lines(source)
        position = Position(source, pagination, Stored(), list)
        paths = [*position.paths, *lines.paths]
        response = response_of(body, status, cursor)
        page = Decoder(source, pagination, paths)(response)
        fresh = position.fresh(page)
        advance = position.after(page, fresh)
        built = list(lines.build(page, fresh.keep)[0])
        store.source(source.name).commit([advance.checkpoint.rest(0, 0)])
        position.adopt(advance)
        position.next_request()
        return Poured(page, built)

    yield run
    store.close()


HEAD = b'{"endpoint":"/audit/v1/logs","event":'


def _whole_number(text: str) -> float:
    """json.loads rejects more than 4,300 digits, which is a limit of Python, not of JSON."""
    return float(text)


def event_of(line: bytes) -> bytes:
    """The event in a line, which must be one line of JSON in the documented form."""
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert b"\r" not in line
    whole = json.loads(line, parse_int=_whole_number)
    assert list(whole) == ["endpoint", "event", "meta", "source", "ts"]
    assert isinstance(whole["event"], dict)
    assert isinstance(whole["ts"], str)
    assert line.startswith(HEAD)
    # The rest of the line contains `,"meta":{` only once, after the event.
    return line[len(HEAD) : line.rindex(b',"meta":{')]


# -- by hand: one hostile thing at a time


def page_of(*events: str, tail: str = "") -> bytes:
    return f'{{"entries":[{",".join(events)}]{tail}}}'.encode("utf-8", "surrogatepass")


DELIVERED = {
    "nested 400 deep": '{"a":' + "[" * 400 + "]" * 400 + "}",
    "a time nested 400 deep": '{"date_create":' + "[" * 400 + "]" * 400 + "}",
    "1e999": '{"id":1e999,"date_create":1e999}',
    "5,000 digits": '{"id":%s,"date_create":%s,"n":-%s}' % (("7" * 5000,) * 3),
    "4,000 digits before the epoch": '{"id":1,"date_create":-%s}' % ("7" * 4000),
    "a fraction of 5,000 digits": '{"date_create":1.%s}' % ("7" * 5000),
    "lone surrogates, escaped": r'{"id":"\ud800","date_create":"\udc00","ts":"\ud800x"}',
    "a key that is half a character": r'{"\ud800":1}',
    "surrogates the wrong way round": r'{"a":"\udc00\ud800"}',
    "an escaped NUL": r'{"id":"\u0000","date_create":"\u0000"}',
    "DEL and C1": '{"id":"\x7f\x85\x9b"}',
    "line separators": '{"id":"\u2028\u2029"}',
    "duplicate keys": '{"id":"a","id":"b","date_create":1,"date_create":2}',
    "no members": "{}",
    "an empty key": '{"":{"":""}}',
    "an id that is an object": '{"id":{"a":1},"date_create":{}}',
    "an id that is true": '{"id":true,"date_create":false}',
    "an id that is null": '{"id":null,"date_create":null}',
    "an id of a megabyte": '{"id":"%s"}' % ("x" * 1_000_000),
    "a time in the year 2^63": '{"date_create":9223372036854775808}',
    "a time before Christ": '{"date_create":-99999999999}',
    "a time in other digits": '{"date_create":"２０２５-01-01","ts":"٣"}',
    "a time that is no time": '{"date_create":"2025-13-45T99:99:99Z"}',
    "spelled oddly": '{ "a" : -0.0e-0 , "b":1E5,"\\u0069d":"x" }',
    "an event that looks like a line": '{"meta":{},"source":"x","ts":"y","a":",\\"meta\\":{"}',
}


@pytest.mark.parametrize("event", DELIVERED.values(), ids=list(DELIVERED))
def test_an_odd_event_is_delivered_byte_for_byte(pour: Pour, event: str) -> None:
    sane = '{"id":"sane","date_create":1759999999}'
    raw = event.encode()
    assert pour(page_of(event)).events == [raw]
    assert pour(page_of(sane, event)).events == [sane.encode(), raw]
    assert pour(f"[{event}]".encode()).events == [raw]


def test_numbers_that_differ_only_in_their_last_digit_are_not_the_same_id(pour: Pour) -> None:
    for digits in (30, 4000, 5000):
        events = [f'{{"id":{"7" * digits}{last}}}' for last in (1, 2)]
        events.append(r'{"a":"\ud800"}')  # msgspec rejects it
        assert len(pour(page_of(*events)).lines) == 3, digits
    assert len(pour(page_of('{"id":1e400}', '{"id":2e400}')).lines) == 2


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_a_pretty_printed_body_loses_only_its_line_breaks(pour: Pour, newline: bytes) -> None:
    event = {"id": "a", "nested": {"list": [1, {"b": "c d"}]}}
    body = json.dumps({"ok": True, "entries": [event, {}]}, indent=2).encode()
    expected = [
        b'{      "id": "a",      "nested": {        "list": [          1,          {'
        b'            "b": "c d"          }        ]      }    }',
        b"{}",
    ]
    assert pour(body.replace(b"\n", newline)).events == expected


def test_a_byte_order_mark_and_white_space_around_are_no_part_of_the_page(pour: Pour) -> None:
    for before in (b"\xef\xbb\xbf", b" \r\n\t", b"\xef\xbb\xbf\n"):
        assert pour(before + page_of('{"a":1}') + b" \r\n").events == [b'{"a":1}']


NO_PAGE = {
    "nothing": b"",
    "white space": b" \r\n\t",
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a string": b'"x"',
    "an empty object": b"{}",
    "two documents": page_of("{}") + page_of("{}"),
    "garbage after it": page_of("{}") + b"x",
    "a NUL after it": page_of("{}") + b"\0",
    "NULs": b"\0" * 100,
    "a NUL in a string": page_of('{"a":"\0"}'),
    "a line break in a string": page_of('{"a":"\n"}'),
    "a tab in a key": page_of('{"a\tb":1}'),
    "NaN": page_of('{"a":NaN}'),
    "Infinity": page_of('{"a":-Infinity}'),
    "a bad escape": page_of(r'{"a":"\x"}'),
    "a bad number": page_of('{"a":01}'),
    "single quotes": b"{'entries':[]}",
    "a comment": b'{"entries":[/**/]}',
    "a comma too many": b'{"entries":[{},]}',
    "UTF-16": page_of("{}").decode().encode("utf-16"),
    "invalid UTF-8": page_of('{"a":"') + b'\xff"}]}',
    "a raw lone surrogate": page_of('{"a":"\ud800"}'),
    "an overlong slash": b'{"entries":[{"a":"\xc0\xaf"}]}',
    "entries is a string": b'{"entries":"x"}',
    "entries is a number": b'{"entries":1}',
    "entries is an object": b'{"entries":{"0":{}}}',
    "entries is null": b'{"entries":null}',
    "entries twice, the last one null": b'{"entries":[{}],"entries":null}',
    "an element is a string": page_of("{}", '"x"'),
    "an element is a number": page_of("1"),
    "an element is null": page_of("{}", "null"),
    "an element is an array": page_of("[{}]"),
    "an array of arrays": b"[[{}]]",
    "a cursor that is an object": page_of("{}", tail=',"response_metadata":{"next_cursor":{}}'),
    "a cursor that is a list": page_of("{}", tail=',"response_metadata":{"next_cursor":["a"]}'),
    "a cursor that is true": page_of("{}", tail=',"response_metadata":{"next_cursor":true}'),
    "a cursor that is 1.5": page_of("{}", tail=',"response_metadata":{"next_cursor":1.5}'),
    "half a character as a cursor": page_of(
        "{}", tail=r',"response_metadata":{"next_cursor":"\ud800"}'
    ),
    "nested 100,000 deep": page_of('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "objects 100,000 deep": page_of('{"a":' * 100_000 + "1" + "}" * 100_000),
    "opened 1,000,000 times": b"[" * 1_000_000,
    "entries 100,000 deep": b'{"entries":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", NO_PAGE.values(), ids=list(NO_PAGE))
def test_what_is_no_page_is_one_error_in_one_line(pour: Pour, body: bytes) -> None:
    with pytest.raises(BadPageError) as caught:
        pour(body)
    text = str(caught.value)
    assert re.match(rf"slack-audit: {URL}: HTTP 200, [^\n]+(: |; )[^\n]+\Z", text)
    assert len(text) < 400


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        ('"abc="', "abc="),
        ("7", "7"),
        ("0", "0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ('""', None),
        ("null", None),
        ("false", None),
        (r'"\u0000\n"', "\0\n"),
        ('"é😀"', "é😀"),
    ],
)
@pytest.mark.parametrize("event", ["{}", r'{"a":"\ud800"}'], ids=["quick", "slow"])
def test_a_cursor_is_a_text_or_a_whole_number(
    pour: Pour, cursor: str, expected: str | None, event: str
) -> None:
    body = page_of(event, tail=f',"response_metadata":{{"next_cursor":{cursor}}}')
    assert pour(body).page.token == expected


@pytest.mark.parametrize(
    "tail", ["", ',"response_metadata":null', ',"response_metadata":{}', ',"response_metadata":[]']
)
def test_a_missing_cursor_is_the_last_page(pour: Pour, tail: str) -> None:
    assert pour(page_of("{}", tail=tail)).page.token is None


@pytest.mark.parametrize(
    ("body", "shown", "escaped"),
    [
        (b"\xff", "\ufffd", r"\xff"),
        (b"a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb", r"a\xed\xa0\x80b"),
        (b"\xc3", "\ufffd", r"\xc3"),
        (b"\xf0\x9f\x98", "\ufffd", r"\xf0\x9f\x98"),
        ("é".encode() + b"\x80", "é\ufffd", r"é\x80"),
        (rb"\\" + b"\xff", "\\\ufffd", r"\\xff"),
    ],
)
def test_invalid_utf8_is_replaced_or_escaped(
    pour: Pour, body: bytes, shown: str, escaped: str
) -> None:
    whole = b'{"entries":[{"a":"%b"}]}' % body
    with pytest.raises(BadPageError, match="on_invalid_utf8"):
        pour(whole)
    for how, text in (("replace", shown), ("escape", escaped)):
        (event,) = pour(whole, on_invalid_utf8=how).events
        assert json.loads(event) == {"a": text}


@pytest.mark.parametrize("how", ["replace", "escape"])
def test_invalid_utf8_between_tokens_or_after_a_backslash_is_no_page(pour: Pour, how: str) -> None:
    for body in (b'{"entries":[{}]\xff}', b'{"entries":[{"a":"\\\xff"}]}', b"\xff\xfe"):
        with pytest.raises(BadPageError):
            pour(body, on_invalid_utf8=how)


WHOLE = (
    r'{"entries":[{"id":"a\u00e9\"\\b😀","x":-1.5e+10,"t":true,"f":false,"n":null,"l":[],"o":{}}],'
    '"response_metadata":{"next_cursor":"é"}}'
).encode()


@pytest.mark.parametrize("how", ["fail", "replace", "escape"])
def test_a_body_cut_anywhere_is_asked_for_again(pour: Pour, how: str) -> None:
    assert pour(WHOLE).page.token == "é"
    for length in range(len(WHOLE)):
        with pytest.raises(BadPageError) as caught:
            pour(WHOLE[:length], on_invalid_utf8=how)
        assert caught.value.retryable, WHOLE[:length]


def test_a_body_that_is_wrong_in_another_way_is_not_asked_for_again(pour: Pour) -> None:
    for body in (b"oops", b"<html>", page_of('"x"'), b"{}", page_of("{}") + b"]", b"{'a'"):
        with pytest.raises(BadPageError) as caught:
            pour(body)
        assert not caught.value.retryable, body


# -- errors in the API's own words

ERROR_BODY = b'{"ok":false,"error":"team_not_authorized"}'


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 403, 404, 418, 429, 500, 503])
def test_ok_false_is_an_error_whatever_its_status(pour: Pour, status: int) -> None:
    with pytest.raises(ApiError) as caught:
        pour(ERROR_BODY, status=status)
    assert caught.value.code == "team_not_authorized"
    assert caught.value.server_fault == (status >= 500)
    assert f"HTTP {status} team_not_authorized; the Audit Logs API" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"ok":false,"entries":[{"id":"never"}]}',
        b'{"entries":[{"id":"never"}],"ok":false}',
        b'{"entries":[{"id":"\\ud800"}],"ok":false}',
        b'\xef\xbb\xbf\n{"ok" : false}',
        b'{"ok":true,"ok":false,"entries":[]}',
    ],
)
def test_ok_false_beside_events_is_an_error(pour: Pour, body: bytes) -> None:
    with pytest.raises(ApiError, match=r"HTTP 200, the body says that this is an error"):
        pour(body)


@pytest.mark.parametrize("ok", ["true", '"false"', "null", "0", "[]"])
def test_any_other_ok_is_none_of_our_business(pour: Pour, ok: str) -> None:
    assert pour(page_of("{}", tail=f',"ok":{ok}')).events == [b"{}"]


REFUSALS = [
    (400, b'{"ok":false,"error":"invalid_cursor"}'),
    (200, b'{"ok":false,"error":"cursor_expired"}'),
    (404, b'{"error":{"code":"CURSOR_NOT_FOUND"}}'),
    (422, b'{"errors":[{"message":"The cursor is no longer valid"}]}'),
    (400, b'{"error":"bad_request","message":"Expired cursor"}'),
    (400, b"Bad cursor"),
    (410, b""),
]


@pytest.mark.parametrize(("status", "body"), REFUSALS)
def test_a_refused_cursor_is_told_from_other_errors(pour: Pour, status: int, body: bytes) -> None:
    with pytest.raises(TokenRefusedError) as caught:
        pour(body, status=status, cursor=True)
    assert caught.value.final, "asking again is pointless"
    assert "cursor was refused" in str(caught.value)
    with pytest.raises(ApiError) as plain:
        pour(body, status=status, cursor=False)
    assert not isinstance(plain.value, TokenRefusedError), "no cursor was sent"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b'{"ok":false,"error":"invalid_cursor"}'),
        (429, b'{"ok":false,"error":"invalid_cursor"}'),
        (401, b"cursor expired"),
        (400, b'{"ok":false,"error":"invalid_arguments"}'),
        (404, b"<html><style>a{cursor:not-allowed}</style>Not found"),
        (200, b'{"ok":false,"error":"internal_error"}'),
    ],
)
def test_other_errors_leave_the_cursor_alone(pour: Pour, status: int, body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        pour(body, status=status, cursor=True)
    assert not isinstance(caught.value, TokenRefusedError)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b'{"error":' + b"[" * 100_000,
        b'{"error":"\\ud800"}',
        b'{"error":%b}' % (b"7" * 5000),
        b'{"error":{"error":{"error":{"error":{"error":"x"}}}}}',
        b'{"error":"%b"}' % (b"x" * 100_000),
        b'{"error":"a\\nb\\u001b[31mc"}',
        b"\0" * 1000,
    ],
)
@pytest.mark.parametrize("status", [302, 400, 500])
def test_any_error_body_gives_one_short_line(pour: Pour, status: int, body: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        pour(body, status=status)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


# -- by machine

SPACE = st.sampled_from(["", "", "", " ", "\n", "\r\n", "\t"])
PLAIN = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"], exclude_characters='"\\')
)
ESCAPES = st.sampled_from(
    [r"\"", r"\\", r"\/", r"\n", r"\r", r"\u0000", r"\u2028", r"\ud83d\ude00", r"\ud800", r"\uDC00"]
)
STRINGS = st.lists(st.one_of(PLAIN, ESCAPES), max_size=4).map(lambda parts: f'"{"".join(parts)}"')
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?", fullmatch=True
)
TIMES = st.one_of(
    st.integers(-(10**30), 10**30).map(str),
    st.integers(0, 4_000_000_000).map(str),
    st.datetimes().map(lambda at: f'"{at.isoformat()}Z"'),
)
LITERALS = st.sampled_from(["true", "false", "null"])
KEYS = st.one_of(
    st.sampled_from(['"id"', '"date_create"', '"ts"', '"published"', '"a"', r'"\u0069d"']), STRINGS
)


def arrays(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.lists(st.tuples(SPACE, items, SPACE).map("".join), max_size=4)
    return st.tuples(SPACE, parts).map(lambda p: f"[{','.join(p[1]) or p[0]}]")


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(SPACE, KEYS, SPACE, st.just(":"), SPACE, values, SPACE).map("".join)
    return st.tuples(SPACE, st.lists(pair, max_size=5)).map(
        lambda p: f"{{{','.join(p[1]) or p[0]}}}"
    )


VALUES = st.recursive(
    st.one_of(STRINGS, NUMBERS, TIMES, LITERALS),
    lambda inner: st.one_of(arrays(inner), objects(inner)),
    max_leaves=8,
)
EVENTS = st.lists(objects(VALUES), max_size=5)
EXTRAS = st.lists(st.tuples(STRINGS, VALUES).map(":".join), max_size=2)


@st.composite
def pages(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A page in any format, and the bytes of its events."""
    events = draw(EVENTS)
    listed = f"[{','.join(draw(SPACE) + event + draw(SPACE) for event in events)}]"
    if draw(st.integers(0, 5)) == 0:
        body = listed
    else:
        key = draw(st.sampled_from(['"entries"', '"items"', r'"\u0065ntries"']))
        cursor = draw(st.sampled_from(['""', '"abc"', "null", "12"]))
        members = [
            f"{key}:{draw(SPACE)}{listed}",
            f'"response_metadata":{{"next_cursor":{cursor}}}',
            *(extra for extra in draw(EXTRAS) if not SPECIAL.match(extra)),
        ]
        body = "{" + ",".join(draw(st.permutations(members))) + "}"
    mark = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\n"]))
    return mark + body.encode(), [event.encode() for event in events]


SPECIAL = re.compile(r'"(ok|entries|items|events|data|logs|response_metadata|[^"]*\\u)')


@fuzz
@given(pages())
def test_every_page_comes_through_byte_for_byte(
    pour: Pour, given: tuple[bytes, list[bytes]]
) -> None:
    body, events = given
    expected = [event.replace(b"\n", b"").replace(b"\r", b"") for event in events]
    assert pour(body, dedupe=None, transform=Transform()).events == expected
    kept = pour(body).events  # with dedupe: some of them, in order
    rest = iter(expected)
    assert all(event in rest for event in kept)


TOKENS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"-",
]
TOKENS += [
    b"null",
    b"1e999",
    b"NaN",
    b'"ok":false,',
    b'"entries":',
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"0",
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A page with bytes removed, inserted or swapped, or a page cut short."""
    body, _ = draw(pages())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        end = draw(st.integers(at, min(len(body), at + 8)))
        put = draw(st.one_of(st.just(b""), st.sampled_from(TOKENS), st.binary(max_size=3)))
        body = body[:at] + put + body[end:]
    return body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body


@pytest.mark.unmeasured
@fuzz
@given(damaged(), st.sampled_from(["fail", "replace", "escape"]), st.sampled_from([200, 400, 500]))
def test_a_damaged_page_gives_good_lines_or_one_error(
    pour: Pour, body: bytes, how: str, status: int
) -> None:
    try:
        poured = pour(body, status=status, cursor=True, on_invalid_utf8=how)
    except PollError as error:
        assert "\n" not in str(error)
        return
    for event in poured.events:
        json.loads(event, parse_int=_whole_number)
