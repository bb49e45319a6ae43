"""A Retry-After: kept for the next process, and forgotten once it is over."""

from __future__ import annotations

import json

import pytest

from helr.http.retry_after import RetryAfter
from helr.pytest_plugin import FakeClock
from tests.unit.http.support import NOW, Memory


def test_it_is_noted_and_loaded_by_the_next_process(fake_clock: FakeClock) -> None:
    notes = Memory()
    held = RetryAfter(None, notes.note, fake_clock)
    assert (held.left(), held.until(), held.dump(), notes) == (0, None, None, {})
    assert held.set(30, "HTTP 429") == NOW + 30
    assert json.loads(notes["hold"]) == {"since": NOW, "until": NOW + 30, "reason": "HTTP 429"}
    assert notes["hold"] == held.dump()

    fake_clock.time += 10
    again = RetryAfter(notes["hold"], notes.note, fake_clock)
    assert (again.left(), again.until(), again.reason) == (20, NOW + 30, "HTTP 429")


def test_one_that_is_over_is_forgotten_once(fake_clock: FakeClock) -> None:
    notes = Memory()
    held = RetryAfter(None, notes.note, fake_clock)
    held.set(30, "HTTP 429")
    fake_clock.time += 30
    for _ in range(3):
        assert held.until() is None
    assert (held.reason, held.dump(), notes, notes.writes) == ("", None, {}, 2)


@pytest.mark.parametrize("saved", ["{", "[]", '{"until": "soon"}', '{"since": 1, "until": 31}'])
def test_one_that_is_over_or_unreadable_is_forgotten_at_the_start(
    saved: str, fake_clock: FakeClock
) -> None:
    notes = Memory()
    notes["hold"] = saved
    held = RetryAfter(saved, notes.note, fake_clock)
    assert (held.left(), held.dump(), notes) == (0, None, {})


def test_nothing_is_written_where_there_was_nothing(fake_clock: FakeClock) -> None:
    notes = Memory()
    RetryAfter(None, notes.note, fake_clock).lift()
    assert notes.writes == 0
