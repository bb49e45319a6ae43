"""`max_line_bytes`: a line over it is cut, left out or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.lines.truncate import LineTooLongError
from helr.model import Dedupe, Transform
from tests.support import examples
from tests.unit.lines.support import (
    BREAKS,
    line_of,
    lines_of,
    source,
    texts,
)

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
    assert "2 cut; the longest is 5" in record.getMessage()
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
        f"slack-audit: {named} makes a line of {size} bytes, more than max_line_bytes (1024); "
        "raise it and the shipper's limit, or set max_line_bytes_behavior to truncate "
        "or skip"
    )


@examples(60)
@given(texts(BREAKS), st.integers(0, 3000), st.integers(0, 1500))
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
