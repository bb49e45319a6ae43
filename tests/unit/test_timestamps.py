"""helr.timestamps: numbers and ISO 8601 as instants, and back."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.timestamps import earlier, instant, rfc3339, spell, spelling


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1521214343, 1521214343),
        (1521214343.25, 1521214343.25),
        ("1521214343", 1521214343),
        ("1521214343.5", 1521214343.5),
        (1521214343123, 1521214343.123),
        (1521214343123456, 1521214343.123456),
        (1521214343123456789, pytest.approx(1521214343.123456789)),
        (-1, -1),
        ("2018-03-16T15:32:23Z", 1521214343),
        ("2018-03-16t15:32:23z".upper(), 1521214343),
        ("2018-03-16 15:32:23Z", 1521214343),
        ("2018-03-16T15:32:23", 1521214343),
        ("2018-03-16T16:32:23+01:00", 1521214343),
        ("2018-03-16T10:02:23-0530", 1521214343),
        ("2018-03-16T16:32:23+01", 1521214343),
        ("2018-03-16T15:32:23.250Z", 1521214343.25),
        ("2018-03-16T15:32:23,250Z", 1521214343.25),
        ("2018-03-16", 1521158400),
        ("2018-03-16T15:32Z", 1521214320),
    ],
)
def test_a_time_is_an_instant(value: Any, seconds: float) -> None:
    assert instant(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None, True, "", "soon", [], {}, "2018-13-01", "2018-02-30T00:00:00Z", "2018-03-16T25:00Z",
        float("nan"), float("inf"), 10**40, -(10**40), "1e9", "0000-01-01", "12:00", "9" * 60,
        "2018-03-16T15:32:23Z\n",
    ],
)  # fmt: skip
def test_anything_else_is_no_time(value: Any) -> None:
    assert instant(value) is None


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)))
def test_rfc3339_reads_back(at: datetime) -> None:
    whole = at.replace(microsecond=0, tzinfo=timezone.utc)
    seconds = int(whole.timestamp())
    text = rfc3339(seconds)
    assert text == whole.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
    assert instant(text) == seconds


def test_a_fraction_is_written_only_when_there_is_one() -> None:
    assert rfc3339(1521214343) == "2018-03-16T15:32:23Z"
    assert rfc3339(1521214343.25) == "2018-03-16T15:32:23.25Z"
    assert rfc3339(1521214343.9999999) == "2018-03-16T15:32:24Z"


def test_times_keep_their_spelling_when_they_are_sent_back() -> None:
    assert spell(1521214343) == "1521214343"
    assert spell(1.521214343e9) == "1521214343"
    assert spell("2018-03-16T15:32:23.250Z") == "2018-03-16T15:32:23.250Z"


@pytest.mark.parametrize(
    ("spelling", "back"),
    [
        ("1521214343", "1521214043"),
        ("1521214343000", "1521214043000"),
        ("2018-03-16T15:32:23Z", "2018-03-16T15:27:23Z"),
        ("2018-03-16T16:32:23+01:00", "2018-03-16T15:27:23Z"),
        ("no time", "no time"),
    ],
)
def test_a_lookback_is_spelled_like_the_time_it_starts_from(spelling: str, back: str) -> None:
    assert earlier(spelling, 300) == back
    assert earlier(spelling, 0) == spelling


@pytest.mark.parametrize(
    ("text", "manner"),
    [
        ("1521214343", "Unix seconds"),
        ("1521214343.5", "Unix seconds"),
        ("1521214343000", "milliseconds"),
        ("1521214343000000", "microseconds"),
        ("1521214343000000000", "nanoseconds"),
        ("2018-03-16", "ISO 8601"),
    ],
)
def test_how_a_time_is_spelled(text: str, manner: str) -> None:
    assert spelling(text) == manner
