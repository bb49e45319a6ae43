"""A line: its keys, its label, id and time, and an event's bytes untouched between its braces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given

from helr.lines.envelope import Lines
from helr.model import Transform
from tests.support import examples
from tests.unit.lines.support import (
    BREAKS,
    SPACE,
    line_of,
    lines_of,
    page_of,
    source,
    texts,
)


def test_lines_are_made_as_they_are_asked_for_unless_their_length_matters() -> None:
    events = ['{"id":"a"}', '{"id":"b"}']
    for limit in (None, 10_000):
        of = source(max_line_bytes=limit)
        lines, count = Lines(of).build(page_of(of, *events))
        assert isinstance(lines, list) == bool(limit)
        assert (count, len(list(lines))) == (2, 2)


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


def _between(line: bytes) -> bytes:
    head, tail = b'{"endpoint":"/audit/v1/logs","event":', b',"meta":{},"source":"slack-audit"'
    assert line.startswith(head)
    assert line.endswith(b"}\n")
    return line[len(head) : line.rindex(tail)]


@examples(60)
@given(texts(SPACE))
@example('{"a":1.50,"a":1E5 , "\\u0061":"\\/","date_create":9007199254740993}')
def test_an_event_goes_through_unchanged(text: str) -> None:
    raw = text.encode("utf-8")
    [line] = lines_of(source(), raw)
    assert _between(line) == raw


@examples(60)
@given(texts(BREAKS))
@example('{\r\n"a":\n1\n}')
def test_of_an_event_with_line_breaks_only_these_are_removed(text: str) -> None:
    raw = text.encode("utf-8")
    [line] = lines_of(source(), raw)
    assert _between(line) == raw.replace(b"\n", b"").replace(b"\r", b"")
    assert line.count(b"\n") == 1
    assert json.loads(line)["event"] == json.loads(raw)
