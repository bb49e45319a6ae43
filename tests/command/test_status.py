"""`helr status`: its output and exit status in each situation, and that it disturbs nothing."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mock_server import MockSlack
from tests.conftest import Helr, slack_source
from tests.support import INCREMENTAL

BASE = 1_700_000_000  # 2023-11-14T22:13:20Z, the newest event


def told(helr: Helr, *args: str, status: int = 0) -> Any:
    """The JSON of the first source."""
    done = helr.run("status", "--format", "json", *args)
    assert (done.returncode, done.stderr) == (status, "")
    return json.loads(done.stdout)["sources"][0]


def put(helr: Helr, key: str, value: str) -> None:
    with sqlite3.connect(helr.cwd / "helr-state.db") as db:
        row = ("slack-audit", key, value, int(time.time()))
        db.execute("INSERT OR REPLACE INTO helr_state VALUES (?, ?, ?, ?)", row)
    db.close()


@pytest.fixture
def mock() -> Any:
    with MockSlack(events=1000, base_time=BASE) as mock:
        yield mock


def test_before_the_first_poll(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url)
    done = helr.run("status")
    assert (done.returncode, done.stdout) == (0, "slack-audit: never succeeded\n")
    assert done.stderr == f"no state in {helr.cwd / 'helr-state.db'}\n"
    done = helr.run("status", "--format", "json")
    assert json.loads(done.stdout)["ok"] is True
    assert done.stderr == f"no state in {helr.cwd / 'helr-state.db'}\n"
    done = helr.run("status", "--max-age", "60")
    assert (done.returncode, done.stdout) == (1, "slack-audit: never succeeded: TOO OLD\n")
    assert not (helr.cwd / "helr-state.db").exists()


def test_after_a_success(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url, incremental_from=INCREMENTAL)
    before = int(time.time())
    assert helr.run("run", "--once").returncode == 0
    found = told(helr, "--max-age", "600")
    assert found["ok"] is True
    assert found["last_success"] >= time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(before))
    assert 0 <= found["last_success_age_secs"] < 60
    assert found["watermark"] == str(BASE)
    assert abs(found["watermark_age_secs"] - (time.time() - BASE)) < 60
    assert (found["chain"], found["held"]) == (None, None)
    text = helr.run("status").stdout
    assert text.startswith("slack-audit: last success 2")
    assert "\n  watermark 2023-11-14T22:13:20Z (" in text


def test_max_age(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url)
    assert helr.run("run", "--once").returncode == 0
    put(helr, "success", str(int(time.time()) - 500))
    assert told(helr, "--max-age", "600")["ok"] is True
    assert told(helr, "--max-age", "400", status=1)["ok"] is False
    done = helr.run("status", "--max-age", "400")
    assert done.returncode == 1
    assert "(8 min ago): TOO OLD" in done.stdout


def test_a_success_in_the_future_is_not_fresh(helr: Helr, mock: MockSlack) -> None:
    """The clock was ahead, so the age of the success is unknown."""
    helr.slack(mock.url)
    put_success = str(int(time.time()) + 7000)
    assert helr.run("run", "--once").returncode == 0
    put(helr, "success", put_success)
    assert told(helr, "--max-age", "600", status=1)["ok"] is False
    assert told(helr)["ok"] is True
    assert ": IN THE FUTURE" in helr.run("status", "--max-age", "600").stdout


def test_times_have_no_fractions(helr: Helr, mock: MockSlack) -> None:
    """As jq's fromdateiso8601 requires."""
    helr.slack(mock.url)
    assert helr.run("run", "--once").returncode == 0
    put(helr, "cursor", "x")
    put(helr, "chain", '{"greatest": 1700000000.25, "spelled": "x", "reached": 1600000000.75}')
    put(helr, "hold", json.dumps({"until": time.time() + 500.5, "reason": "busy"}))
    found = told(helr)
    times = found["last_success"], found["held"]["until"], *found["chain"].values()
    assert sum(isinstance(at, str) and len(at) == len("2023-11-14T22:13:20Z") for at in times) == 4


def test_an_open_chain_shows_how_far_back_it_has_got(helr: Helr, mock: MockSlack) -> None:
    pages = {**slack_source("")["pagination"], "max_pages": 2}
    helr.slack(mock.url, pagination=pages, incremental_from=INCREMENTAL)
    done = helr.run("run", "--once")
    last = json.loads(done.stdout.split("\n")[-2])
    found = told(helr)
    assert found["watermark"] is None
    assert found["chain"] == {
        "events": 400,
        "newest": "2023-11-14T22:13:20Z",
        "reached": last["ts"],
    }
    assert last["ts"] < "2023-11-14T22:13:20Z"
    assert "open chain: 400 events, from 2023-11-14T22:13:20Z (" in helr.run("status").stdout
    assert f"back to {last['ts']} (" in helr.run("status").stdout


@pytest.mark.parametrize("chain", ['{"start":null,"greatest":5,"spelled":"5","events":7}', "", "["])
def test_a_chain_of_an_older_helr_or_none(helr: Helr, mock: MockSlack, chain: str) -> None:
    helr.slack(mock.url)
    helr.run("run", "--once")
    put(helr, "cursor", "x")
    put(helr, "chain", chain)
    assert told(helr)["chain"]["reached"] is None
    assert "open chain: " in helr.run("status").stdout


def test_a_retry_after_holds(helr: Helr, mock: MockSlack) -> None:
    mock.settings.retry_after = 10_000
    mock.fault("rate_limited@1")
    helr.slack(mock.url)
    assert helr.run("run", "--once").returncode == 1
    held = told(helr)["held"]
    assert held["by"] == "hold"
    assert held["until"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7000))
    assert "429" in held["reason"]
    assert "\n  held until 2" in helr.run("status").stdout
    assert "(in 3 h): " in helr.run("status").stdout


def test_an_open_breaker_holds_until_its_time(helr: Helr, mock: MockSlack) -> None:
    mock.fault("500:1")
    rules = {
        "retries": {"max_attempts": 1},
        "circuit_breaker": {"failure_threshold": 1, "half_open_timeout_secs": 3600},
    }
    helr.slack(mock.url, resilience=rules)
    assert helr.run("run", "--once").returncode == 1
    held = told(helr)["held"]
    assert held["by"] == "breaker"
    assert "500" in held["reason"]
    put(helr, "breaker", json.dumps({"until": time.time() - 1, "reason": "over"}))
    assert told(helr)["held"] is None
    put(helr, "hold", "not JSON")
    assert told(helr)["held"] is None
    put(helr, "hold", json.dumps({"until": time.time() + 60, "reason": "as 0.1 wrote it"}))
    assert told(helr)["held"]["reason"] == "as 0.1 wrote it"
    for until in (1e300, 3_587_000_000):  # longer than any wait that is ever begun
        put(helr, "hold", json.dumps({"until": until, "reason": "for ever"}))
        assert told(helr)["held"] is None


def test_only_the_named_sources_and_each_in_turn(helr: Helr, mock: MockSlack) -> None:
    helr.config(sources={"a": slack_source(mock.url), "b": slack_source(mock.url)})
    assert helr.run("run", "--once", "--source", "b").returncode == 0
    done = helr.run("status", "--max-age", "60")
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == ["a", "b"]
    assert done.returncode == 1
    assert helr.run("status", "--max-age", "60", "--source", "b").returncode == 0
    assert helr.run("status", "--source", "c").returncode == 2


def test_it_disturbs_nothing_and_needs_no_secret(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url, schedule={"interval_secs": 3600})
    run = helr.start("run")
    assert run.stdout is not None
    for _ in range(1000):
        run.stdout.readline()
    until = time.monotonic() + 20
    del helr.env["SLACK_AUDIT_TOKEN"]
    while told(helr)["last_success"] is None:
        assert time.monotonic() < until
    assert run.poll() is None
    asked = len(mock.requests)
    told(helr)
    assert len(mock.requests) == asked
    run.terminate()
    assert run.wait(10) == 0
    run.stdout.close()


def test_the_state_is_only_read(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url)
    assert helr.run("run", "--once").returncode == 0

    def files() -> dict[str, bytes]:
        """Without SQLite's two, which exist while the state is open, and after a reader."""
        paths = [path for path in helr.cwd.iterdir() if path.suffix not in (".db-wal", ".db-shm")]
        return {path.name: path.read_bytes() for path in paths}

    before = files()
    told(helr)
    assert files() == before


@pytest.mark.parametrize(
    ("state", "args", "said"),
    [
        ({"backend": "memory"}, [], "global.state.backend is memory"),
        ({"path": "broken"}, [], "not a database"),
        ({}, ["--max-age", "0"], "--max-age must be more than 0 seconds, not 0"),
        ({}, ["--max-age", "nan"], "--max-age: must be a number"),
        ({}, ["--max-age", "soon"], "--max-age"),
    ],
)
def test_a_failure_exits_with_2(
    helr: Helr, state: dict[str, str], args: list[str], said: str
) -> None:
    (helr.cwd / "broken").write_bytes(b"x" * 4096)
    source = slack_source("http://127.0.0.1:9")
    helr.config(**{"global": {"state": state}}, sources={"slack-audit": source})
    done = helr.run("status", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_probe_loads_neither_http_nor_the_config_check_nor_the_engine(
    helr: Helr, mock: MockSlack
) -> None:
    helr.slack(mock.url)
    assert helr.run("run", "--once").returncode == 0
    code = (
        "import sys; from helr.cli import main; main(['status']); "
        "print([m for m in ('requests', 'jsonschema', 'helr.engine.poll', 'ssl') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=helr.cwd,
        env=helr.environment({"PYTHONPATH": str(Path(__file__).parents[2])}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("[]\n")


def test_characters_that_the_locale_lacks_are_escaped(
    helr: Helr, httpserver_json: Callable[[Any], str]
) -> None:
    """An error in Japanese, on a terminal with Latin-1."""
    helr.config(sources={"s": {"url": httpserver_json({"error": "\u30ec\u30fc\u30c8"})}})
    for encoding in ("latin-1", "ascii"):
        for command in (("run", "--once"), ("status",), ("validate", "--format", "json")):
            done = helr.run(*command, env={"PYTHONIOENCODING": encoding})
            assert "Traceback" not in done.stderr
            assert "internal error" not in done.stderr
            if command[0] == "run":
                assert "\\u30ec\\u30fc\\u30c8" in done.stderr
