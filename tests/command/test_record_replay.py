"""`helr run --once --record-dir` and `--replay-dir`, as a user runs them."""

from __future__ import annotations

import base64
import json
import os
import re
import resource
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helr.state.lock import lock_source
from mock_server import MockSlack
from tests.conftest import MOCK_TOKEN, Helr, slack_source

pytestmark = pytest.mark.unmeasured

RECORD = ("run", "--once", "--record-dir", "rec")
REPLAY = ("run", "--once", "--replay-dir", "rec")
NO_TIME = {"timestamp_field": "not_there"}  # so that `ts` is when the page arrived


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=25) as mock:
        yield mock


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A directory with three recorded pages in rec/, and the output of the recorded run."""
    helr = Helr(tmp_path_factory.mktemp("original"))
    with MockSlack(events=25) as mock:
        helr.slack(mock.url, query_params={"limit": 10}, transform=NO_TIME)
        live = helr.run(*RECORD)
    assert (live.returncode, live.stdout.count("\n")) == (0, 25), live.stderr
    return helr.cwd, live.stdout


@pytest.fixture
def recorded(original: tuple[Path, str], tmp_path: Path) -> tuple[Helr, str]:
    """The same for one test, without the mock and the token."""
    there, live = original
    shutil.copytree(there, tmp_path, dirs_exist_ok=True)
    return Helr(tmp_path, env={}), live


def folder(helr: Helr, name: str = "slack-audit") -> Path:
    return helr.cwd / "rec" / name


def contents(where: Path) -> dict[str, bytes]:
    files = (path for path in where.rglob("*") if path.is_file())
    return {str(path.relative_to(where)): path.read_bytes() for path in files}


def test_a_replay_writes_the_same_bytes_and_touches_no_state(recorded: tuple[Helr, str]) -> None:
    helr, live = recorded
    before = contents(helr.cwd)
    lock = lock_source(str(helr.cwd / "helr-state.db"), "slack-audit")  # like a running helr
    try:
        for _ in range(2):
            again = helr.run(*REPLAY)
            assert (again.returncode, again.stdout) == (0, live), again.stderr
    finally:
        os.close(lock)
    assert contents(helr.cwd) == before
    assert "no network, no delays" in again.stderr


def test_a_recording_is_its_owner_s_alone_and_in_helr_s_format(recorded: tuple[Helr, str]) -> None:
    helr, _ = recorded
    for path in [helr.cwd / "rec", *(helr.cwd / "rec").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    names = sorted(os.listdir(folder(helr)))
    assert names == ["000.json", "001.json", "002.json", "state.json"]
    first = json.loads((folder(helr) / "000.json").read_text())
    assert first["url"].endswith("/audit/v1/logs?limit=10")
    assert first["status"] == 200
    assert first["headers"]["Content-Type"].startswith("application/json")
    assert len(json.loads(base64.b64decode(first["body_base64"]))["entries"]) == 10


def test_a_replay_into_a_file_is_appended(recorded: tuple[Helr, str]) -> None:
    helr, live = recorded
    for _ in range(2):
        assert helr.run(*REPLAY, "-o", "out").returncode == 0
    assert (helr.cwd / "out").read_text() == live * 2


def test_no_wait_is_waited_in_a_replay(helr: Helr, mock: MockSlack) -> None:
    mock.fault("rate_limited@2")
    delay = {"rate_limit": {"page_delay_secs": 0.1}}
    helr.slack(mock.url, query_params={"limit": 10}, resilience=delay)
    live = helr.run(*RECORD)
    kept = folder(helr) / "001.json"
    limited = json.loads(kept.read_text())
    assert limited["headers"]["Retry-After"] == "1"
    limited["headers"]["Retry-After"] = "50"
    kept.write_text(json.dumps(limited))
    again = helr.run(*REPLAY, timeout=20)
    assert (again.returncode, again.stdout) == (0, live.stdout), again.stderr
    assert "waits skipped: 3 (50.2 s in total)" in again.stderr


def test_a_second_recording_is_refused_and_the_first_untouched(recorded: tuple[Helr, str]) -> None:
    helr, _ = recorded
    before = contents(helr.cwd)
    helr.env["SLACK_AUDIT_TOKEN"] = MOCK_TOKEN
    result = helr.run(*RECORD)
    assert (result.returncode, result.stdout) == (2, "")
    assert (
        "recordings rec/slack-audit: the directory already contains recordings; "
        "give --record-dir another directory, or remove this one" in result.stderr
    )
    assert contents(helr.cwd) == before


def test_a_run_that_got_no_response_can_be_recorded_again(helr: Helr) -> None:
    with MockSlack(events=5) as mock:
        once = {"retries": {"max_attempts": 1}}
        helr.slack(mock.url, resilience=once)
        mock.fault("close@1")
        assert helr.run(*RECORD).returncode == 1
        assert helr.run(*REPLAY).returncode == 1
        assert helr.run(*RECORD).returncode == 0


@pytest.mark.parametrize("flag", ["--record-dir", "--replay-dir"])
def test_both_need_once(recorded: tuple[Helr, str], flag: str) -> None:
    helr, _ = recorded
    helr.env["SLACK_AUDIT_TOKEN"] = MOCK_TOKEN
    result = helr.run("run", flag, "other")
    assert (result.returncode, result.stdout) == (2, "")
    assert "need --once" in result.stderr
    assert not (helr.cwd / "other").exists()


def test_sources_that_would_share_a_folder_are_refused(helr: Helr, mock: MockSlack) -> None:
    helr.config(sources={name: slack_source(mock.url) for name in ("a.b", "a_b")})
    result = helr.run(*RECORD)
    assert result.returncode == 2
    assert "recordings rec/a_b: sources a.b and a_b would both be recorded here" in result.stderr
    assert mock.requests == []
    assert helr.run(*RECORD, "--source", "a.b").returncode == 0
    assert helr.run(*REPLAY, "--source", "a.b").stdout.count("\n") == 25
    other = helr.run(*REPLAY, "--source", "a_b")
    assert (other.returncode, other.stdout) == (2, "")
    assert "state.json: it has no state for source a_b" in other.stderr


def test_a_recording_that_cannot_be_written_costs_no_event(helr: Helr, mock: MockSlack) -> None:
    """A limit on file sizes simulates a full disk: the second page is larger."""
    helr.config(
        **{"global": {"state": {"backend": "memory"}}},
        sources={"slack-audit": slack_source(mock.url, query_params={"limit": 10})},
    )
    size = 4000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    mock.fault("empty-page@1")
    result = helr.run(*RECORD, preexec_fn=limit)
    assert (result.returncode, result.stdout.count("\n")) == (1, 25)
    assert result.stderr.count("File too large") == 1
    assert "its events are still delivered" in result.stderr
    assert sorted(os.listdir(folder(helr))) == ["000.json", "state.json"]


def test_a_directory_that_cannot_be_made_is_said_before_anything_is_asked(
    helr: Helr, mock: MockSlack
) -> None:
    helr.slack(mock.url)
    result = helr.run("run", "--once", "--record-dir", "helr.yaml/rec")
    assert result.returncode == 2
    assert re.search(r"recording helr.yaml/rec/.*; give --record-dir a directory", result.stderr)
    assert mock.requests == []


# -- what is wrong with a recording


def test_a_missing_recording_is_an_error(recorded: tuple[Helr, str]) -> None:
    helr, live = recorded
    (folder(helr) / "002.json").unlink()
    result = helr.run(*REPLAY)
    assert result.returncode == 1
    assert live.startswith(result.stdout)
    assert result.stdout.count("\n") == 20
    assert result.stderr.count("ERROR") == 1
    assert "002.json: the file is missing" in result.stderr


def test_a_left_over_recording_is_an_error(recorded: tuple[Helr, str]) -> None:
    helr, live = recorded
    shutil.copy(folder(helr) / "002.json", folder(helr) / "003.json")
    result = helr.run(*REPLAY)
    assert (result.returncode, result.stdout) == (1, live)
    assert result.stderr.count("ERROR") == 1
    assert "recordings rec/slack-audit: the poll ended before 003.json" in result.stderr


def test_recordings_of_no_source_are_left_over(recorded: tuple[Helr, str]) -> None:
    helr, live = recorded
    shutil.copytree(folder(helr), folder(helr, "other"))
    result = helr.run(*REPLAY)
    assert (result.returncode, result.stdout) == (1, live)
    assert "rec/other: these recordings belong to no configured source" in result.stderr
    assert helr.run(*REPLAY, "--source", "slack-audit").returncode == 0


def test_a_source_without_recordings_is_an_error(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url)
    (helr.cwd / "rec").mkdir()
    result = helr.run(*REPLAY)
    assert (result.returncode, result.stdout) == (1, "")
    assert "recordings rec/slack-audit: no response was recorded here" in result.stderr
    assert mock.requests == []


def test_a_directory_that_is_not_there_is_an_error(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url)
    result = helr.run(*REPLAY)
    assert result.returncode == 2
    assert "recordings rec: not a directory" in result.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("001.json", "{", "001.json: not JSON"),
        ("001.json", "[]", "001.json: not a JSON object"),
        ("001.json", '{"url": "http://x/", "status": "200"}', "001.json: status is missing or"),
        (
            "001.json",
            '{"url": "http://x/", "status": 200, "headers": {}, "body_base64": "é"}',
            "001.json: body_base64 is not base64",
        ),
        ("state.json", "{", "state.json: not JSON"),
        ("state.json", "{}", "state.json: it has no state for source slack-audit"),
        ("state.json", '{"slack-audit": {"chain": "7"}}', "state.json: chain: not a JSON object"),
        ("state.json", '{"slack-audit": {"marks": 7}}', "state.json: marks are not as"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_polled(
    recorded: tuple[Helr, str], name: str, content: str, said: str
) -> None:
    helr, _ = recorded
    (folder(helr) / name).write_text(content)
    result = helr.run(*REPLAY)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_another_query_than_was_recorded_is_said_once(recorded: tuple[Helr, str]) -> None:
    helr, live = recorded
    config = helr.cwd / "helr.yaml"
    config.write_text(config.read_text().replace("limit: 10", "limit: 20"))
    result = helr.run(*REPLAY)
    assert (result.returncode, result.stdout) == (0, live)
    assert result.stderr.count("recorded for a different query (now: limit=20)") == 1


# -- recordings of the Rust helr, and the state at the beginning of a recording


def as_helr_writes(helr: Helr, name: str) -> None:
    """Recordings of the Rust helr: lower-case header names, no `received`, no state."""
    for path in sorted(folder(helr).glob("0*.json")):
        whole: dict[str, Any] = json.loads(path.read_text())
        whole["headers"] = {key.lower(): value for key, value in whole["headers"].items()}
        whole["headers"]["date"] = "Tue, 14 Nov 2023 22:13:20 GMT"
        wanted = ("url", "status", "headers", "body_base64")
        path.write_text(json.dumps({key: whole[key] for key in wanted}, indent=2))
    (folder(helr) / "state.json").unlink()
    folder(helr).rename(folder(helr, name))


def test_helr_s_recordings_replay_at_the_time_of_their_date(recorded: tuple[Helr, str]) -> None:
    helr, live = recorded
    as_helr_writes(helr, "my_org__audit")
    config = helr.cwd / "helr.yaml"
    config.write_text(config.read_text().replace("slack-audit:", "my org/.audit:"))
    as_helr = helr.run(*REPLAY)
    assert as_helr.returncode == 0, as_helr.stderr
    lines = as_helr.stdout.split("\n")[:-1]
    assert [json.loads(line)["event"] for line in lines] == [
        json.loads(line)["event"] for line in live.split("\n")[:-1]
    ]
    assert {json.loads(line)["ts"] for line in lines} == {"2023-11-14T22:13:20Z"}


def test_the_starting_state_is_what_state_import_takes(helr: Helr, mock: MockSlack) -> None:
    keys: dict[str, Any] = {
        "query_params": {"limit": 10},
        "pagination": {**slack_source("")["pagination"], "max_pages": 1},
        "dedupe": {"id_path": "id"},
    }
    helr.slack(mock.url, **keys)
    assert helr.run("run", "--once").stdout.count("\n") == 10
    exported = helr.run("state", "export").stdout
    live = helr.run(*RECORD)
    assert live.stdout.count("\n") == 10
    kept = (folder(helr) / "state.json").read_text()
    assert json.loads(kept) == json.loads(exported)
    assert helr.run(*REPLAY).stdout == live.stdout
    helr.slack("https://api.example.com", **keys)  # a replay contacts neither API
    elsewhere = helr.run(*REPLAY, "-q")
    assert (elsewhere.stdout, elsewhere.stderr) == (live.stdout, "")


DOCUMENTED = """
sources:
  slack-audit:
    url: "https://api.slack.com/audit/v1/logs"
    schedule:
      interval_secs: 300
      jitter_secs: 30
    auth:
      type: bearer
      token_env: SLACK_AUDIT_TOKEN
    headers:
      Accept: "application/json"
    query_params:
      limit: "200"
    pagination:
      strategy: cursor
      cursor_param: cursor
      cursor_path: response_metadata.next_cursor
      max_pages: 25
    resilience:
      timeout_secs: 30
      retries:
        max_attempts: 5
        initial_backoff_secs: 2
        max_backoff_secs: 60
        multiplier: 2.0
      circuit_breaker:
        enabled: true
        failure_threshold: 5
        success_threshold: 2
        half_open_timeout_secs: 60
      rate_limit:
        respect_headers: true
        page_delay_secs: 2
"""


def test_the_documented_commands_with_the_documented_config(helr: Helr, mock: MockSlack) -> None:
    config = helr.cwd / "helr.yaml"
    config.write_text(DOCUMENTED.replace("https://api.slack.com/audit/v1/logs", mock.logs_url))
    live = helr.run("run", "--once", "--record-dir", "./recordings")
    assert live.stdout.count("\n") == 25, live.stderr
    config.write_text(DOCUMENTED)
    helr.env.clear()
    again = helr.run("run", "--once", "--replay-dir", "./recordings")
    assert (again.returncode, again.stdout) == (0, live.stdout), again.stderr
