"""Backoff, the server's wishes, and our own cap."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.config.model import RateLimit, Retries
from helr.transport.pacing import Bucket, asked_wait, backoff, spent_wait
from tests.unit.transport.support import NOW, VirtualClock

LIMITS = RateLimit()
NOTHING = (0.0, "")


def asked(limited: bool = True, limits: RateLimit = LIMITS, **headers: str) -> tuple[float, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asked_wait(named, limits, NOW, limited=limited)


@pytest.mark.parametrize(
    ("value", "secs"),
    [("30", 30), (" 1.5 ", 1.5), (formatdate(NOW + 90, usegmt=True), 90)],
)
def test_retry_after_in_seconds_and_as_a_date(value: str, secs: float) -> None:
    assert asked(Retry_After=value) == (secs, "Retry-After")


@pytest.mark.parametrize(
    "value",
    ["", "soon", "-5", "0", "nan", "inf", "1e999", formatdate(NOW - 90), "Fri, 99 Foo 2026 1:1:1"],
)
def test_a_retry_after_that_says_nothing_is_no_wait(value: str) -> None:
    assert asked(Retry_After=value) == NOTHING


def test_dates_are_compared_with_the_servers_own_clock() -> None:
    ahead = NOW + 3600
    date = formatdate(ahead, usegmt=True)
    assert asked(Date=date, Retry_After=formatdate(ahead + 20, usegmt=True))[0] == 20
    assert asked(Date=date, X_RateLimit_Reset=str(int(ahead) + 40))[0] == 40


@pytest.mark.parametrize(
    ("value", "secs"),
    [
        (str(int(NOW) + 25), 25),
        (str((int(NOW) + 25) * 1000), 25),
        ("25", 25),
        (formatdate(NOW + 25, usegmt=True), 25),
    ],
)
def test_reset_as_unix_seconds_milliseconds_seconds_from_now_and_date(
    value: str, secs: float
) -> None:
    assert asked(X_RateLimit_Reset=value) == (secs, "X-RateLimit-Reset")


def test_retry_after_wins_over_reset_and_a_renamed_header_is_read() -> None:
    assert asked(Retry_After="3", X_RateLimit_Reset="9") == (3, "Retry-After")
    assert asked(limits=RateLimit(reset_header="X-Rate-Reset"), X_Rate_Reset="9") == (
        9,
        "X-Rate-Reset",
    )


def test_reset_counts_only_when_the_budget_is_the_trouble() -> None:
    assert asked(limited=False, X_RateLimit_Reset="900") == NOTHING
    assert asked(limited=False, X_RateLimit_Reset="900", X_RateLimit_Remaining="7") == NOTHING
    assert asked(limited=False, X_RateLimit_Reset="900", X_RateLimit_Remaining="0")[0] == 900
    assert asked(limited=False, Retry_After="30")[0] == 30


@pytest.mark.parametrize(("remaining", "secs"), [("0", 8), ("1", 8), ("2", 0), ("", 0), ("x", 0)])
def test_adaptive_waits_when_at_most_one_request_is_left(remaining: str, secs: float) -> None:
    headers = {"X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": "8"}
    assert spent_wait(headers, LIMITS, NOW) == secs


def test_adaptive_without_a_reset_does_not_wait() -> None:
    assert spent_wait({"X-RateLimit-Remaining": "0"}, LIMITS, NOW) == 0


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
    clock = VirtualClock()
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
    bucket = Bucket(RateLimit(max_requests_per_second=2.5), VirtualClock())
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.4]
    assert bucket.wait() == bucket.wait() == 0.8, "to ask takes none"


def test_without_a_cap_there_is_no_wait() -> None:
    bucket = Bucket(RateLimit(), VirtualClock())
    assert {bucket.take() for _ in range(1000)} == {0}
