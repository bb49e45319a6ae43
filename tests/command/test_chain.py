"""The chain of pages across polls, processes, stops and refusals; event times of every kind."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from mock_server import MockSlack
from tests.command.support import configure, ended, follow, ids
from tests.conftest import Helr
from tests.support import INCREMENTAL, PAGING, Handler, http_server, until

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=1000) as mock:
        yield mock


def params(mock: MockSlack) -> list[dict[str, str]]:
    found = [parse_qs(str(request["query"])) for request in mock.requests]
    return [{key: value[0] for key, value in each.items()} for each in found]


def state(helr: Helr) -> dict[str, str]:
    exported = json.loads(helr.run("state", "export").stdout)
    return dict(exported.get("slack-audit", {}))


def rest(helr: Helr) -> list[str]:
    """What all further runs deliver."""
    came: list[str] = []
    for _ in range(40):
        result = helr.run("run", "--once")
        assert result.returncode == 0, result.stderr
        came += ids(result.stdout)
        if not result.stdout and "cursor" not in state(helr):
            return came
    raise AssertionError("it never came to an end")


def test_the_watermark_stands_still_until_the_chain_is_finished(
    helr: Helr, mock: MockSlack
) -> None:
    configure(helr, mock.url, pagination=PAGING | {"max_pages": 2})
    came: list[str] = []
    for _ in range(2):
        came += ids(helr.run("run", "--once").stdout)
        assert len(came) % 400 == 0
        found = state(helr)
        assert "oldest_ts" not in found
        assert json.loads(found["chain"])["events"] == len(came)
        mock.add_events(30)  # above the chain: they are the next one's
    came += ids(helr.run("run", "--once").stdout)
    assert len(came) == 1000
    found = state(helr)
    newest = json.loads(mock.raw_events()[60])["date_create"]
    assert found["oldest_ts"] == str(newest)
    assert not {"cursor", "chain"} & set(found)
    assert Counter(came + rest(helr)) == Counter(mock.ids())


def test_every_page_of_a_chain_carries_the_start_of_its_chain(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url, pagination=PAGING | {"max_pages": 3})
    start = json.loads(mock.raw_events()[999])["date_create"]
    text = (helr.cwd / "helr.yaml").read_text()
    (helr.cwd / "helr.yaml").write_text(
        text.replace("limit: 200", f"limit: 200\n      oldest: '{start}'")
    )
    first = ids(helr.run("run", "--once").stdout)
    second = ids(helr.run("run", "--once").stdout)
    assert Counter(first + second) == Counter(mock.ids())
    assert {each["oldest"] for each in params(mock)} == {str(start)}
    mock.clear_requests()
    mock.add_events(500)
    watermark = state(helr)["oldest_ts"]
    assert Counter(first + second + rest(helr)) == Counter(mock.ids())
    chain = params(mock)[:3]
    assert {each["oldest"] for each in chain} == {watermark}


def test_max_bytes_ends_the_poll_after_a_page(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url, max_bytes=1)
    came = ids(helr.run("run", "--once").stdout)
    assert len(came) == 200
    assert Counter(came + rest(helr)) == Counter(mock.ids())


def test_a_stop_in_the_middle_of_a_chain(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url, resilience={"rate_limit": {"page_delay_secs": 0.3}})
    process = helr.start("run")
    reader = follow(process.stdout)
    until(lambda: reader.data.count(b"\n") == 400)
    process.send_signal(signal.SIGTERM)
    assert ended(process, 2) == 0
    assert "cursor" in state(helr)
    configure(helr, mock.url)
    mock.clear_requests()
    assert Counter(ids(reader.end()) + rest(helr)) == Counter(mock.ids())
    assert "cursor" in params(mock)[0]


@pytest.mark.parametrize(
    "fault", ["500", "truncated-json", "truncate", "no-entries", "ok-false-200"]
)
def test_a_failure_in_the_middle_leaves_the_chain_where_it_was(
    helr: Helr, mock: MockSlack, fault: str
) -> None:
    configure(helr, mock.url, resilience={"retries": {"max_attempts": 1}})
    mock.fault(f"{fault}@3")
    result = helr.run("run", "--once")
    assert result.returncode == 1
    assert len(ids(result.stdout)) == 400
    assert "oldest_ts" not in state(helr)
    assert Counter(ids(result.stdout) + rest(helr)) == Counter(mock.ids())


@pytest.mark.parametrize("status", ["reset", "fail"])
def test_a_refused_cursor_with_retries_configured(helr: Helr, mock: MockSlack, status: str) -> None:
    retries = {"retries": {"max_attempts": 5, "initial_backoff_secs": 0.01}}
    configure(
        helr,
        mock.url,
        pagination=PAGING | {"max_pages": 2},
        on_cursor_error=status,
        resilience=retries,
    )
    came = ids(helr.run("run", "--once").stdout)
    before = state(helr)
    mock.expire_cursors()
    mock.clear_requests()
    result = helr.run("run", "--once")
    assert len(mock.requests) == 1  # not retried
    if status == "fail":
        assert result.returncode == 1
        after = state(helr)
        assert after["cursor"] == before["cursor"]
        assert after["chain"] == before["chain"]
        return
    assert result.returncode == 0
    assert "cursor was refused" in result.stderr
    assert "cursor" not in state(helr)
    assert Counter(came + rest(helr)) == Counter(mock.ids())


def test_a_reset_keeps_the_watermark(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    came = ids(helr.run("run", "--once").stdout)
    watermark = state(helr)["oldest_ts"]
    mock.add_events(500)
    mock.expire_cursors()
    configure(helr, mock.url, pagination=PAGING | {"max_pages": 1})
    came += ids(helr.run("run", "--once").stdout)
    mock.expire_cursors()
    assert helr.run("run", "--once").stdout == ""
    assert state(helr)["oldest_ts"] == watermark
    mock.clear_requests()
    came += ids(helr.run("run", "--once").stdout)
    assert params(mock)[0]["oldest"] == watermark
    assert Counter(came + rest(helr)) == Counter(mock.ids())


def test_a_cursor_that_leads_in_a_circle_never_loops(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    mock.fault("repeat-cursor@3")
    result = helr.run("run", "--once")
    assert len(mock.requests) == 3
    assert "had already returned in this chain" in result.stderr
    assert Counter(ids(result.stdout) + rest(helr)) == Counter(mock.ids())


def test_empty_pages_with_new_cursors_go_on(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    mock.fault("empty-page@1-3")
    result = helr.run("run", "--once")
    assert Counter(ids(result.stdout)) == Counter(mock.ids())


@pytest.mark.parametrize("last", ["empty", "absent", "missing"])
def test_every_way_to_say_that_a_page_is_the_last(helr: Helr, mock: MockSlack, last: str) -> None:
    mock.settings.last_page = last
    configure(helr, mock.url, dedupe=None)
    result = helr.run("run", "--once")
    assert Counter(ids(result.stdout)) == Counter(mock.ids())
    assert "cursor" not in state(helr)


def test_a_cursor_that_helr_left_is_gone_on_with(helr: Helr, mock: MockSlack) -> None:
    """It moved the watermark in mid-chain: the rest of its chain lies below, without a start."""
    configure(helr, mock.url, pagination=PAGING | {"max_pages": 2})
    came = ids(helr.run("run", "--once").stdout)
    cursor = state(helr)["cursor"]
    newest = json.loads(mock.raw_events()[0])["date_create"]
    helr.run("state", "reset", "slack-audit")
    for key, value in (("oldest_ts", str(newest)), ("cursor", cursor)):
        assert helr.run("state", "set", "slack-audit", key, value).returncode == 0
    mock.clear_requests()
    result = helr.run("run", "--once")
    assert result.stderr.count("the Rust helr wrote it") == 1
    assert "oldest" not in params(mock)[0]
    assert Counter(came + ids(result.stdout) + rest(helr))[mock.ids()[-1]] == 1


# -- event times, through an API of its own

Serve = Callable[[], tuple[str, list[dict[str, Any]], list[dict[str, str]]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """An API of events with a text `at`, newest first, from `since` on (inclusive), as text."""
    with ExitStack() as servers:

        def start() -> tuple[str, list[dict[str, Any]], list[dict[str, str]]]:
            events: list[dict[str, Any]] = []
            asked: list[dict[str, str]] = []

            class Api(Handler):
                def get(self) -> None:
                    query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                    asked.append(query)
                    since = query.get("since", "")
                    found = [e for e in events if not since or str(e.get("at", "9")) >= since]
                    found.sort(key=lambda e: str(e.get("at", "9")), reverse=True)
                    self.answer({"events": found})

            return servers.enter_context(http_server(Api)), events, asked

        yield start


def by_text(helr: Helr, url: str, **changes: Any) -> None:
    source = {
        "url": f"{url}/things",
        "incremental_from": {
            "state_key": "since",
            "event_timestamp_path": "at",
            "param_name": "since",
        },
    }
    helr.config(sources={"slack-audit": source | changes})


def test_iso_8601_times_are_compared_as_instants_and_sent_back_as_spelled(
    helr: Helr, serve: Serve
) -> None:
    url, events, asked = serve()
    by_text(helr, url)
    events += [{"id": "a", "at": "2024-01-01T00:00:00.500Z"}, {"id": "b", "at": "2024-01-01"}]
    assert ids(helr.run("run", "--once").stdout) == ["a", "b"]
    assert state(helr)["since"] == "2024-01-01T00:00:00.500Z"
    events += [{"id": "c", "at": "2024-01-01T00:00:00.500Z"}]
    events += [{"id": "d", "at": "2024-01-01T02:00:00.600+02:00"}]
    assert sorted(ids(helr.run("run", "--once").stdout)) == ["c", "d"]
    assert asked[1]["since"] == "2024-01-01T00:00:00.500Z"
    assert state(helr)["since"] == "2024-01-01T02:00:00.600+02:00"


def test_events_without_a_usable_time_are_delivered_and_told(helr: Helr, serve: Serve) -> None:
    url, events, _ = serve()
    by_text(helr, url)
    events += [
        {"id": "a", "at": "2024-01-01T00:00:00Z"},
        {"id": "b"},
        {"id": "c", "at": None},
        {"id": "d", "at": {"not": "a time"}},
        {"id": "e", "at": "yesterday"},
        {"id": "f", "at": True},
    ]
    result = helr.run("run", "--once")
    assert sorted(ids(result.stdout)) == list("abcdef")
    [warning] = [line for line in result.stderr.splitlines() if "WARN" in line]
    assert "5 of 6 events have no usable time (the first: " in warning
    assert state(helr)["since"] == "2024-01-01T00:00:00Z"


def test_an_event_from_the_future_hides_nothing_after_it(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url, dedupe=None)
    mock.add_events(1, at=4_070_908_800)
    first = helr.run("run", "--once")
    assert "dated in the future (up to 2099-01-01T00:00:00Z)" in first.stderr
    assert int(state(helr)["oldest_ts"]) <= time.time()
    came = ids(first.stdout)
    for _ in range(2):
        mock.add_events(5)
        came += ids(helr.run("run", "--once").stdout)
    assert Counter(came) == Counter(mock.ids())


def test_numbers_keep_their_spelling(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    helr.run("run", "--once")
    watermark = state(helr)["oldest_ts"]
    assert watermark.isdigit()
    mock.clear_requests()
    helr.run("run", "--once")
    assert params(mock)[0]["oldest"] == watermark


def test_late_events_are_found_by_looking_back(helr: Helr, mock: MockSlack) -> None:
    now = int(time.time())
    back = INCREMENTAL | {"lookback_secs": 600}
    configure(helr, mock.url, incremental_from=back)
    came = ids(helr.run("run", "--once").stdout)
    watermark = int(state(helr)["oldest_ts"])
    late = mock.add_events(5, at=now - 500)
    mock.clear_requests()
    second = ids(helr.run("run", "--once").stdout)
    assert sorted(second) == sorted(late)
    assert params(mock)[0]["oldest"] == str(watermark - 600)
    assert ids(helr.run("run", "--once").stdout) == []
    assert Counter(came + second) == Counter(mock.ids())


def test_looking_back_needs_dedupe(helr: Helr, mock: MockSlack) -> None:
    back = INCREMENTAL | {"lookback_secs": 600}
    configure(helr, mock.url, incremental_from=back, dedupe=None)
    result = helr.run("run", "--once")
    assert result.returncode == 2
    assert "requires dedupe" in result.stderr


def test_ids_that_are_numbers_or_missing(helr: Helr, mock: MockSlack) -> None:
    now = int(time.time())
    events = [{"number": 7, "date_create": now}, {"number": "7", "date_create": now}]
    mock.add_events(events=[*events, {"date_create": now - 1}, {"date_create": now - 1}])
    configure(
        helr,
        mock.url,
        dedupe={"id_path": "number"},
        incremental_from=None,
        query_params={"limit": 9999, "oldest": now - 1},
    )
    first = helr.run("run", "--once").stdout.count("\n")
    lines = helr.run("run", "--once").stdout.split("\n")[:-1]
    second = [json.loads(line)["event"] for line in lines]
    assert first >= 4
    assert second == [event for event in second if "number" not in event]
    assert len(second) == first - 2


def test_ids_survive_one_shot_runs_first_in_first_out(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url, dedupe={"id_path": "id", "capacity": 300}, incremental_from=None)
    assert len(ids(helr.run("run", "--once").stdout)) == 1000
    configure(
        helr,
        mock.url,
        dedupe={"id_path": "id", "capacity": 300},
        incremental_from=None,
        query_params={"limit": 1000},
    )
    # The last 300 delivered are the oldest 300: they are known, the others are not.
    assert sorted(ids(helr.run("run", "--once").stdout)) == sorted(mock.ids()[:700])
