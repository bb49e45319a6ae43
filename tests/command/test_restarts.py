"""helr as a shipper treats it: restarted in a tight loop, stopped with its whole process group."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mock_server import MockSlack
from tests.conftest import Helr

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=500) as mock:
        yield mock


def read_until(process: subprocess.Popen[bytes], text: bytes) -> bytes:
    """What it logged until then."""
    assert process.stderr is not None
    seen = b""
    until = time.monotonic() + 20
    while text not in seen:
        ready, _, _ = select.select([process.stderr], [], [], max(until - time.monotonic(), 0))
        assert ready, seen
        data = os.read(process.stderr.fileno(), 4096)
        assert data, seen
        seen += data
    return seen


def end(process: subprocess.Popen[bytes], number: int) -> int:
    process.send_signal(number)
    process.communicate(timeout=10)
    return process.returncode


def asked(mock: MockSlack) -> int:
    return len(mock.requests)


# -- restarts in a tight loop


def test_restarts_against_a_long_retry_after_ask_once(helr: Helr, mock: MockSlack) -> None:
    mock.settings.retry_after = 3600
    mock.fault("rate_limited@1+")
    helr.slack(mock.url)
    for _ in range(4):
        done = helr.run("run", "--once")
        assert done.returncode == 1
        assert "not polled before 2" in done.stderr
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = helr.start("run")
        read_until(process, b"not polled before 2")
        end(process, number)
    assert asked(mock) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_while_a_short_retry_after_is_waited_out_does_not_ask_sooner(
    helr: Helr, mock: MockSlack, number: int
) -> None:
    """30 s are within max_backoff_secs: helr waits for them itself, and may be ended meanwhile."""
    mock.settings.retry_after = 30
    mock.fault("rate_limited@1+")
    helr.slack(mock.url)
    process = helr.start("run", "--once")
    read_until(process, b"waiting 30.0 s")
    end(process, number)
    for _ in range(3):
        assert helr.run("run", "--once").returncode == 1
    assert asked(mock) == 1
    assert helr.run("state", "reset", "slack-audit", "--hold").returncode == 0
    mock.clear_faults()
    assert helr.run("run", "--once").returncode == 0


def test_a_retry_after_that_was_waited_out_is_forgotten(helr: Helr, mock: MockSlack) -> None:
    mock.fault("rate_limited@2")
    helr.slack(mock.url)
    assert helr.run("run", "--once").returncode == 0
    assert "hold" not in helr.run("state", "show", "slack-audit").stdout


def test_restarts_against_a_broken_server_stop_asking(helr: Helr, mock: MockSlack) -> None:
    mock.fault("500@1+")
    rules = {
        "retries": {"max_attempts": 1},
        "circuit_breaker": {"failure_threshold": 3, "half_open_timeout_secs": 3600},
    }
    helr.slack(mock.url, resilience=rules)
    for _ in range(6):
        assert helr.run("run", "--once").returncode == 1
    assert asked(mock) == 3


def test_a_source_that_is_held_does_not_hold_up_another(helr: Helr, mock: MockSlack) -> None:
    from tests.conftest import slack_source

    helr.config(sources={name: slack_source(mock.url) for name in ("held", "free")})
    mock.settings.retry_after = 3600
    mock.fault("rate_limited@1")
    assert helr.run("run", "--once", "--source", "held").returncode == 1
    done = helr.run("run", "--once")
    assert done.returncode == 1
    sources = {json.loads(line)["source"] for line in done.stdout.split("\n")[:-1]}
    assert sources == {"free"}


# -- a stop of the whole process group, as Fluent Bit's exec does it


def in_a_group(helr: Helr, *args: str, **options: Any) -> subprocess.Popen[bytes]:
    """`sh -c 'helr …; true'`: the shell stays, helr is its child, both in a group of their own."""
    command = shlex.join([sys.executable, "-m", "helr", *args]) + "; true"
    return subprocess.Popen(
        ["sh", "-c", command],
        cwd=helr.cwd,
        env=helr.environment(),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        bufsize=0,  # so that communicate() misses nothing that readline() has taken
        **options,
    )


def lines_of(data: bytes) -> list[str]:
    """The ids of whole lines; a half one fails."""
    assert data.endswith(b"\n") or not data
    return [json.loads(line)["event"]["id"] for line in data.split(b"\n")[:-1]]


def test_stopping_the_group_at_any_moment_loses_and_repeats_nothing(
    helr: Helr, mock: MockSlack
) -> None:
    mock.settings.latency_ms = 30
    helr.slack(mock.url, query_params={"limit": 20}, dedupe={"id_path": "id"})
    ids: list[str] = []
    for lines in (1, 45, 130):
        process = in_a_group(helr, "run", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        data = b"".join(process.stdout.readline() for _ in range(lines))
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGTERM)
        rest, _ = process.communicate(timeout=10)
        assert time.monotonic() - began < 3
        ids += lines_of(data + rest)
    done = helr.run("run", "--once")
    ids += lines_of(done.stdout.encode())
    assert sorted(ids) == sorted(mock.ids())


def test_a_group_whose_reader_stopped_reading_ends_in_time_and_loses_nothing(
    helr: Helr, mock: MockSlack
) -> None:
    helr.slack(mock.url, dedupe={"id_path": "id"})
    process = in_a_group(helr, "run", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    select.select([process.stdout], [], [], 20)  # something is in the pipe, and nobody reads it
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGTERM)
    assert process.stderr is not None
    told = process.stderr.read()
    assert time.monotonic() - began < 3
    assert b"are unconfirmed and will be sent again" in told
    process.stdout.close()  # what was in the pipe is lost with its reader
    process.stderr.close()
    process.wait(5)
    again = helr.run("run", "--once")
    assert sorted(lines_of(again.stdout.encode())) == sorted(mock.ids())


def test_a_killed_group_repeats_at_most_what_the_pipe_held(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url, dedupe={"id_path": "id"})
    process = in_a_group(helr, "run", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    rest, _ = process.communicate(timeout=10)
    before = lines_of(first + rest)
    again = helr.run("run", "--once").stdout.encode()
    assert set(before) | set(lines_of(again)) == set(mock.ids())
    repeated = [line for line in again.splitlines() if lines_of(line + b"\n")[0] in before]
    assert sum(map(len, repeated)) <= 65_536
