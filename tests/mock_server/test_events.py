"""The events: the same for a seed, like Slack's, and full of what makes collectors stumble."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from mock_server.catalog import ACTIONS
from mock_server.events import MIN_TIME, Generator, given_event, spread


def made(seed: int, count: int, end: int = 1_760_000_000) -> list[bytes]:
    generator = Generator(seed)
    return [generator.make(n, when).raw for n, when in enumerate(spread(seed, count, end))]


def test_a_seed_and_a_time_give_the_same_bytes() -> None:
    assert made(3, 200) == made(3, 200)
    assert made(3, 200) != made(4, 200)


def test_an_event_but_for_its_time_depends_on_seed_and_number_alone() -> None:
    first, second = Generator(1).make(7, 1_700_000_000), Generator(1).make(7, 1_700_000_001)
    assert first.id == second.id
    assert first.raw.replace(b"1700000000", b"1700000001") == second.raw


def test_events_have_slacks_shape() -> None:
    known = {action for names in ACTIONS.values() for action in names}
    for raw in made(1, 3000):
        event = json.loads(raw)
        assert set(event) - {"details"} == {
            "id", "date_create", "action", "actor", "entity", "context",
        }  # fmt: skip
        assert event["action"] in known
        assert {"id", "name", "email"} <= set(event["actor"]["user"])
        assert event["entity"]["type"] in event["entity"]
        assert {"location", "ua", "session_id", "ip_address"} <= set(event["context"])


def test_what_the_filters_compare_is_what_stands_in_the_event() -> None:
    generator = Generator(2)
    for number in range(500):
        event = generator.make(number, 1_700_000_000)
        read = given_event(event.raw)
        assert (read.time, read.id, read.action) == (event.time, event.id, event.action)
        assert (read.actor, read.entity) == (event.actor, event.entity)


def test_events_are_varied_unique_and_about_680_bytes() -> None:
    events = made(1, 9999)
    decoded = [json.loads(raw) for raw in events]
    assert 650 < sum(map(len, events)) / len(events) < 710
    assert len({event["id"] for event in decoded}) == len(events)
    assert len({event["action"] for event in decoded}) > 150
    assert len({event["entity"]["type"] for event in decoded}) >= 10


@pytest.mark.parametrize(
    "awkward",
    [
        b'"session_id":null',
        b'"ip_address":""',
        b'"app":null',
        "🎉".encode(),
        rb"\ud83c\udf89",
        rb"\/537.36",
        rb"\"quoted\"",
        b"9007199254740993",
        b"1.50",
        b"1521214343.123456789012345678",
        rb"\u2028",
        "\u2028".encode(),
        b'"entries":[{"id":"no event"}]',
    ],
)
def test_awkward_content_is_among_a_thousand(awkward: bytes) -> None:
    assert any(awkward in raw for raw in made(1, 1000))


def test_seconds_hold_several_events_and_some_hold_dozens() -> None:
    times = spread(1, 20_000, 1_760_000_000)
    assert times == sorted(times)
    assert times[-1] == 1_760_000_000
    held = Counter(Counter(times).values())
    assert held[1] > 1000
    assert held[3] > 500
    assert any(count >= 24 for count in held)


def test_nothing_is_older_than_slacks_first_events() -> None:
    assert spread(1, 1000, MIN_TIME + 5)[0] == MIN_TIME


@pytest.mark.parametrize("bad", [b"[]", b"{}", b'{"date_create":1.5}', b"{", b"[" * 100_000])
def test_a_given_event_that_is_none_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError):
        given_event(bad)
