"""The circuit breaker, with the time passed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.config.model import CircuitBreaker
from helr.transport.breaker import Breaker


def fail(breaker: Breaker, times: int, now: float = 0) -> None:
    for _ in range(times):
        breaker.failed(now, "HTTP 500")


def test_failures_in_a_row_open_it_and_time_half_opens_it() -> None:
    breaker = Breaker(CircuitBreaker(failure_threshold=3, half_open_timeout_secs=60))
    fail(breaker, 2, now=100)
    assert breaker.state(100) == "closed"
    fail(breaker, 1, now=100)
    assert breaker.state(100) == "open"
    assert breaker.blocked_until(159.9) == 160
    assert breaker.blocked_until(160) is None
    assert breaker.state(160) == "half-open"


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Breaker(CircuitBreaker(failure_threshold=3))
    for _ in range(5):
        fail(breaker, 2)
        breaker.succeeded()
    assert breaker.state(0) == "closed"


def test_half_open_closes_after_enough_successes() -> None:
    breaker = Breaker(CircuitBreaker(failure_threshold=1, success_threshold=2))
    fail(breaker, 1)
    breaker.succeeded()
    assert breaker.state(60) == "half-open"
    breaker.succeeded()
    assert breaker.state(60) == "closed"
    assert breaker.dump() is None


def test_half_open_opens_again_at_the_first_failure() -> None:
    breaker = Breaker(CircuitBreaker(failure_threshold=5, success_threshold=2))
    fail(breaker, 5)
    breaker.succeeded()
    fail(breaker, 1, now=60)
    assert breaker.blocked_until(60) == 120
    breaker.succeeded()
    assert breaker.state(120) == "half-open"  # successes are counted from nothing


def test_reset_timeout_shortens_the_open_time() -> None:
    config = CircuitBreaker(failure_threshold=1, half_open_timeout_secs=60, reset_timeout_secs=10)
    breaker = Breaker(config)
    fail(breaker, 1)
    assert breaker.blocked_until(0) == 10


def test_failure_rate_needs_enough_requests() -> None:
    config = CircuitBreaker(failure_threshold=100, failure_rate_threshold=0.5, minimum_requests=4)
    breaker = Breaker(config)
    for outcome in "x.x":
        breaker.succeeded() if outcome == "." else fail(breaker, 1)
    assert breaker.state(0) == "closed"
    fail(breaker, 1)
    assert breaker.state(0) == "open"


def test_failure_rate_looks_at_the_last_requests_only() -> None:
    config = CircuitBreaker(failure_threshold=100, failure_rate_threshold=0.5, minimum_requests=4)
    breaker = Breaker(config)
    for _ in range(50):
        fail(breaker, 1)
        for _ in range(3):
            breaker.succeeded()
    assert breaker.state(0) == "closed"


def test_disabled_it_never_blocks_and_has_nothing_to_save() -> None:
    breaker = Breaker(CircuitBreaker(enabled=False, failure_threshold=1))
    assert not breaker.failed(0, "HTTP 500")
    assert breaker.blocked_until(0) is None


def test_the_clock_set_back_does_not_keep_it_open() -> None:
    breaker = Breaker(CircuitBreaker(failure_threshold=1, half_open_timeout_secs=60))
    fail(breaker, 1, now=1_000_000)
    assert breaker.blocked_until(0) == 60


@pytest.mark.parametrize("saved", ["", "[]", "{", '{"until": "x"}', '{"failures": null}', "7"])
def test_notes_that_cannot_be_read_mean_closed(saved: str) -> None:
    assert Breaker(CircuitBreaker(), saved).state(0) == "closed"


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
    """A breaker that is saved and loaded after each change acts like one that lives on."""
    alive = Breaker(config)
    saved: str | None = None
    now = 0.0
    for outcome, pause in history:
        now += pause
        reborn = Breaker(config, saved)
        assert reborn.state(now) == alive.state(now)
        until = alive.blocked_until(now)
        if until is not None:
            assert now < until <= now + alive.open_secs
            continue
        changed = alive.failed(now, "why") if outcome == "x" else alive.succeeded()
        if changed:
            saved = alive.dump()


@given(configs, steps)
def test_an_open_breaker_has_a_reason(
    config: CircuitBreaker, history: list[tuple[str, float]]
) -> None:
    breaker, now, row = Breaker(config), 0.0, 0
    for outcome, pause in history:
        now += pause
        if breaker.blocked_until(now) is not None:
            continue
        was = breaker.state(now)
        row = row + 1 if outcome == "x" else 0
        changed = breaker.failed(now, "why") if outcome == "x" else breaker.succeeded()
        if outcome == ".":
            assert breaker.state(now) != "open"
            assert changed or (was == "closed" and breaker.dump() is None)
        elif was == "half-open" or row >= config.failure_threshold:
            assert breaker.state(now) == "open"
        if breaker.state(now) == "open":
            assert breaker.reason == "why"


def test_the_ordinary_success_writes_nothing() -> None:
    config = CircuitBreaker(failure_rate_threshold=0.5, minimum_requests=4)
    breaker = Breaker(config)
    assert not any(breaker.succeeded() for _ in range(10))
    assert breaker.dump() is None
