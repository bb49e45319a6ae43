"""`max_line_bytes`: what reaches the shipper, what the state knows of it, and what the log says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mock_server import MockSlack
from tests.conftest import Helr

LONG = '{"id":"LONG","date_create":%d,"action":"user_login","details":{"text":"%s","n":1.50}}'
NOW = 1_700_000_000


@pytest.fixture
def mock() -> Any:
    with MockSlack(events=20, base_time=NOW) as mock:
        mock.add_events(events=[LONG % (NOW + 5, "x" * 10_000)], at=NOW + 5)
        yield mock


def run(helr: Helr, mock: MockSlack, *args: str, **changes: Any) -> Any:
    helr.slack(mock.url, max_line_bytes=4096, dedupe={"id_path": "id"}, **changes)
    return helr.run("run", "--once", *args)


def test_a_cut_line_is_valid_and_every_other_event_is_whole(helr: Helr, mock: MockSlack) -> None:
    done = run(helr, mock, max_line_bytes_behavior="truncate")
    assert done.returncode == 0
    lines = done.stdout.split("\n")[:-1]
    assert max(len(line.encode()) for line in lines) < 4096
    records = [json.loads(line) for line in lines]
    assert {record["event"]["id"] for record in records} == set(mock.ids())
    [cut] = [record for record in records if "truncated" in record["meta"]]
    assert cut["meta"]["truncated"] > 10_000
    assert cut["event"] == {
        "id": "LONG",
        "date_create": NOW + 5,
        "action": "user_login",
        "details": {"n": 1.5},
    }
    assert "1 cut" in done.stderr
    assert "event LONG" in done.stderr


def test_skip_leaves_it_out_counts_it_and_does_not_ask_for_it_again(
    helr: Helr, mock: MockSlack
) -> None:
    done = run(helr, mock, max_line_bytes_behavior="skip")
    assert done.returncode == 0
    ids = [json.loads(line)["event"]["id"] for line in done.stdout.split("\n")[:-1]]
    assert sorted(ids) == sorted(set(mock.ids()) - {"LONG"})
    assert "1 left out" in done.stderr
    assert "21 events, 20 delivered" in done.stderr
    again = run(helr, mock, max_line_bytes_behavior="skip")
    assert (again.stdout, again.returncode) == ("", 0)
    assert "left out" not in again.stderr


def test_skip_into_a_file(helr: Helr, mock: MockSlack) -> None:
    done = run(helr, mock, "-o", "events.ndjson", max_line_bytes_behavior="skip")
    assert done.returncode == 0
    assert len((helr.cwd / "events.ndjson").read_bytes().splitlines()) == 20


def test_fail_moves_nothing_and_says_what_to_set(helr: Helr, mock: MockSlack) -> None:
    done = run(helr, mock)  # to fail is the default: nothing is cut unasked
    assert (done.returncode, done.stdout) == (1, "")
    assert "event LONG makes a line of 10" in done.stderr
    assert "set max_line_bytes_behavior to truncate or skip" in done.stderr
    assert "Traceback" not in done.stderr
    assert "no state" in helr.run("state", "show", "slack-audit").stdout
    helr.slack(mock.url)
    assert helr.run("run", "--once").stdout.count("\n") == 21


@pytest.mark.parametrize("limit", [0, 1023, "many"])
def test_a_limit_that_makes_no_sense_is_refused(helr: Helr, mock: MockSlack, limit: Any) -> None:
    helr.slack(mock.url, max_line_bytes=limit)
    done = helr.run("run", "--once")
    assert done.returncode == 2
    assert "max_line_bytes" in done.stderr
