"""`helr test`: asks what the next poll would ask, shows what came, moves nothing."""

from __future__ import annotations

import json

from mock_server import MockSlack
from tests.command.test_ground import ids
from tests.conftest import Helr
from tests.support import CAREFUL, PAGING


def test_it_tells_what_a_person_setting_it_up_wants_to_know(helr: Helr) -> None:
    with MockSlack(events=300) as mock:
        helr.slack(mock.url, **CAREFUL)
        result = helr.run("test", "--source", "slack-audit")
        assert result.returncode == 0
        assert ids(result.stdout) == mock.ids()[:200]
        told = dict(line.split(":", 1) for line in result.stderr.splitlines())
        assert told["request"].strip() == f"GET {mock.logs_url}?limit=200"
        assert told["status"].strip().startswith("HTTP 200, ")
        assert told["events"].strip() == "200"
        assert told["next page"].strip() == "yes"
        assert told["newest"] > told["oldest"]
        assert float(told["time"].split()[0]) < 10


def test_it_asks_what_the_next_poll_would_ask_and_moves_nothing(helr: Helr) -> None:
    with MockSlack(events=1_000) as mock:
        helr.slack(mock.url, pagination=PAGING | {"max_pages": 2}, **CAREFUL)
        first = helr.run("run", "--once")
        state = helr.run("state", "export").stdout
        tested = helr.run("test", "--source", "slack-audit")
        assert "cursor=" in tested.stderr.splitlines()[0]
        assert helr.run("state", "export").stdout == state
        assert ids(tested.stdout) == mock.ids()[400:600]
        assert ids(first.stdout) == mock.ids()[:400]
        assert ids(helr.run("run", "--once").stdout) == mock.ids()[400:800]


def test_while_a_retry_after_holds_it_asks_nothing(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        mock.settings.retry_after = 500
        mock.fault("rate_limited")
        helr.slack(mock.url)
        assert helr.run("run", "--once").returncode == 1
        asked = len(mock.requests)
        result = helr.run("test", "--source", "slack-audit")
        assert result.returncode == 1
        assert result.stderr.startswith("held:")
        assert "nothing was requested" in result.stderr
        assert len(mock.requests) == asked


def test_an_open_breaker_alone_keeps_nobody_from_asking(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        mock.fault("500@1")
        breaker = {"failure_threshold": 1, "half_open_timeout_secs": 500}
        one = {"retries": {"max_attempts": 1}, "circuit_breaker": breaker}
        helr.slack(mock.url, resilience=one)
        assert helr.run("run", "--once").returncode == 1
        state = helr.run("state", "export").stdout
        result = helr.run("test", "--source", "slack-audit")
        assert result.returncode == 0
        assert ids(result.stdout) == mock.ids()
        assert result.stderr.startswith("breaker:     open until ")
        assert helr.run("state", "export").stdout == state
        assert "circuit breaker is open" in helr.run("run", "--once").stderr


def test_an_error_is_told_with_advice(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        mock.fault("team_not_authorized")
        helr.slack(mock.url)
        result = helr.run("test", "--source", "slack-audit")
        assert result.returncode == 1
        last = result.stderr.splitlines()[-1]
        assert "team_not_authorized" in last
        assert "Enterprise" in last


def test_no_events_comes_with_advice(helr: Helr) -> None:
    with MockSlack(events=0) as mock:
        helr.slack(mock.url)
        result = helr.run("test", "--source", "slack-audit")
        assert result.returncode == 0
        assert "March 2018" in result.stderr


def test_an_unknown_source_names_the_nearest(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9")
    result = helr.run("test", "--source", "slack-audi")
    assert result.returncode == 2
    assert "slack-audit" in result.stderr


def test_it_needs_no_lock(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        helr.slack(mock.url, **CAREFUL)
        running = helr.start("run")
        assert running.stdout is not None
        for _ in range(10):
            running.stdout.readline()
        while not json.loads(helr.run("state", "export").stdout):
            assert running.poll() is None
        assert helr.run("test", "--source", "slack-audit").returncode == 0
        assert helr.run("state", "show", "slack-audit").returncode == 0
        running.terminate()
        running.communicate(timeout=5)


def test_a_retry_after_that_it_meets_is_kept_for_the_next_process(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        mock.settings.retry_after = 500
        mock.fault("rate_limited")
        helr.slack(mock.url)
        assert "not polled before" in helr.run("test", "--source", "slack-audit").stderr
        assert helr.run("run", "--once").returncode == 1
        assert len(mock.requests) == 1


def test_what_the_api_said_comes_before_a_state_that_cannot_be_opened(helr: Helr) -> None:
    """In place of a file there is a name that leads nowhere, which a reader takes for none."""
    with MockSlack(events=10) as mock:
        mock.settings.retry_after = 500
        mock.fault("rate_limited")
        helr.slack(mock.url)
        (helr.cwd / "helr-state.db").symlink_to("missing/helr-state.db")
        done = helr.run("test", "--source", "slack-audit")
    assert done.returncode == 1
    assert "a run will not know it" in done.stderr
    assert "HTTP 429" in done.stderr.splitlines()[-1]


def test_no_more_lines_wanted_is_no_error_to_tell(helr: Helr) -> None:
    with MockSlack(events=1_000) as mock:
        helr.slack(mock.url, query_params={"limit": 9999})
        process = helr.start("test", "--source", "slack-audit")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
        assert b"events:      1000" in told
        assert b"pipe" not in told.lower()
        assert process.wait(5) == 4
