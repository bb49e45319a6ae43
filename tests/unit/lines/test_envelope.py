"""A line: its keys, its label, id and time, and an event's bytes untouched between its braces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helr.lines.envelope import Lines
from helr.lines.truncate import LineTooLongError
from helr.messages import Request, Response
from helr.model import Dedupe, Resilience, Source, Timeouts, Transform
from helr.page.decoder import Decoder
from helr.page.page import Page
from helr.pagination.none import SinglePage

RECEIVED = 1_700_000_000.0  # 2023-11-14T22:13:20Z
URL = "https://api.example/audit/v1/logs"


def source(**changes: Any) -> Source:
    rules = Resilience(timeouts=Timeouts(connect_secs=1, request_secs=1, read_secs=1))
    changes.setdefault("max_line_bytes_behavior", "truncate")
    return Source(name="slack-audit", url=URL, resilience=rules, **changes)


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


def test_lines_are_made_as_they_are_asked_for_unless_their_length_matters() -> None:
    events = ['{"id":"a"}', '{"id":"b"}']
    for limit in (None, 10_000):
        of = source(max_line_bytes=limit)
        lines, count = Lines(of).build(page_of(of, *events))
        assert isinstance(lines, list) == bool(limit)
        assert (count, len(list(lines))) == (2, 2)


def line_of(event: bytes | str, **changes: Any) -> Any:
    [line] = lines_of(source(**changes), event)
    return json.loads(line)


# -- the frame


def test_keys_stand_in_this_order_and_the_line_ends_with_its_only_line_break() -> None:
    [line] = lines_of(source(), '{"id":"a","date_create":1521214343}')
    assert line == (
        b'{"endpoint":"/audit/v1/logs","event":{"id":"a","date_create":1521214343},"meta":{},'
        b'"source":"slack-audit","ts":"2018-03-16T15:32:23Z"}\n'
    )


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({}, "source", "slack-audit"),
        ({"label_value": "prod"}, "source", "prod"),
        ({"label_key": "service", "label_value": 'a "b" é'}, "service", 'a "b" é'),
    ],
)
def test_the_label(changes: dict[str, str], key: str, value: str) -> None:
    line = line_of("{}", **changes)
    assert list(line) == ["endpoint", "event", "meta", key, "ts"]
    assert line[key] == value


@pytest.mark.parametrize(
    ("event", "meta"),
    [
        ('{"uuid":"x-1"}', {"id": "x-1"}),
        ('{"uuid":42}', {"id": 42}),
        ('{"uuid":"é\\u0000"}', {"id": "é\0"}),
        ('{"uuid":"\\ud800"}', {"id": "\ud800"}),
        ('{"uuid":null}', {}),
        ('{"uuid":true}', {}),
        ('{"uuid":{"a":1}}', {}),
        ('{"uuid":[1]}', {}),
        ("{}", {}),
    ],
)
def test_meta_id(event: str, meta: dict[str, Any]) -> None:
    assert line_of(event, transform=Transform(id_field="uuid"))["meta"] == meta


def test_only_the_kept_events_in_the_order_of_the_page() -> None:
    of = source(transform=Transform(id_field="id"))
    events = [f'{{"id":{n},"date_create":{n + 1}}}' for n in range(5)]
    lines = [json.loads(line) for line in Lines(of).build(page_of(of, *events), [1, 3])[0]]
    assert [line["event"]["id"] for line in lines] == [1, 3]
    assert [line["meta"]["id"] for line in lines] == [1, 3]
    assert [line["ts"][-4:] for line in lines] == [":02Z", ":04Z"]


# -- ts


@pytest.mark.parametrize("field", ["published", "timestamp", "ts", "created_at", "date_create"])
def test_ts_comes_from_each_known_field(field: str) -> None:
    assert line_of(f'{{"{field}":1521214343}}')["ts"] == "2018-03-16T15:32:23Z"


def test_ts_comes_from_the_first_field_that_holds_a_time() -> None:
    event = '{"date_create":1521214343,"ts":{"no":"time"},"created_at":1521214344,"published":null}'
    assert line_of(event)["ts"] == "2018-03-16T15:32:24Z"


def test_events_of_one_page_may_have_different_time_fields() -> None:
    lines = lines_of(source(), '{"ts":1}', '{"date_create":2}', "{}")
    assert [json.loads(line)["ts"] for line in lines] == [
        "1970-01-01T00:00:01Z",
        "1970-01-01T00:00:02Z",
        "2023-11-14T22:13:20Z",
    ]


def test_a_configured_field_is_the_only_one_looked_at() -> None:
    own = Transform(timestamp_field="context.at")
    assert line_of('{"context":{"at":1},"ts":2}', transform=own)["ts"] == "1970-01-01T00:00:01Z"
    assert line_of('{"ts":2}', transform=own)["ts"] == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("value", "ts"),
    [
        ("1521214343", "2018-03-16T15:32:23Z"),
        ("1521214343.5", "2018-03-16T15:32:23.5Z"),
        ("1521214343123", "2018-03-16T15:32:23.123Z"),
        ("100000000000", "5138-11-16T09:46:40Z"),  # the last that is seconds
        ("100000000001", "1973-03-03T09:46:40.001Z"),
        ("0", "1970-01-01T00:00:00Z"),
        ("-1", "1969-12-31T23:59:59Z"),
        ('"2018-03-16T15:32:23+02:00"', "2018-03-16T15:32:23+02:00"),
        ('"1521214343"', "1521214343"),  # a string is kept, whatever it says
        ('"gestern, früh"', "gestern, früh"),
        ('""', "2023-11-14T22:13:20Z"),
        ("null", "2023-11-14T22:13:20Z"),
        ("true", "2023-11-14T22:13:20Z"),
        ("[1]", "2023-11-14T22:13:20Z"),
        ("1e300", "2023-11-14T22:13:20Z"),
    ],
)
def test_ts_of_each_kind_of_value(value: str, ts: str) -> None:
    assert line_of(f'{{"date_create":{value}}}')["ts"] == ts


def test_a_page_of_times_and_odd_values_side_by_side() -> None:
    values = ["1521214343", "null", '"kept"', "1521214343123", "-5"]
    lines = lines_of(source(), *(f'{{"date_create":{value}}}' for value in values))
    assert [json.loads(line)["ts"] for line in lines] == [
        "2018-03-16T15:32:23Z",
        "2023-11-14T22:13:20Z",
        "kept",
        "2018-03-16T15:32:23.123Z",
        "1969-12-31T23:59:55Z",
    ]


# -- the event's bytes

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


def _texts(space: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of JSON objects, with keys, numbers and blanks spelled in every way."""
    scalars = st.one_of(NUMBERS, STRINGS, st.sampled_from(["null", "true", "false"]))

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        items = st.lists(st.tuples(space, inner, space).map("".join), max_size=3)
        return st.one_of(items.map(lambda each: f"[{','.join(each)}]"), objects(inner))

    def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        member = st.tuples(space, STRINGS, space, st.just(":"), space, inner, space).map("".join)
        return st.lists(member, max_size=4).map(lambda each: "{" + ",".join(each) + "}")

    return objects(st.recursive(scalars, grow, max_leaves=8))


def _between(line: bytes) -> bytes:
    head, tail = b'{"endpoint":"/audit/v1/logs","event":', b',"meta":{},"source":"slack-audit"'
    assert line.startswith(head)
    assert line.endswith(b"}\n")
    return line[len(head) : line.rindex(tail)]


@settings(max_examples=60)
@given(_texts(SPACE))
@example('{"a":1.50,"a":1E5 , "\\u0061":"\\/","date_create":9007199254740993}')
def test_an_event_goes_through_unchanged(text: str) -> None:
    raw = text.encode("utf-8")
    [line] = lines_of(source(), raw)
    assert _between(line) == raw


@settings(max_examples=60)
@given(_texts(BREAKS))
@example('{\r\n"a":\n1\n}')
def test_of_an_event_with_line_breaks_only_these_are_removed(text: str) -> None:
    raw = text.encode("utf-8")
    [line] = lines_of(source(), raw)
    assert _between(line) == raw.replace(b"\n", b"").replace(b"\r", b"")
    assert line.count(b"\n") == 1
    assert json.loads(line)["event"] == json.loads(raw)


# -- max_line_bytes

LONG = '{"id":"E1","date_create":1521214343,"big":"' + "x" * 5000 + '","action":"user_login"}'


def members_of(text: bytes | str) -> tuple[tuple[str, Any], ...]:
    """An object's members in order, a name that stands twice too; arrays stay lists."""
    found: tuple[tuple[str, Any], ...] = json.loads(text, object_pairs_hook=tuple)
    return found


def test_a_cut_line_says_so_and_keeps_what_fits() -> None:
    [whole] = lines_of(source(), LONG)
    [line] = lines_of(source(max_line_bytes=1024), LONG)
    assert line == (
        b'{"endpoint":"/audit/v1/logs","event":{"id":"E1","date_create":1521214343,'
        b'"action":"user_login"},"meta":{"truncated":%d},"source":"slack-audit",'
        b'"ts":"2018-03-16T15:32:23Z"}\n' % len(whole)
    )


def test_a_line_of_exactly_the_limit_is_whole() -> None:
    [whole] = lines_of(source(), LONG)
    assert lines_of(source(max_line_bytes=len(whole)), LONG) == [whole]
    assert lines_of(source(max_line_bytes=len(whole) - 1), LONG) != [whole]


def test_id_and_time_come_first_wherever_they_stand() -> None:
    filler = ",".join(f'"k{n}":"{"y" * 90}"' for n in range(20))
    own = Transform(id_field="uuid", timestamp_field="context.at")
    event = f'{{{filler},"context":{{"big":"{"z" * 2000}","at":5}},"uuid":"U1"}}'
    line = line_of(event, max_line_bytes=1024, transform=own)
    assert line["meta"] == {"id": "U1", "truncated": len(lines_of(source(transform=own), event)[0])}
    assert line["event"]["uuid"] == "U1"
    assert line["event"]["context"] == {"at": 5}
    assert line["ts"] == "1970-01-01T00:00:05Z"
    assert list(line["event"])[:2] == ["k0", "k1"]


def test_an_object_that_does_not_fit_keeps_what_fits_of_it() -> None:
    event = '{"details": {"a" : 1.50, "b":"' + "x" * 3000 + '","c":[1, 2]},"id":"E1"}'
    [line] = lines_of(source(max_line_bytes=1024), event)
    assert b'"event":{"details": {"a" : 1.50,"c":[1, 2]},"id":"E1"}' in line


def test_endless_times_and_ids_give_way_to_the_limit() -> None:
    event = f'{{"ts":"{"t" * 3000}","id":"{"i" * 3000}","n":1}}'
    line = line_of(event, max_line_bytes=1024, transform=Transform(id_field="id"))
    assert line["event"] == {"n": 1}
    assert line["meta"].keys() == {"truncated"}
    assert line["ts"] == "2023-11-14T22:13:20Z"


def test_a_frame_that_leaves_no_room_is_left_out() -> None:
    assert lines_of(source(max_line_bytes=1024, label_value="v" * 2000), "{}") == [b""]


def test_skip_leaves_the_line_out_in_its_place(caplog: pytest.LogCaptureFixture) -> None:
    lines = lines_of(
        source(max_line_bytes=1024, max_line_bytes_behavior="skip"), '{"id":"a"}', LONG, "{}"
    )
    assert [bool(line) for line in lines] == [True, False, True]
    assert "lines over max_line_bytes (1024): 1 left out" in caplog.text
    assert "event E1" in caplog.text


def test_cut_lines_are_counted_once_a_page(caplog: pytest.LogCaptureFixture) -> None:
    lines_of(source(max_line_bytes=1024), LONG, LONG, "{}")
    [record] = caplog.records
    assert "2 cut; the longest has 5" in record.getMessage()
    assert record.fields == {"truncated": 2, "skipped": 0}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("event", "changes", "named"),
    [
        (LONG, {}, "event E1"),
        ('{"k":{"u":7},"x":"' + "x" * 2000 + '"}', {"dedupe": Dedupe("k.u")}, "event 7"),
        ('{"x":"' + "x" * 2000 + '"}', {}, "an event without id"),
    ],
)
def test_fail_names_the_event_its_size_and_the_way_out(
    event: str, changes: dict[str, Any], named: str
) -> None:
    size = len(lines_of(source(**changes), event)[0])
    limits: dict[str, Any] = {"max_line_bytes": 1024, "max_line_bytes_behavior": "fail"}
    with pytest.raises(LineTooLongError) as caught:
        lines_of(source(**limits, **changes), "{}", event)
    assert str(caught.value) == (
        f"slack-audit: {named} makes a line of {size} bytes, more than max_line_bytes (1024): "
        "raise it, and the shipper's limit with it, or set max_line_bytes_behavior to truncate "
        "or skip"
    )


@settings(max_examples=60)
@given(_texts(BREAKS), st.integers(0, 3000), st.integers(0, 1500))
def test_a_cut_line_is_valid_short_enough_and_holds_only_members_of_the_event(
    text: str, padding: int, depth_padding: int
) -> None:
    inner = text[:-1] + (", " if text.strip("{} \t\r\n") else "") + f'"p":"{"é" * depth_padding}"}}'
    event = f'{{"first":{text},"pad":"{"p" * padding}","inner":{inner},"date_create":7,"id":"é"}}'
    [whole] = lines_of(source(), event)
    [line] = lines_of(source(max_line_bytes=1024), event)
    assert len(line) <= 1024
    if len(whole) <= 1024:
        assert line == whole
        return
    assert line.count(b"\n") == 1
    found = json.loads(line)
    assert found["meta"] == {"truncated": len(whole)}
    assert found["ts"] == "1970-01-01T00:00:07Z"
    assert (found["event"]["id"], found["event"]["date_create"]) == ("é", 7)
    assert _is_part(members_of(line)[1][1], members_of(whole)[1][1])


def _is_part(part: Any, whole: Any) -> bool:
    """Every member stands in the whole, in the same order, as it is or itself as a part."""
    rest = iter(whole)
    return all(
        any(
            name == other
            and (
                value == there
                or (
                    isinstance(value, tuple) and isinstance(there, tuple) and _is_part(value, there)
                )
            )
            for other, there in rest
        )
        for name, value in part
    )
