"""SIGTERM and SIGINT end helr within two seconds, whatever it is doing: with status 0, or, a
one-shot run in the middle of its polls, with 128 + number."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from mock_server import MockSlack
from tests.command.support import Follow, configure, ended, follow, ids
from tests.conftest import Helr
from tests.support import until

pytestmark = pytest.mark.unmeasured

LIMIT = 2.0  # seconds
TERM, INT = signal.SIGTERM, signal.SIGINT


def stopped(process: subprocess.Popen[bytes], number: int = TERM, *, early: bool = False) -> None:
    """Signal it; it has to end well in time. `early`: in the middle of `--once`."""
    began = time.monotonic()
    process.send_signal(number)
    assert ended(process, LIMIT + 3) == (128 + number if early else 0)
    assert time.monotonic() - began < LIMIT


def come_again(errors: bytes) -> int:
    """What the last line says of it; nothing is said of none."""
    early = rb"(?: before the polls were finished; the next run continues)?"
    some = (
        rb"stopped by signal \d+"
        + early
        + rb"(?:; (\d+) written events? (?:is|are) unconfirmed and will be sent again)?\n"
    )
    found = re.search(some, errors)
    assert found, errors
    return int(found[1] or 0)


@pytest.mark.parametrize("number", [TERM, INT])
@pytest.mark.parametrize("fault", ["hang", "drip-headers", "drip-body", "slow", "429", "500"])
def test_while_the_api_keeps_it_waiting(helr: Helr, fault: str, number: int) -> None:
    with MockSlack(events=50, faults=[f"{fault}@1+"]) as mock:
        configure(helr, mock.url, resilience={"retries": {"initial_backoff_secs": 30}})
        process = helr.start("run")
        until(lambda: mock.requests)
        time.sleep(0.1)
        stopped(process, number)
        assert process.stdout is not None
        assert process.stdout.read() == b""


@pytest.mark.parametrize("changes", [{"page_delay_secs": 30}, {"max_requests_per_second": 0.01}])
def test_while_it_paces_itself(helr: Helr, changes: dict[str, Any]) -> None:
    with MockSlack(events=300) as mock:
        configure(helr, mock.url, resilience={"rate_limit": changes})
        process = helr.start("run", "--once")
        reader = follow(process.stdout)
        until(lambda: reader.data.count(b"\n") == 200)
        stopped(process, early=True)


def test_between_two_polls(helr: Helr) -> None:
    with MockSlack(events=5) as mock:
        configure(helr, mock.url, schedule={"interval_secs": 3600})
        process = helr.start("run")
        reader, log = follow(process.stdout), follow(process.stderr)
        log.wait_for("5 delivered")
        stopped(process)
        assert come_again(log.end()) == 0
        assert Counter(ids(reader.end())) == Counter(mock.ids())
        assert helr.run("run", "--once").stdout == ""


def test_while_a_name_is_looked_up(helr: Helr) -> None:
    """getaddrinfo cannot be interrupted; here it takes a minute."""
    (helr.cwd / "sitecustomize.py").write_text(
        "import socket, time, sys\n"
        "def slow(*args, **kwargs):\n"
        "    sys.stderr.write('looking up\\n'); sys.stderr.flush(); time.sleep(60)\n"
        "socket.getaddrinfo = slow\n"
    )
    configure(helr, "http://slow.example:80", allow_insecure=True)
    process = helr.start("run", env={"PYTHONPATH": str(helr.cwd)})
    follow(process.stderr).wait_for("looking up")
    stopped(process)


def test_while_a_connection_is_not_answered(helr: Helr) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        configure(helr, f"http://127.0.0.1:{full.getsockname()[1]}")
        process = helr.start("run")
        log = follow(process.stderr)
        time.sleep(0.8)
        assert process.poll() is None, log.data
        stopped(process)
        for each in waiting:
            each.close()


@pytest.mark.parametrize("dedupe", [{"id_path": "id"}, None])
def test_with_a_full_pipe_that_nobody_reads(helr: Helr, dedupe: Any) -> None:
    with MockSlack(events=1000) as mock:
        configure(helr, mock.url, query_params={"limit": 1000}, dedupe=dedupe)
        process = helr.start("run", "--once")
        log = follow(process.stderr)
        until(lambda: mock.requests)
        time.sleep(0.3)
        stopped(process, early=True)
        assert process.stdout is not None
        written = ids(process.stdout.read())
        again = helr.run("run", "--once")
        assert come_again(log.end()) == len(written) > 50
        came = Counter(written + ids(again.stdout))
        assert set(came) == set(mock.ids())
        assert sum(came.values()) - len(came) == len(written)


def test_a_block_under_way_is_waited_for_and_recorded(helr: Helr) -> None:
    with MockSlack(events=1000) as mock:
        configure(helr, mock.url, query_params={"limit": 1000})
        process = helr.start("run", "--once")
        log = follow(process.stderr)
        until(lambda: mock.requests)
        time.sleep(0.3)
        process.send_signal(TERM)
        time.sleep(0.3)
        reader = follow(process.stdout)
        assert ended(process, LIMIT) == 128 + TERM
        written = ids(reader.end())
        assert 0 < len(written) < 200  # one block, and no more begun
        assert come_again(log.end()) == 0
        rest = ids(helr.run("run", "--once").stdout)
        assert Counter(written + rest) == Counter(mock.ids())


def test_with_a_reader_that_reads_nothing_comes_twice(helr: Helr) -> None:
    with MockSlack(events=20_000) as mock:
        configure(helr, mock.url, query_params={"limit": 1000})
        came: list[str] = []
        for round_ in range(3):
            process = helr.start("run")
            reader, log = follow(process.stdout), follow(process.stderr)
            until(lambda r=reader, n=round_: len(r.data) > 700_000 * (n + 1))
            stopped(process, (TERM, INT)[round_ % 2])
            came += ids(reader.end())
            assert come_again(log.end()) == 0
        came += ids(helr.run("run", "--once").stdout)
        assert Counter(came) == Counter(mock.ids())


def test_with_a_locked_state_it_says_what_comes_again(helr: Helr) -> None:
    with MockSlack(events=50) as mock:
        configure(helr, mock.url)
        process = helr.start("run", "-v")
        log = follow(process.stderr)
        until(lambda: mock.requests)
        time.sleep(0.3)  # its block is in the pipe
        with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as blocker:
            blocker.execute("BEGIN EXCLUSIVE")
            reader = follow(process.stdout)
            log.wait_for("database is locked")
            stopped(process)
        again = come_again(log.end())
        came = Counter(ids(reader.end()) + ids(helr.run("run", "--once").stdout))
        assert sum(came.values()) - len(came) == again == 50
        assert set(mock.ids()) == set(came)


def test_while_it_waits_for_a_locked_state_to_begin(helr: Helr) -> None:
    configure(helr, "http://127.0.0.1:9")
    helr.run("run", "--once")
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        process = helr.start("run")
        time.sleep(0.4)
        began = time.monotonic()
        process.send_signal(TERM)
        assert ended(process, LIMIT) in (0, 5)  # 5: it had given up just then
        assert time.monotonic() - began < LIMIT


def test_while_it_waits_for_a_fifos_reader(helr: Helr) -> None:
    os.mkfifo(helr.cwd / "fifo")
    configure(helr, "http://127.0.0.1:9")
    process = helr.start("run", "-o", "fifo")
    log = follow(process.stderr)
    log.wait_for("the FIFO has no reader yet; waiting for one")
    stopped(process)
    assert b"Traceback" not in log.end()


def test_a_log_that_nobody_reads_stops_nothing(helr: Helr) -> None:
    """Standard error is a pipe that is full before helr starts; it is read again in the end."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    with MockSlack(events=10) as mock:
        configure(helr, mock.url)
        process = helr.start("run", "-v", stderr=write)
        reader = follow(process.stdout)
        until(lambda: len(mock.requests) > 5)
        mock.add_events(5)
        until(lambda: reader.data.count(b"\n") == 15)
        log = Follow(read)
        log.wait_for(" dropped")
        stopped(process)
    os.close(write)
    text = log.end().decode().lstrip("x")
    assert re.match(r"\S+Z WARN  standard error was not read: \d+ log lines dropped\n", text)
    assert come_again(text.encode()) == 0
    assert all(re.match(r"\S+Z [A-Z]+ ", line) for line in text.splitlines())


@pytest.mark.parametrize("args", [["run"], ["run", "--once"]])
def test_a_stop_waits_for_no_log(helr: Helr, args: list[str]) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with suppress(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    with MockSlack(events=10, faults=["hang@1+"]) as mock:
        configure(helr, mock.url)
        process = helr.start(*args, "-v", stderr=write)
        until(lambda: mock.requests)
        stopped(process, early="--once" in args)
        (helr.cwd / "helr.yaml").write_text("sources: 1\n")
        assert ended(helr.start(*args, stderr=write), 10) == 2
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("once", [[], ["--once"]])
@pytest.mark.parametrize("early", [True, False])
def test_no_other_signal_ends_it_without_a_line(helr: Helr, once: list[str], early: bool) -> None:
    """Every signal there is, but for those that no process can take, or that mean something else:
    sent from helr's first step on, and while it polls."""
    unlike = {TERM, INT, signal.SIGQUIT, signal.SIGXCPU, signal.SIGKILL, signal.SIGSTOP}
    unlike |= {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}  # they stop it, till SIGCONT
    unlike |= {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
    unlike |= {signal.SIGTRAP, signal.SIGSYS}  # a defect's
    quiet = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}  # end nobody
    quiet |= {signal.SIGPIPE, signal.SIGXFSZ}  # Python ignores them
    (helr.cwd / "sitecustomize.py").write_text(
        "import signal, sys\n"
        "real = signal.signal\n"
        "def signal_and_tell(*args):\n"
        "    real(*args); sys.stderr.write('started\\n'); sys.stderr.flush()\n"
        "signal.signal = signal_and_tell\n"
    )
    with MockSlack(events=5, faults=["hang@1+"]) as mock:
        configure(helr, mock.url)
        process = helr.start("run", *once, env={"PYTHONPATH": str(helr.cwd)})
        log = follow(process.stderr)
        log.wait_for("started")
        if not early:
            until(lambda: mock.requests)
        for number in signal.valid_signals() - unlike:
            process.send_signal(number)
        count = len(signal.valid_signals() - unlike - quiet)
        log.wait_for("ignored ", count)
        until(lambda: mock.requests)
        stopped(process, early=bool(once))
    text = log.end().decode()
    assert "ignored SIGHUP: the config is read only at startup; restart helr to apply" in text
    assert "ignored SIGUSR1: `helr status` shows" in text
    assert text.count("ignored ") == count


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGXCPU])
def test_what_else_asks_for_a_stop(helr: Helr, number: int) -> None:
    with MockSlack(events=5) as mock:
        configure(helr, mock.url)
        process = helr.start("run", stdout=subprocess.DEVNULL)
        log = follow(process.stderr)
        log.wait_for("5 delivered")
        stopped(process, number)
        assert come_again(log.end()) == 0


def test_other_commands_are_not_ended_by_sighup(helr: Helr) -> None:
    with MockSlack(events=5, faults=["slow@1"]) as mock:
        mock.settings.slow_seconds = 0.5
        helr.slack(mock.url)
        process = helr.start("test", "--source", "slack-audit")
        until(lambda: mock.requests)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGUSR1)
        assert ended(process, 10) == 0


@pytest.mark.parametrize("once", [[], ["--once"]])
@pytest.mark.parametrize("number", [TERM, INT])
def test_at_any_moment_of_the_start(helr: Helr, number: int, once: list[str]) -> None:
    """From helr's own first step on: before it, a KeyboardInterrupt of Python's can be lost."""
    (helr.cwd / "sitecustomize.py").write_text(
        "import signal, sys\n"
        "real = signal.signal\n"
        "def signal_and_tell(*args):\n"
        "    real(*args); sys.stderr.write('started\\n'); sys.stderr.flush()\n"
        "signal.signal = signal_and_tell\n"
    )
    with MockSlack(events=50, faults=["hang@1+"]) as mock:
        configure(helr, mock.url)
        statuses = Counter[int]()
        for step in range(14):
            env = {"PYTHONPATH": str(helr.cwd)}
            process = helr.start("run", *once, stdout=subprocess.DEVNULL, env=env)
            log = follow(process.stderr)
            log.wait_for("started")
            time.sleep(0.02 * step)
            process.send_signal(number)
            statuses[ended(process, LIMIT + 1)] += 1
            assert b"Traceback" not in log.end()
        stopped_early = 128 + number if once else 0
        assert set(statuses) <= {stopped_early, -number}
        assert statuses[stopped_early] >= 5


@pytest.mark.parametrize("number", [TERM, INT])
def test_a_second_signal_ends_it_at_once(helr: Helr, number: int) -> None:
    with MockSlack(events=1000) as mock:
        configure(helr, mock.url, query_params={"limit": 1000})
        process = helr.start("run")  # nobody reads
        until(lambda: mock.requests)
        time.sleep(0.3)
        process.send_signal(TERM)
        time.sleep(0.2)
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(number)
        assert ended(process, 2) == 128 + number
        assert time.monotonic() - began < 0.5


@pytest.mark.parametrize("once", [[], ["--once"]])
def test_what_is_not_settled_comes_again(helr: Helr, once: list[str]) -> None:
    with MockSlack(events=30) as mock:
        configure(helr, mock.url, settle=60, schedule={"interval_secs": 3600})
        process = helr.start("run", *once)
        reader, log = follow(process.stdout), follow(process.stderr)
        log.wait_for("30 delivered")
        if once:
            log.wait_for("until the delivered events are settled")
        stopped(process)
        assert come_again(log.end()) == 30
        assert Counter(ids(reader.end())) == Counter(mock.ids())
        configure(helr, mock.url, settle=0.3)
        began = time.monotonic()
        again = helr.run("run", "--once")
        assert time.monotonic() - began > 0.3
        assert Counter(ids(again.stdout)) == Counter(mock.ids())
        assert helr.run("run", "--once").stdout == ""


def test_settling_holds_up_no_page(helr: Helr) -> None:
    with MockSlack(events=1000) as mock:
        configure(helr, mock.url, settle=0.5, query_params={"limit": 100})
        began = time.monotonic()
        result = helr.run("run", "--once")
        assert Counter(ids(result.stdout)) == Counter(mock.ids())
        assert time.monotonic() - began < 3  # not ten times the settle time
        assert result.stderr.count("waiting") == 1


def test_a_pipeline_that_is_interrupted_as_a_whole_succeeds(helr: Helr, tmp_path: Path) -> None:
    """Ctrl-C goes to every process of a pipeline; the reader is gone before helr looks."""
    with MockSlack(events=5) as mock:
        configure(helr, mock.url)
        process = helr.start("run")
        assert process.stdout is not None
        for _ in range(5):
            process.stdout.readline()
        process.stdout.close()
        process.send_signal(INT)
        assert ended(process, LIMIT) == 0


@pytest.mark.parametrize("number", [TERM, INT])
def test_a_one_shot_run_cut_short_is_no_success(helr: Helr, number: int) -> None:
    """So that `helr run --once && next` does not take a part for the whole."""
    with MockSlack(events=450) as mock:
        configure(helr, mock.url, resilience={"rate_limit": {"page_delay_secs": 30}})
        process = helr.start("run", "--once", "-o", "events.ndjson")
        log = follow(process.stderr)
        until(lambda: len(mock.requests) == 1 and os.path.getsize(helr.cwd / "events.ndjson"))
        stopped(process, number, early=True)
        assert b"before the polls were finished; the next run continues" in log.end()
        configure(helr, mock.url)
        assert helr.run("run", "--once", "-o", "events.ndjson").returncode == 0
        came = ids((helr.cwd / "events.ndjson").read_bytes())
        assert Counter(came) == Counter(mock.ids())
