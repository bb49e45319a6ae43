"""Advice on errors: the vendor's own, or else what the status means for any API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helr.messages import Request
from helr.model import IncrementalFrom, Source
from helr.vendors import hints
from tests.unit.support import QUICK

SLACK = "https://api.slack.com/audit/v1/logs"
OTHER = "https://api.example.com/events"
HTML = b"\n<!DOCTYPE html><html><body>Sign in</body></html>"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("missing_secret", ["xoxp-", "auditlogs:read"]),
        ("missing_authentication", ["xoxp-", "Enterprise organization owner", "auditlogs:read"]),
        ("invalid_authentication", ["xoxp-", "Enterprise organization owner", "auditlogs:read"]),
        ("feature_not_enabled", ["only on Slack Enterprise", "on the organization", "workspace"]),
        ("invalid_workspace", ["only on Slack Enterprise", "on the organization", "workspace"]),
        ("team_not_authorized", ["only on Slack Enterprise", "on the organization", "workspace"]),
        ("user_not_authorized", ["owner of the Enterprise organization"]),
        ("invalid_cursor", ["on_cursor_error: reset", "first page"]),
        (
            "rate_limited",
            [
                "50 calls",
                "interval_secs",
                "max_pages",
                "page_delay_secs",
                "respect_headers",
                "Retry-After",
            ],
        ),
    ],
)
def test_each_row_of_the_troubleshooting_table(code: str, words: list[str]) -> None:
    advice = hints.advice(SLACK, code=code, status=403)
    for word in words:
        assert word in advice
    assert "\n" not in advice


def test_the_row_without_an_error() -> None:
    slack, other = Source("a", SLACK, QUICK), Source("a", OTHER, QUICK)
    assert "oldest" in hints.no_events(slack, Request(SLACK))
    assert "March 2018" in hints.no_events(slack, Request(SLACK))
    assert "March 2018" not in hints.no_events(other, Request(OTHER))
    assert hints.no_events(other, Request(OTHER))


def test_no_events_names_the_start_of_the_poll_and_its_origin() -> None:
    source = Source(
        "a",
        OTHER + "?until=9",
        QUICK,
        query_params={"since": "5"},
        first_request_query_params={"since": "6"},
        incremental_from=IncrementalFrom("mark", "at", "since"),
    )

    def said(value: str) -> str:
        return hints.no_events(source, Request(OTHER, (("since", value),))).partition(";")[0]

    assert said("5") == "since=5 from query_params"
    assert said("6") == "since=6 from first_request_query_params"
    assert said("7") == "since=7 from the state"
    in_url = Source("a", SLACK + "?oldest=9", QUICK)
    assert hints.no_events(in_url, Request(SLACK, (("oldest", "9"),))).startswith(
        "oldest=9 from url; "
    )


def test_a_vendors_code_means_nothing_elsewhere() -> None:
    assert "Slack" not in hints.advice(OTHER, code="rate_limited", status=429)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "credentials"),
        (403, "scopes"),
        (404, "`url`"),
        (429, "interval_secs"),
        (302, "moved"),
        (500, "server error"),
        (503, "server error"),
    ],
)
def test_a_status_without_a_body(status: int, words: str) -> None:
    assert words in hints.advice(OTHER, status=status)


def test_an_unknown_code_falls_back_to_the_status() -> None:
    assert hints.advice(SLACK, code="never_heard_of", status=401) == hints.BY_STATUS[401]


@pytest.mark.parametrize("status", [None, 200, 403, 404])
def test_an_html_page_where_json_was_expected(status: int | None) -> None:
    assert "HTML page" in hints.advice(OTHER, status=status, body=HTML)
    assert "HTML page" in hints.advice(OTHER, status=status, content_type="text/html; charset=x")


def test_a_page_of_an_error_stays_that_error() -> None:
    assert "credentials" in hints.advice(OTHER, status=401, body=HTML)
    assert "server error" in hints.advice(OTHER, status=502, body=HTML)


def test_no_advice_where_there_is_none() -> None:
    assert hints.advice(OTHER) == ""
    assert hints.advice(OTHER, status=200, body=b'{"ok":false}') == ""
    assert hints.advice(OTHER, status=200, body=b"{", content_type="text/html") == ""


def test_the_engine_names_no_vendor() -> None:
    package = Path(hints.__file__).parent.parent
    for name in ("vendors/hints.py", "auth/bearer.py", "http/client.py", "http/diagnosis.py"):
        assert "slack" not in (package / name).read_text().lower()
    data = json.loads((package / "vendors/slack.json").read_text())
    assert all(isinstance(said, str) and said for said in data["errors"].values())
