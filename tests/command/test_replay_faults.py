"""A replay writes exactly what the recorded run wrote, no matter what the API did."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from helr.clock import Clock
from helr.config import load
from helr.engine.assemble import scheduler
from helr.http.client import Client
from helr.messages import Request
from helr.model import Source
from helr.output.file import FileOutput
from helr.pytest_plugin import FakeClock
from helr.recording.recorder import Recorder
from helr.recording.replayer import Replay
from helr.state import Store
from helr.state.memory import MemoryStore
from mock_server import MockSlack
from mock_server.faults import FAULTS
from tests.cassettes import SCENARIOS
from tests.conftest import slack_source
from tests.support import INCREMENTAL

pytestmark = pytest.mark.unmeasured


# They only take time, or end in a timeout; test_record_replay.py and the HTTP tests cover them.
SLOW = {"hang", "slow", "drip-headers", "drip-body", "gzip-bomb"}

CAREFUL: dict[str, Any] = {
    "query_params": {"limit": 10},
    "dedupe": {"id_path": "id"},
    "incremental_from": INCREMENTAL,
    "transform": {"timestamp_field": "not_there", "id_field": "id"},  # so `ts` is "now"
    "on_cursor_error": "reset",
    "on_invalid_utf8": "escape",
}


def source(folder: Path, url: str, **keys: Any) -> Source:
    token = folder / "token"
    token.write_text("xoxp-mock")
    auth = {"type": "bearer", "token_file": str(token)}
    config = {
        "global": {"state": {"backend": "memory"}},
        "sources": {"slack-audit": slack_source(url, **{**CAREFUL, "auth": auth, **keys})},
    }
    (folder / "helr.yaml").write_text(yaml.safe_dump(config))
    return load(str(folder / "helr.yaml")).sources["slack-audit"]


def poll(
    asked: Source, out: Path, store: Store, clock: Clock, connect: Callable[..., Client]
) -> tuple[int, bytes]:
    """One poll; its exit status and what it wrote."""
    output = FileOutput(str(out), store, clock)
    status = scheduler([asked], store, output, clock=clock, connect=connect).run(once=True)
    return status, out.read_bytes()


def recorded(folder: Path, asked: Source, store: Store, number: int) -> tuple[int, bytes]:
    recorder = Recorder(str(folder / f"rec{number}"), [asked])
    recorder.begin(store)
    done = poll(asked, folder / f"live{number}", store, FakeClock(time.time()), recorder.connect)
    assert recorder.finish() == 0
    return done


def replayed(folder: Path, asked: Source, number: int) -> tuple[int, bytes]:
    replay = Replay(str(folder / f"rec{number}"), [asked], every=True)
    done = poll(asked, folder / f"again{number}", replay.store, Clock(), replay.connect)
    assert replay.finish() == 0, "recordings were left over"
    return done


def check(
    folder: Path, faults: Iterable[str], polls: int = 1, **keys: Any
) -> list[tuple[int, bytes]]:
    """Record several polls, each from the state that the last one left; replay each without the
    mock; return the recorded runs."""
    store, runs = MemoryStore(), []
    with MockSlack(events=25, faults=faults) as mock:
        mock.settings.gzip = True
        asked = source(folder, mock.url, **keys)
        for number in range(polls):
            runs.append(recorded(folder, asked, store, number))
            mock.add_events(3)
    for number, live in enumerate(runs):
        assert replayed(folder, asked, number) == live
    return runs


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - SLOW))
def test_every_fault_replays_to_the_same_lines(tmp_path: Path, fault: str) -> None:
    runs = check(tmp_path, [f"{fault}@2"], polls=2)
    assert runs[0][1].count(b"\n") >= 10


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_cassette_s_story_replays_to_the_same_lines(tmp_path: Path, scenario: Any) -> None:
    check(tmp_path, scenario.faults, **scenario.keys)


def test_a_chain_over_several_polls_replays_each_from_where_it_began(tmp_path: Path) -> None:
    one_page = {**slack_source("")["pagination"], "max_pages": 1}
    faults = ["future-event@2", "duplicate-event@3"]
    runs = check(tmp_path, faults, polls=4, pagination=one_page)
    assert all(status == 0 for status, _ in runs)
    assert b"".join(lines for _, lines in runs).count(b"\n") > 25


def test_the_newest_second_s_events_are_remembered_without_dedupe(tmp_path: Path) -> None:
    runs = check(tmp_path, (), polls=2, dedupe=None)
    assert [lines.count(b"\n") for _, lines in runs] == [25, 3]


def test_a_time_limit_for_the_poll_ends_the_replay_where_it_ended_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Client._ask

    def slowly(client: Client, request: Request) -> Any:
        if isinstance(client.clock, FakeClock):  # not in the replay
            client.clock.time += 0.15
        return ask(client, request)

    monkeypatch.setattr(Client, "_ask", slowly)
    limit = {"timeouts": {"poll_tick_secs": 0.4}}
    ((_, lines),) = check(tmp_path, (), query_params={"limit": 5}, resilience=limit)
    assert lines.count(b"\n") == 15


def test_responses_that_never_came_are_not_in_the_recording(tmp_path: Path) -> None:
    check(tmp_path, ["reset@1", "truncate@3", "close@5"])
    kept = sorted(os.listdir(tmp_path / "rec0" / "slack-audit"))
    assert kept == ["000.json", "001.json", "002.json", "state.json"]
