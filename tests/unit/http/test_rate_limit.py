"""Backoff, and helr's own rate limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from helr.http.rate_limit import Bucket
from helr.http.retry import backoff
from helr.model import RateLimit, Retries
from helr.pytest_plugin import FakeClock


def test_backoff_grows_to_its_cap() -> None:
    retries = Retries(
        initial_backoff_secs=2, multiplier=2, max_backoff_secs=10, jitter=0, max_attempts=9
    )
    assert [backoff(retries, n) for n in (1, 2, 3, 4, 5000)] == [2, 4, 8, 10, 10]


@given(st.integers(1, 50), st.floats(0, 1))
def test_jitter_stays_in_its_share_and_under_the_cap(attempt: int, jitter: float) -> None:
    retries = Retries(initial_backoff_secs=1, multiplier=2, max_backoff_secs=60, jitter=jitter)
    plain = min(2.0 ** (attempt - 1), 60)
    slack = 1e-9
    wait = backoff(retries, attempt)
    assert plain * (1 - jitter) - slack <= wait <= min(plain * (1 + jitter), 60) + slack


@given(st.floats(0.1, 50), st.integers(1, 10), st.lists(st.floats(0, 3), max_size=60))
def test_the_bucket_lets_no_more_through_than_burst_and_rate(
    rate: float, burst: int, pauses: list[float]
) -> None:
    clock = FakeClock()
    bucket = Bucket(RateLimit(max_requests_per_second=rate, burst_size=burst), clock)
    sent: list[float] = []
    for pause in pauses:
        clock.time += pause
        clock.sleep(bucket.take())
        sent.append(clock.monotonic())
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            allowed = burst + rate * (sent[last] - sent[first])
            assert last - first + 1 <= allowed + 1e-3


def test_the_burst_defaults_to_the_rate_rounded_up() -> None:
    bucket = Bucket(RateLimit(max_requests_per_second=2.5), FakeClock())
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.4]
    assert bucket.wait() == bucket.wait() == 0.8, "to ask takes none"


def test_without_a_cap_there_is_no_wait() -> None:
    bucket = Bucket(RateLimit(), FakeClock())
    assert {bucket.take() for _ in range(1000)} == {0}
