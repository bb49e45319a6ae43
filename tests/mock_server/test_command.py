"""`python -m mock_server` as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mock_server import MockSlack
from mock_server.faults import FAULTS
from tests.mock_server.conftest import Client

ROOT = Path(__file__).resolve().parent.parent.parent
Start = Callable[..., "tuple[subprocess.Popen[str], str]"]


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "mock_server", *args]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a mock and returns it with its URL, as its first line says."""
    running: list[subprocess.Popen[str]] = []

    def started(*args: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            command("--port", "0", *args), cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stderr
        line = process.stderr.readline()
        found = re.fullmatch(r"mock_server: (\S+) serves \d+ events; stop with Ctrl-C\n", line)
        assert found, line
        return process, found[1]

    yield started
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_status_0(start: Start, number: signal.Signals) -> None:
    process, url = start("--events", "10", "--fault", "hang")
    with pytest.raises(TimeoutError):
        Client(url, timeout=0.2).logs()
    started = time.monotonic()
    process.send_signal(number)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert time.monotonic() - started < 2
    assert errors == ""


def test_options_reach_the_mock(start: Start, tmp_path: Path) -> None:
    log, port = tmp_path / "log", tmp_path / "port"
    _, url = start(
        *("--events", "20", "--seed", "5", "--base-time", "1700000000", "--token", "xoxp-t"),
        *("--fault", "500@1", "--fault", "503@2", "--rate-limit", "3/hour", "--gzip"),
        *("--latency", "1", "--expire-cursors", "500", "--last-page", "missing", "--live", "0"),
        *("--request-log", str(log), "--port-file", str(port)),
    )
    assert port.read_text() == url.rpartition(":")[2] + "\n"
    client = Client(url, "xoxp-t")
    answers = [client.logs() for _ in range(6)]
    assert [answer.status for answer in answers] == [500, 503, 200, 200, 200, 429]
    assert "response_metadata" not in answers[2].json
    with MockSlack(events=20, seed=5, base_time=1_700_000_000) as same:
        assert answers[2].ids == same.ids()
        assert b",".join(same.raw_events()) in answers[2].body
    settings = client.ask("/_mock/settings").json
    assert (settings["cursor_lifetime"], settings["latency_ms"], settings["gzip"]) == (500, 1, True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["status"] for line in lines] == [500, 503, 200, 200, 200, 429]
    assert "xoxp-t" not in log.read_text()


def test_live_events(start: Start) -> None:
    _, url = start("--events", "0", "--live", "100")
    deadline = time.monotonic() + 10
    while not Client(url).logs().ids:
        assert time.monotonic() < deadline


def test_help_names_every_fault_with_its_line() -> None:
    done = run("--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for name, fault in FAULTS.items():
        assert f" {name} {fault.help}" in text


def test_a_taken_port_is_one_line_and_status_2(mock: MockSlack) -> None:
    done = run("--port", mock.url.rpartition(":")[2])
    assert done.returncode == 2
    assert re.fullmatch(r"mock_server: cannot listen on 127\.0\.0\.1:\d+: .+\n", done.stderr)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--fault", "nonsense"], "no fault 'nonsense'; the faults are"),
        (["--rate-limit", "often"], "rate limit 'often' does not have the form"),
        (["--events", "-1"], "--events must not be negative"),
        (["--port", "70000"], "--port must be"),
        (["--tls", "/nowhere/c", "/nowhere/k"], "/nowhere"),
        (["--tls", __file__, __file__], "cannot serve TLS with"),
        (["--request-log", "/nowhere/log"], "/nowhere/log: No such file"),
        (["--port-file", "/nowhere/port", "--port", "0"], "cannot write /nowhere/port"),
        (["--host", "192.0.2.1", "--port", "0"], "cannot listen on 192.0.2.1"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_2(args: list[str], said: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_the_fixture_for_other_projects_that_name_the_plugin(tmp_path: Path) -> None:
    """As they had to before pytest found it by itself."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["helr.pytest_plugin"]\n')
    (tmp_path / "test_it.py").write_text(
        "import urllib.request\n"
        "def test_it(mock_slack):\n"
        "    request = urllib.request.Request(mock_slack.logs_url)\n"
        "    request.add_header('Authorization', 'Bearer ' + mock_slack.token)\n"
        "    assert urllib.request.urlopen(request).status == 200\n"
        "    assert len(mock_slack.ids()) == 1000\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
