"""The circuit breaker, with a clock that the tests set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.http.circuit_breaker import Breaker, open_secs
from helr.model import CircuitBreaker
from helr.pytest_plugin import FakeClock
from tests.unit.http.support import NOW


class Timed(Breaker):
    """A breaker with its clock; `at(secs)` moves it to that many seconds after its start."""

    def __init__(self, config: CircuitBreaker, saved: str | None = None) -> None:
        self.clock = FakeClock()
        super().__init__(config, self.clock, saved)

    def at(self, secs: float) -> Timed:
        self.clock.time = NOW + secs
        return self

    def open_until(self) -> float | None:
        """In seconds after the start."""
        until = self.blocked_until()
        return None if until is None else pytest.approx(until - NOW)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed("HTTP 500")


def test_failures_in_a_row_open_it_and_time_half_opens_it() -> None:
    breaker = Timed(CircuitBreaker(failure_threshold=3, half_open_timeout_secs=60))
    fail(breaker.at(100), 2)
    assert breaker.at(100).state() == "closed"
    fail(breaker.at(100), 1)
    assert breaker.at(100).state() == "open"
    assert breaker.at(159.9).open_until() == 160
    assert breaker.at(160).blocked_until() is None
    assert breaker.at(160).state() == "half-open"


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Timed(CircuitBreaker(failure_threshold=3))
    for _ in range(5):
        fail(breaker, 2)
        breaker.succeeded()
    assert breaker.at(0).state() == "closed"


def test_half_open_closes_after_enough_successes() -> None:
    breaker = Timed(CircuitBreaker(failure_threshold=1, success_threshold=2))
    fail(breaker, 1)
    breaker.succeeded()
    assert breaker.at(60).state() == "half-open"
    breaker.succeeded()
    assert breaker.at(60).state() == "closed"
    assert breaker.dump() is None


def test_half_open_opens_again_at_the_first_failure() -> None:
    breaker = Timed(CircuitBreaker(failure_threshold=5, success_threshold=2))
    fail(breaker, 5)
    breaker.succeeded()
    fail(breaker.at(60), 1)
    assert breaker.at(60).open_until() == 120
    breaker.succeeded()
    assert breaker.at(120).state() == "half-open"  # successes are counted from zero


def test_reset_timeout_shortens_the_open_time() -> None:
    config = CircuitBreaker(failure_threshold=1, half_open_timeout_secs=60, reset_timeout_secs=10)
    breaker = Timed(config)
    fail(breaker, 1)
    assert breaker.at(0).open_until() == 10


def test_failure_rate_needs_enough_requests() -> None:
    config = CircuitBreaker(failure_threshold=100, failure_rate_threshold=0.5, minimum_requests=4)
    breaker = Timed(config)
    for outcome in "x.x":
        breaker.succeeded() if outcome == "." else fail(breaker, 1)
    assert breaker.at(0).state() == "closed"
    fail(breaker, 1)
    assert breaker.at(0).state() == "open"


def test_failure_rate_looks_at_the_last_requests_only() -> None:
    config = CircuitBreaker(failure_threshold=100, failure_rate_threshold=0.5, minimum_requests=4)
    breaker = Timed(config)
    for _ in range(50):
        fail(breaker, 1)
        for _ in range(3):
            breaker.succeeded()
    assert breaker.at(0).state() == "closed"


def test_disabled_it_never_blocks_and_has_nothing_to_save() -> None:
    breaker = Timed(CircuitBreaker(enabled=False, failure_threshold=1))
    assert not breaker.failed("HTTP 500")
    assert breaker.at(0).blocked_until() is None


def test_a_clock_that_is_set_does_not_keep_it_open() -> None:
    """Neither in this process nor in the next; see test_wait.py for every way it can jump."""
    config = CircuitBreaker(failure_threshold=1, half_open_timeout_secs=60)
    breaker = Timed(config)
    breaker.clock.ahead = 1_000_000
    fail(breaker, 1)
    breaker.clock.ahead = 0
    assert breaker.at(59).state() == "open"
    assert breaker.at(60).state() == "half-open"
    assert Timed(config, breaker.dump()).state() == "half-open"  # begins in the future


def test_what_an_older_helr_saved_is_read() -> None:
    config = CircuitBreaker(half_open_timeout_secs=60)
    saved = '{"failures": 5, "recent": "", "until": %f, "successes": 0, "reason": "why"}'
    assert Timed(config, saved % (NOW + 30)).open_until() == 30
    assert Timed(config, saved % (NOW + 61)).state() == "half-open"  # longer than any wait can be
    assert Timed(config, saved % (NOW - 1)).state() == "half-open"
    assert Timed(config, saved % 0).state() == "closed"


@pytest.mark.parametrize(
    "saved",
    ["", "[]", "{", '{"until": "x"}', '{"until": 1e999}', "[" * 9999, '{"failures": null}', "7"],
)
def test_notes_that_cannot_be_read_mean_closed(saved: str) -> None:
    assert Timed(CircuitBreaker(), saved).state() == "closed"


configs = st.builds(
    CircuitBreaker,
    failure_threshold=st.integers(1, 5),
    success_threshold=st.integers(1, 3),
    half_open_timeout_secs=st.floats(1, 100),
    reset_timeout_secs=st.none() | st.floats(1, 100),
    failure_rate_threshold=st.none() | st.floats(0.1, 1),
    minimum_requests=st.none() | st.integers(1, 6),
)
steps = st.lists(st.tuples(st.sampled_from("x."), st.floats(0, 50)), max_size=40)


@given(configs, steps)
def test_it_survives_the_process_and_never_blocks_for_longer_than_configured(
    config: CircuitBreaker, history: list[tuple[str, float]]
) -> None:
    """A breaker saved and loaded after each change behaves like one that stays in memory."""
    clock = FakeClock()
    alive = Breaker(config, clock)
    saved: str | None = None
    for outcome, pause in history:
        clock.time += pause
        reborn = Breaker(config, clock, saved)
        assert reborn.state() == alive.state()
        until = alive.blocked_until()
        if until is not None:
            assert clock.now() < until <= clock.now() + open_secs(config) + 1e-6
            continue
        changed = alive.failed("why") if outcome == "x" else alive.succeeded()
        if changed:
            saved = alive.dump()


@given(configs, steps)
def test_an_open_breaker_has_a_reason(
    config: CircuitBreaker, history: list[tuple[str, float]]
) -> None:
    breaker, row = Timed(config), 0
    for outcome, pause in history:
        breaker.clock.time += pause
        if breaker.blocked_until() is not None:
            continue
        was = breaker.state()
        row = row + 1 if outcome == "x" else 0
        changed = breaker.failed("why") if outcome == "x" else breaker.succeeded()
        if outcome == ".":
            assert breaker.state() != "open"
            assert changed or (was == "closed" and breaker.dump() is None)
        elif was == "half-open" or row >= config.failure_threshold:
            assert breaker.state() == "open"
        if breaker.state() == "open":
            assert breaker.reason == "why"


def test_the_ordinary_success_writes_nothing() -> None:
    config = CircuitBreaker(failure_rate_threshold=0.5, minimum_requests=4)
    breaker = Timed(config)
    assert not any(breaker.succeeded() for _ in range(10))
    assert breaker.dump() is None
