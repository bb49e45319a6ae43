"""What `helr validate` warns about, and how many calls a minute it counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helr.config import warnings
from helr.config.load import examine

SLACK = """
sources:
  slack:
    url: https://api.slack.com/audit/v1/logs
    auth: {type: bearer, token_env: T}
    query_params: {limit: 200}
    pagination:
      strategy: cursor
      cursor_param: cursor
      cursor_path: response_metadata.next_cursor
      max_pages: 25
    incremental_from:
      {state_key: o, event_timestamp_path: date_create, param_name: oldest, lookback_secs: 600}
    dedupe: {id_path: id, capacity: 500000}
"""
Warn = Callable[..., list[str]]


@pytest.fixture
def warn(write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Warn:
    """The warnings for the given text, each without file, line and column."""
    monkeypatch.setenv("T", "xoxp-planted")

    def warn(text: str) -> list[str]:
        write(text)
        found = examine("helr.yaml", environ={})[1]
        assert all(problem.line for problem in found)
        return [str(problem).split(": ", 1)[1].partition(" (helr help ")[0] for problem in found]

    return warn


def test_a_good_one_gives_none(warn: Warn) -> None:
    assert warn(SLACK) == []
    assert not Path("helr-state.db.checked").exists(), "validate leaves nothing behind"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "limit: 200",
            "limit: 10000",
            "query_params.limit: Slack returns at most 9999 events per page",
        ),
        (
            "limit: 200",
            f"limit: 200, action: {','.join(['a'] * 31)!r}",
            "query_params.action: Slack accepts at most 30 actions, not 31",
        ),
        (
            "query_params:",
            "first_request_query_params: {oldest: 1519862399}\n    query_params:",
            "first_request_query_params.oldest: Slack has no events before March 2018",
        ),
        *(
            (
                "query_params:",
                f"first_request_query_params: {{oldest: {given}}}\n    query_params:",
                f"first_request_query_params.oldest: {said}",
            )
            for given, said in (
                ("2018-03-16T15:32:23Z", "Slack accepts only whole Unix seconds; write 1521214343"),
                ("1521214343000", "Slack accepts only whole Unix seconds; write 1521214343"),
                ("4000000000", "is in the future (2096-10-02T07:06:40Z)"),
            )
        ),
        (
            "limit: 200",
            "limit: 200, latest: 1600000000",
            "query_params.latest: events after this time are never fetched, however long helr runs",
        ),
        (
            "limit: 200",
            "limit: 200, oldest: 1600000000",
            "query_params.oldest: applies only until there is a watermark, which replaces it; "
            "move it to first_request_query_params to make that clear",
        ),
        (
            "capacity: 500000",
            "capacity: 9999",
            "dedupe.capacity: 9999 ids are fewer than two polls may return; set it to 10000",
        ),
        (
            "max_pages: 25",
            "max_pages: 51",
            "pagination.max_pages: up to 51 calls a minute, but Slack allows 50 for the whole "
            "organization; set resilience.rate_limit.page_delay_secs to 2, or lower max_pages",
        ),
        (
            "next_cursor",
            "next_curser",
            "pagination.cursor_path: Slack returns the next cursor in "
            "response_metadata.next_cursor: every page would seem to be the last, and the events "
            "after it would never be fetched",
        ),
        (
            "cursor_param: cursor",
            "cursor_param: curser",  # codespell:ignore
            "pagination.cursor_param: Slack's cursor parameter is cursor: with another name it "
            "would return its first page over and over",
        ),
        (
            "param_name: oldest",
            "param_name: oldst",
            "incremental_from.param_name: Slack's start parameter is oldest: with another name it "
            "would return all events in each chain",
        ),
        (
            "event_timestamp_path: date_create",
            "event_timestamp_path: date",
            "incremental_from.event_timestamp_path: the time of Slack's events is in date_create",
        ),
        ("id_path: id", "id_path: idd", "dedupe.id_path: the id of Slack's events is in id"),
        (
            ", lookback_secs: 600}\n    dedupe: {id_path: id, capacity: 500000}\n",
            "}\n",
            [
                "no dedupe: a crash may repeat up to a page of events",
                "incremental_from: no lookback_secs: events that the API shows late are lost; set "
                "it to 600 or more, together with dedupe, which drops the repeats",
            ],
        ),
        (
            "    dedupe:",
            "    resilience: {rate_limit: {burst_size: 5}}\n    dedupe:",
            "resilience.rate_limit.burst_size: has no effect without max_requests_per_second",
        ),
        (
            "    dedupe:",
            "    resilience: {circuit_breaker: {minimum_requests: 5}}\n    dedupe:",
            "resilience.circuit_breaker.minimum_requests: has no effect without "
            "failure_rate_threshold",
        ),
        (
            "https://api",
            "https://user:pass@api",
            "url: contains a user or password; use auth, which keeps secrets out of the config",
        ),
    ],
)
def test_each(warn: Warn, old: str, new: str, expected: str | list[str]) -> None:
    assert old in SLACK
    found = warn(SLACK.replace(old, new))
    assert [
        line.removeprefix("sources.slack.").removeprefix("sources.slack: ") for line in found
    ] == (expected if isinstance(expected, list) else [expected])


def test_no_incremental_from(warn: Warn) -> None:
    text = "".join(line for line in SLACK.splitlines(True) if "incremental" not in line)
    text = "".join(line for line in text.splitlines(True) if "lookback" not in line)
    assert "no incremental_from: each chain fetches all events again, and dedupe" in warn(text)[0]
    text = "".join(line for line in text.splitlines(True) if "dedupe" not in line)
    assert (
        "no incremental_from and no dedupe: each chain delivers all events again" in warn(text)[0]
    )
    assert len(warn(text)) == 1


def test_another_kind_of_token_is_reported_without_showing_it(
    warn: Warn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T", "xoxb-planted")
    expected = "the token does not begin with xoxp-, so Slack will reject it"
    assert warn(SLACK) == [f"sources.slack.auth.token_env: {expected}"]


def test_a_mock_on_another_host_gets_the_same_advice(warn: Warn) -> None:
    text = SLACK.replace("https://api.slack.com", "http://127.0.0.1:8787")
    assert len(warn(text.replace("limit: 200", "limit: 10000"))) == 1


def test_another_api_gets_none_of_it(warn: Warn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T", "anything")
    text = SLACK.replace("/audit/v1/logs", "/other").replace("limit: 200", "limit: 10000")
    assert warn(text) == []


def test_two_sources_share_the_calls(warn: Warn) -> None:
    second = SLACK.replace("\nsources:\n", "").replace("  slack:", "  other:")
    assert warn(SLACK + second) == []
    found = warn(SLACK + second.replace("max_pages: 25", "max_pages: 26"))
    assert len(found) == 1
    assert found[0].startswith("sources: together up to 51 calls a minute")


def test_memory(warn: Warn) -> None:
    found = warn("\nglobal: {state: {backend: memory}}" + SLACK)
    expected = "the memory backend keeps nothing, so every start delivers all events again"
    assert found == [f"global.state.backend: {expected}"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("schedule: {interval_secs: 300}", 25),
        ("schedule: {interval_secs: 30}", 50),
        ("resilience: {rate_limit: {page_delay_secs: 2}}", 25),
        ("resilience: {rate_limit: {page_delay_secs: 10}}", 7),
        ("resilience: {rate_limit: {max_requests_per_second: 0.2}}", 13),
        ("resilience: {rate_limit: {max_requests_per_second: 0.2, burst_size: 5}}", 17),
    ],
)
def test_calls_per_minute(
    write: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, settings: str, expected: int
) -> None:
    monkeypatch.setenv("T", "xoxp-x")
    write(SLACK + f"    {settings}\n")
    source = examine("helr.yaml", environ={})[0].sources["slack"]
    assert warnings.calls_per_minute(source) == expected
