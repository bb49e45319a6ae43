"""Settings that contradict each other, each named at the key to change."""

from __future__ import annotations

from typing import Any

import pytest

from helr.config.rules import contradictions

URL = "https://api.example/logs"
BEARER = {"type": "bearer", "token_env": "TOKEN"}


def found(**source: Any) -> list[tuple[str | int, ...]]:
    return [path for path, _ in contradictions({"url": URL, **source})]


def test_an_ordinary_source_has_none() -> None:
    assert found(auth=BEARER, query_params={"limit": "5"}, headers={"X-Team": "blue"}) == []


@pytest.mark.parametrize("url", ["https://a.example:0/", "https://a.example:x/"])
def test_a_port_that_cannot_be(url: str) -> None:
    assert found(url=url) == [("url",)]


@pytest.mark.parametrize(
    ("url", "more", "exposed"),
    [
        ("http://a.example/", {"auth": BEARER}, True),
        ("HTTP://a.example/", {"auth": BEARER}, True),
        ("http://a.example/?api_key=x", {}, True),
        ("http://a.example/", {"headers": {"X-Api-Key": "x"}}, True),
        ("http://bob:pw@a.example/", {}, True),
        ("http://a.example/", {}, False),
        ("http://127.0.0.1/", {"auth": BEARER}, False),
        ("http://localhost:8787/", {"auth": BEARER}, False),
        ("http://a.example/", {"auth": BEARER, "allow_insecure": True}, False),
    ],
)
def test_credentials_over_plain_http(url: str, more: dict[str, Any], exposed: bool) -> None:
    assert found(url=url, **more) == ([("url",)] if exposed else [])


def test_a_parameter_that_would_be_sent_twice() -> None:
    pagination = {"cursor_param": "c"}
    assert found(query_params={"c": "1"}, pagination=pagination) == [("query_params", "c")]
    assert found(url=f"{URL}?limit=5", first_request_query_params={"limit": "5"}) == [
        ("first_request_query_params", "limit")
    ]
    assert found(url=f"{URL}?c=", pagination=pagination) == [("url",)]
    assert found(incremental_from={"param_name": "c"}, pagination=pagination) == [
        ("incremental_from", "param_name")
    ]


def test_headers_are_compared_in_any_case() -> None:
    assert found(headers={"AUTHORIZATION": "x"}, auth=BEARER) == [("headers", "AUTHORIZATION")]
    assert found(headers={"AUTHORIZATION": "x"}) == []
    assert found(headers={"X-A": "1", "x-a": "2"}) == [("headers", "x-a")]


def test_waits_that_cannot_be_waited() -> None:
    backoff = {"retries": {"initial_backoff_secs": 9, "max_backoff_secs": 5}}
    assert found(resilience=backoff) == [("resilience", "retries", "initial_backoff_secs")]
    limits = {"timeouts": {"connect_secs": 31, "read_secs": 30}}  # 30 s for a complete request
    assert found(resilience=limits) == [("resilience", "timeouts", "connect_secs")]
    assert found(resilience={"timeout_secs": 60, **limits}) == []
