"""Waits and clocks that jump: a wait is never longer than requested."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.http.retry_after import RetryAfter
from helr.http.wait import MOST_SECS, Wait, remaining
from helr.pytest_plugin import FakeClock
from tests.unit.http.support import NOW, Memory

DAY = 86_400
jumps = st.sampled_from([0, 0, -1, 1, -90, 3600, -3600, -DAY, DAY, 400 * DAY, -400 * DAY])
seconds = st.sampled_from([0.5, 1, 30, 90, 3600, DAY])


@given(seconds, st.lists(st.tuples(jumps, st.floats(0, 200)), max_size=8))
def test_in_one_process_a_wait_is_never_longer_than_asked(
    secs: float, history: list[tuple[float, float]]
) -> None:
    clock = FakeClock()
    wait = Wait(clock)
    wait.begin(secs)
    for jump, pause in history:
        clock.ahead += jump
        clock.time += pause
        gone = clock.time - NOW
        left = wait.left()
        assert left <= max(secs - gone, 0) + 1e-3
        if jump == 0 == clock.ahead:
            assert left == pytest.approx(max(secs - gone, 0), abs=2e-3)
    assert not left_after(wait, clock, secs)


def left_after(wait: Wait, clock: FakeClock, secs: float) -> float:
    clock.time += secs
    return wait.left()


@given(seconds, st.lists(st.tuples(jumps, st.floats(0, 200)), max_size=8))
def test_in_a_process_each_it_is_over_after_what_was_asked(
    secs: float, history: list[tuple[float, float]]
) -> None:
    """The next process cannot notice a clock that was set back by less than the time that passed;
    even so, the remaining wait is never longer than requested."""
    clock, notes = FakeClock(), Memory()
    RetryAfter(notes.get("hold"), notes.note, clock).set(secs, "why")
    for jump, pause in history:
        clock.ahead += jump
        clock.time += pause
        until = RetryAfter(notes.get("hold"), notes.note, clock).until()
        assert until is None or until - clock.now() <= secs
    clock.ahead, clock.time = 0.0, clock.time + secs
    assert RetryAfter(notes.get("hold"), notes.note, clock).until() is None
    assert not notes


@pytest.mark.parametrize("ahead", [8 * 3600, 365 * DAY, 1])
def test_what_was_noted_under_a_clock_that_was_ahead_is_over(ahead: float) -> None:
    clock, notes = FakeClock(), Memory()
    clock.ahead = ahead
    RetryAfter(notes.get("hold"), notes.note, clock).set(90, "why")
    clock.ahead = 0
    assert RetryAfter(notes.get("hold"), notes.note, clock).until() is None


def test_a_hold_is_no_longer_than_a_day_and_keeps_its_reason() -> None:
    clock, notes = FakeClock(), Memory()
    assert RetryAfter(notes.get("hold"), notes.note, clock).set(30 * DAY, "why") == NOW + MOST_SECS
    hold = RetryAfter(notes.get("hold"), notes.note, clock)
    assert (hold.until(), hold.reason) == (NOW + MOST_SECS, "why")
    assert json.loads(notes["hold"]) == {"since": NOW, "until": NOW + MOST_SECS, "reason": "why"}


@pytest.mark.parametrize(
    ("record", "left"),
    [
        ({"until": NOW + 30}, 30),  # written by an older helr
        ({"until": NOW + DAY}, DAY),
        ({"until": NOW + DAY + 1}, 0),
        ({"until": 3_587_000_000}, 0),
        ({"since": NOW, "until": NOW + 30}, 30),
        ({"since": NOW - 60, "until": NOW + 30}, 30),
        ({"since": NOW + 1, "until": NOW + 30}, 0),
        ({"since": "soon", "until": NOW + 30}, 0),
        ({"since": None, "until": NOW + 30}, 30),
        ({"until": NOW - 1}, 0),
        ({"until": float("inf")}, 0),
        ({"until": float("nan")}, 0),
        ({"until": "30"}, 0),
        ({"until": True}, 0),
        ({"until": 10**400}, 0),
        ({}, 0),
    ],
)
def test_what_is_left_of_a_record(record: dict[str, Any], left: float) -> None:
    assert remaining(record, NOW) == left
