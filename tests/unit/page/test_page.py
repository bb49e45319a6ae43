"""A page: its columns, its seconds, and its memory, which is given back when it is left."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from helr.page.page import Page
from helr.pagination import LAST, Keep, More
from tests.unit.support import RECEIVED, respond


def page(column: list[Any]) -> Page:
    return Page(respond(), raws=[b"{}"] * len(column), fields={"at": column})


def test_a_column_has_a_value_or_none_for_each_event() -> None:
    of = page([1, None, "x"])
    assert of.column("at") == [1, None, "x"]
    assert of.column("absent") == [None, None, None]


@pytest.mark.parametrize(
    ("column", "has"),
    [([None, 0], True), ([None, False], True), ([None, None], False), ([], False)],
)
def test_whether_any_event_has_a_value(column: list[Any], has: bool) -> None:
    assert page(column).has("at") == has
    assert not page(column).has("absent")


@pytest.mark.parametrize(
    ("column", "whole"),
    [
        ([1, 1_700_000_000, 100_000_000_000], True),
        ([1, 100_000_000_001], False),  # milliseconds
        ([0, 1], False),
        ([1, 2.0], False),
        ([1, True], False),
        ([1, "2"], False),
        ([1, None], False),
        ([], False),
    ],
)
def test_seconds_are_there_when_every_event_has_them(column: list[Any], whole: bool) -> None:
    of = page(column)
    for _ in range(2):  # the second time from memory
        assert of.seconds("at") == (column if whole else None)


def test_its_token_is_what_leads_on() -> None:
    assert Page(respond(), next=More("c")).token == "c"
    assert Page(respond(), next=Keep("k")).token == "k"
    assert Page(respond(), next=LAST).token is None


def test_its_place_in_memory_is_given_back_when_it_is_left() -> None:
    response = respond()
    response.slot = place = threading.Semaphore(0)
    with pytest.raises(ValueError, match="in it"), Page(response) as of:
        assert (of.path, of.received) == ("/logs", RECEIVED)
        assert not place.acquire(blocking=False)
        raise ValueError("in it")
    assert place.acquire(blocking=False)
