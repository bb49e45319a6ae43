"""helr and Slack's answers as recorded in tests/cassettes, with the network blocked."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

import helr.http.urllib3_transport  # noqa: F401 - before a cassette puts its own classes into urllib3
from helr.pytest_plugin import FakeClock
from helr.state.memory import MemoryStore
from tests.cassettes import EVENTS, HERE, PAGE, REFUSALS, SCENARIOS, TOKEN, Collected, collect

pytestmark = pytest.mark.block_network

NAMED = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(HERE)


def played(name: str) -> Any:
    """A test of one scenario, answered from its cassette."""
    return pytest.mark.vcr(f"{name}.yaml")


def run(folder: Path, name: str, **options: Any) -> Collected:
    return collect(folder, NAMED[name], **options)


def events_in(name: str) -> list[bytes]:
    """The bytes of each event in a cassette's pages, in order."""
    found: list[bytes] = []
    for body in bodies(name):
        if not body.endswith("}") or not body.startswith('{"entries":['):
            continue  # an error, or cut
        at = len('{"entries":[')
        while body[at] == "{":
            _, end = json.JSONDecoder().raw_decode(body, at)
            found.append(body[at:end].encode())
            at = end + 1
    return found


def bodies(name: str) -> list[str]:
    whole = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return [each["response"]["body"]["string"] for each in whole["interactions"]]


def delivered(collected: Collected) -> list[bytes]:
    """The bytes of each event that was written."""
    return [
        line[line.index(b',"event":') + 9 : line.rindex(b',"meta":{}')] for line in collected.lines
    ]


@played("three_pages")
def test_three_pages_come_through_unchanged_and_in_order(tmp_path: Path, vcr: Any) -> None:
    collected = run(tmp_path, "three_pages")
    assert collected.status == 0
    assert delivered(collected) == events_in("three_pages")
    assert len(collected.lines) == EVENTS
    assert collected.waits == [2, 2]  # page_delay_secs, between pages only
    assert vcr.all_played
    assert vcr.play_count == 3


@played("rate_limited")
def test_a_429_is_waited_out_and_nothing_is_lost(tmp_path: Path, vcr: Any) -> None:
    collected = run(tmp_path, "rate_limited")
    assert collected.status == 0
    assert delivered(collected) == events_in("rate_limited")
    assert len(collected.lines) == EVENTS
    assert 1 in collected.waits  # Retry-After
    assert vcr.all_played


@played("invalid_cursor")
def test_a_refused_cursor_is_forgotten_and_the_poll_succeeds(
    tmp_path: Path, vcr: Any, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    collected = run(tmp_path, "invalid_cursor", store=store)
    assert collected.status == 0
    assert len(collected.lines) == PAGE
    assert "cursor" not in store.source("slack-audit").load().values
    assert "restarting from the first page" in caplog.text
    assert vcr.play_count == 2  # it is not asked again with the same cursor


@pytest.mark.parametrize(
    "name", [pytest.param(code, marks=played(code), id=code) for code in REFUSALS]
)
def test_a_refusal_says_its_code_and_what_to_do(
    tmp_path: Path, vcr: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    collected = run(tmp_path, name)
    assert collected.status == 1
    assert collected.lines == []
    (error,) = (r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR)
    assert name in error
    assert "Enterprise" in error or "auditlogs:read" in error, "Slack's own advice"
    assert vcr.play_count == 1  # asking again would not help
    assert collected.waits == []


@played("server_errors")
def test_five_500s_open_the_breaker_which_holds_the_next_poll(
    tmp_path: Path, vcr: Any, caplog: pytest.LogCaptureFixture, fake_clock: FakeClock
) -> None:
    store = MemoryStore()
    collected = run(tmp_path, "server_errors", store=store, clock=fake_clock)
    assert collected.status == 1
    assert delivered(collected) == events_in("server_errors")
    assert len(collected.lines) == PAGE
    assert "circuit breaker: closed → open" in caplog.text
    assert vcr.play_count == 6

    again = run(tmp_path, "server_errors", store=store, clock=fake_clock)
    assert again.status == 1
    assert again.lines == collected.lines  # the file as it was
    assert "circuit breaker is open until" in caplog.text
    assert vcr.play_count == 6  # nothing was asked


@played("truncated_body")
def test_a_body_that_was_cut_is_asked_for_again(tmp_path: Path, vcr: Any) -> None:
    collected = run(tmp_path, "truncated_body")
    assert collected.status == 0
    assert delivered(collected) == events_in("truncated_body")
    assert len(collected.lines) == EVENTS
    assert vcr.play_count == 4


def test_the_network_is_blocked_here() -> None:
    with pytest.raises(RuntimeError, match="Network is disabled"), socket.socket() as sock:
        sock.connect(("127.0.0.1", 9))


def test_there_is_a_cassette_for_each_scenario_and_no_other() -> None:
    assert {path.stem for path in HERE.glob("*.yaml")} == set(NAMED)


@pytest.mark.parametrize("name", NAMED)
def test_a_cassette_is_small_and_holds_no_secret(name: str) -> None:
    text = (HERE / f"{name}.yaml").read_text(encoding="utf-8")
    assert len(text) < 10_000
    for word in (TOKEN, "xoxp-", "xoxd-", "authorization", "set-cookie"):
        assert word not in text.lower()
