"""The waits that servers ask for, in every format."""

from __future__ import annotations

import time
from email.utils import formatdate
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.http.rate_headers import (
    asked_wait,
    remaining,
    says_limited,
    spent_wait,
    wait_in,
    wait_in_body,
)
from helr.model import RateLimit
from tests.unit.http.support import NOW

LIMITS = RateLimit()
NOTHING = (0.0, "")
AT = int(NOW) + 25


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


def at(form: str) -> str:
    return time.strftime(form, time.gmtime(AT))


@pytest.mark.parametrize(
    "value",
    [
        *("25", "25.0", " 25 ", '"25"', "25s", "25 s", "25 sec", "25 seconds", "25000ms", "0m25s"),
        *("25000 milliseconds", "PT25S", "pt0m25s", "25, 25", "25,5", "25;w=60", "0h0m25s"),
        *(str(AT), f"{AT}.0", str(AT * 1000), str(AT * 10**6), str(AT * 10**9), f'"{AT}"'),
        *(
            at("%a, %d %b %Y %H:%M:%S GMT"),
            at("%A, %d-%b-%y %H:%M:%S GMT"),
            at("%a %b %d %H:%M:%S %Y"),
        ),
        *(at("%Y-%m-%dT%H:%M:%SZ"), at("%Y-%m-%d %H:%M:%S"), at("%Y-%m-%dT%H:%M:%S.000+00:00")),
        at("%a, %d %b %Y %H:%M:%S +0000"),
    ],
)
def test_every_spelling_of_25_seconds(value: str) -> None:
    assert wait_in(value, NOW) == pytest.approx(25)
    assert asked(Retry_After=value) == (pytest.approx(25), "Retry-After")
    assert asked(X_RateLimit_Reset=value) == (pytest.approx(25), "X-RateLimit-Reset")


@pytest.mark.parametrize(
    ("value", "secs"),
    [
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("250ms", 0.25),
        ("1 minute", 60),
        ("2 hours", 7200),
        ("1d", 86_400),
        ("P1DT1S", 86_401),
        ("2023-11-14T22:14Z", 40),  # without seconds, as Atlassian sends it
    ],
)
def test_other_lengths(value: str, secs: float) -> None:
    assert wait_in(value, NOW) == pytest.approx(secs)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "soon",
        "-5",
        "1e9999",
        "nan",
        "12 parsecs",
        ",",
        ";",
        "m",
        "P",
        "PT",
        "1 2 3",
        "\u0663",
    ],
)
def test_what_means_nothing(value: str) -> None:
    assert not wait_in(value, NOW)


@given(st.text(max_size=40) | st.from_regex(r"[0-9:., TZPsmhd=;\"-]{0,40}", fullmatch=True))
def test_no_value_is_an_error_or_not_a_number(value: str) -> None:
    secs = wait_in(value, NOW)
    assert secs is None or isfinite(secs)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Retry-After", "25"),
        ("X-Retry-After", str(AT)),
        ("Retry-After-Ms", "25000"),
        ("x-ms-retry-after-ms", "25000"),
        ("X-RateLimit-Reset", "25"),
        ("X-Rate-Limit-Reset", str(AT)),
        ("RateLimit-Reset", "25"),
        ("X-RateLimit-Reset-After", "25.0"),
        ("x-ratelimit-reset-requests", "25s"),
        ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:45Z"),
        ("RateLimit", "limit=100, remaining=0, reset=25"),
        ("RateLimit", '"default";r=0;t=25'),
        ("RateLimit", '"burst";r=0;t=25, "daily";r=9;t=3600'),
        ("RateLimit", '"burst";r=0;t=5, "daily";r=0;t=25'),
    ],
)
def test_the_usual_headers_are_known(name: str, value: str) -> None:
    secs, header = asked_wait(Headers({name: value}), LIMITS, NOW, limited=True)
    assert secs == 25
    assert header.lower() == name.lower()


class Headers(dict[str, str]):
    """Headers with case-insensitive names."""

    def __init__(self, given: dict[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in given.items()})

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        return super().get(name.lower(), default)


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"X-RateLimit-Remaining": "3"}, 3),
        ({"X-Rate-Limit-Remaining": "0"}, 0),
        ({"RateLimit-Remaining": "7;w=60"}, 7),
        ({"X-RateLimit-Remaining": "0, 100"}, 0),
        ({"RateLimit": '"a";r=4;t=9, "b";r=2;t=9'}, 2),
        ({"RateLimit": "limit=9, remaining=5, reset=9"}, 5),
        ({"X-RateLimit-Remaining": "many"}, None),
        ({}, None),
    ],
)
def test_how_many_requests_are_left(headers: dict[str, str], left: float | None) -> None:
    assert remaining(Headers(headers), LIMITS) == left


def test_a_reset_without_a_limit_counts_only_when_nothing_is_left() -> None:
    for name, value, secs in (
        ("X-Rate-Limit-Remaining", "0", 25),
        ("X-Rate-Limit-Remaining", "1", 0),
        ("RateLimit", '"a";r=0;t=9', 25),
        ("RateLimit", '"a";r=1;t=9', 0),
    ):
        headers = Headers({name: value, "X-Rate-Limit-Reset": str(AT)})
        assert asked_wait(headers, LIMITS, NOW, limited=False)[0] == secs


@pytest.mark.parametrize(
    ("status", "headers", "said", "limited"),
    [
        (429, {}, "", True),
        (420, {}, "", True),
        (403, {"X-RateLimit-Remaining": "0"}, "", True),
        (403, {"Retry-After": "60"}, "", True),
        (403, {}, "You have exceeded a secondary rate limit.", True),
        (403, {}, " rateLimitExceeded", True),
        (403, {}, " userRateLimitExceeded", True),
        (403, {}, " dailyLimitExceeded", True),
        (403, {}, " quotaExceeded", True),
        (400, {}, " RATELIMITED", True),
        (200, {}, " ratelimited", True),
        (200, {}, " rate_limited", True),
        (403, {"X-RateLimit-Remaining": "59"}, " missing_scope", False),
        (403, {}, "Resource not accessible by integration", False),
        (401, {"X-RateLimit-Remaining": "0"}, "", False),
        (400, {}, "limit must be at most 100", False),
        (404, {}, "rate limit", False),
    ],
)
def test_which_errors_are_a_rate_limit(
    status: int, headers: dict[str, str], said: str, limited: bool
) -> None:
    assert says_limited(status, Headers(headers), said, LIMITS) is limited


@pytest.mark.parametrize(
    ("body", "secs"),
    [
        (b'{"retry_after": 25}', 25),
        (b'{"error":{"code":429,"retryAfter":"25s"}}', 25),
        (b'{"parameters":{"retry_after":25.5}}', 25.5),
        (b'{"retryAfterMs":25000}', 25),
        (b'{"retry_after_seconds":"25"}', 25),
        (b'{"retry-after":%d}' % AT, 25),
        (b'{"retry_after":null}', 0),
        (b'{"retry_after":-1}', 0),
        (b'{"message":"retry_after 25"}', 0),
        (b"\xff\xfe", 0),
        (b"", 0),
    ],
)
def test_a_wait_in_the_body(body: bytes, secs: float) -> None:
    assert wait_in_body(body, NOW) == pytest.approx(secs)
