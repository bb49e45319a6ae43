"""Standard output as shippers, shells and people connect it."""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import subprocess
import sys
import time
import tty
from collections import Counter
from pathlib import Path

import pytest

from mock_server import MockSlack
from tests.command.support import Follow, configure, ended, follow, ids
from tests.conftest import Helr
from tests.support import until

pytestmark = pytest.mark.unmeasured

SETPIPE = 1031


def shell(helr: Helr, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command.replace("helr", f"{sys.executable} -m helr")],
        cwd=helr.cwd,
        env=helr.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", "<&- >&- 2>&-", "1</dev/null"])
def test_a_closed_standard_output_is_refused_before_anything_is_opened(
    helr: Helr, closed: str
) -> None:
    with MockSlack(events=5) as mock:
        configure(helr, mock.url)
        result = shell(helr, f"helr run --once {closed}")
        assert result.returncode == 2
        assert not (helr.cwd / "helr-state.db").exists()
        assert mock.requests == []
        if "2>&-" not in closed:
            assert len(result.stderr.splitlines()) == 1
            assert "standard output: closed, or not open for writing; connect it" in result.stderr


def test_with_an_output_file_nothing_else_may_be_open(helr: Helr) -> None:
    """No file of helr's becomes descriptor 0, 1 or 2."""
    with MockSlack(events=5) as mock:
        configure(helr, mock.url)
        assert shell(helr, "helr run --once -o out <&- >&- 2>&-").returncode == 0
        assert Counter(ids((helr.cwd / "out").read_bytes())) == Counter(mock.ids())
        assert "slack-audit" in shell(helr, "helr state show slack-audit").stdout


@pytest.mark.parametrize("size", [4096, 1 << 20])
@pytest.mark.parametrize("blocking", [True, False])
def test_pipes_of_any_size_and_mood(helr: Helr, size: int, blocking: bool) -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, SETPIPE, size)
    os.set_blocking(write, blocking)
    with MockSlack(events=1500) as mock:
        configure(helr, mock.url, query_params={"limit": 1000})
        process = helr.start("run", "--once", stdout=write)
        os.close(write)
        reader = Follow(read)
        assert ended(process, 20) == 0
        assert Counter(ids(reader.end())) == Counter(mock.ids())


def test_a_socket(helr: Helr) -> None:
    ours, theirs = socket.socketpair()
    with MockSlack(events=300) as mock:
        configure(helr, mock.url)
        process = helr.start("run", "--once", stdout=theirs.fileno())
        theirs.close()
        reader = Follow(ours.fileno())
        assert ended(process, 20) == 0
        assert Counter(ids(reader.end())) == Counter(mock.ids())


def test_a_terminal(helr: Helr) -> None:
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with MockSlack(events=20) as mock:
        configure(helr, mock.url)
        process = helr.start("run", "--once", stdout=theirs)
        came = b""
        while came.count(b"\n") < 20:
            came += os.read(ours, 65536)
        assert ended(process, 20) == 0
        os.close(theirs)
        assert Counter(ids(came)) == Counter(mock.ids())


def test_a_file_by_redirection_and_dev_null(helr: Helr) -> None:
    with MockSlack(events=300) as mock:
        configure(helr, mock.url)
        assert shell(helr, "helr run --once >> out").returncode == 0
        mock.add_events(10)
        assert shell(helr, "helr run --once >> out").returncode == 0
        assert Counter(ids((helr.cwd / "out").read_bytes())) == Counter(mock.ids())
        mock.add_events(10)
        assert shell(helr, "helr run --once > /dev/null").returncode == 0
        assert helr.run("run", "--once").stdout == ""


def test_no_line_is_glued_to_one_that_a_full_disk_cut(helr: Helr) -> None:
    with MockSlack(events=30) as mock:
        configure(helr, mock.url)
        (helr.cwd / "out").write_bytes(b'{"endpoint":"/au')
        assert shell(helr, "helr run --once >> out").returncode == 0
        cut, *whole = (helr.cwd / "out").read_bytes().splitlines(keepends=True)
        assert cut == b'{"endpoint":"/au\n'
        assert Counter(ids(b"".join(whole))) == Counter(mock.ids())


def test_a_full_disk_behind_it(helr: Helr) -> None:
    with MockSlack(events=30) as mock:
        configure(helr, mock.url)
        result = shell(helr, "helr run --once > /dev/full")
        assert result.returncode == 4
        [line] = result.stderr.splitlines()
        assert "No space left on device" in line
        assert Counter(ids(helr.run("run", "--once").stdout)) == Counter(mock.ids())


def test_a_reader_that_stops_reading_early(helr: Helr) -> None:
    with MockSlack(events=2000) as mock:
        configure(helr, mock.url)
        result = shell(helr, "{ helr run --once; echo $? >&2; } | head -3")
        assert len(ids(result.stdout)) == 3
        *_, error, status = result.stderr.splitlines()
        assert status == "4"
        assert "the reader went away" in error
        rest = ids(helr.run("run", "--once").stdout)
        assert set(ids(result.stdout)) | set(rest) == set(mock.ids())


def test_a_reader_that_leaves_an_idle_helr_ends_it_at_once(helr: Helr) -> None:
    """Not at the next poll, an hour later: its source would be held for so long."""
    with MockSlack(events=5) as mock:
        configure(helr, mock.url, schedule={"interval_secs": 3600})
        process = helr.start("run")
        assert process.stdout is not None
        log = follow(process.stderr)
        for _ in range(5):
            process.stdout.readline()
        log.wait_for("5 delivered")
        process.stdout.close()
        assert ended(process, 3) == 4
        assert b"the reader went away" in log.end()


def test_a_reader_that_stalls_is_waited_for(helr: Helr) -> None:
    read, write = os.pipe()
    with MockSlack(events=1000) as mock:
        configure(helr, mock.url)
        process = helr.start("run", "--once", stdout=write)
        os.close(write)
        until(lambda: mock.requests)
        time.sleep(0.7)
        asked = len(mock.requests)
        time.sleep(0.3)
        assert len(mock.requests) == asked  # a stalled source is not polled
        assert process.poll() is None
        reader = Follow(read)
        assert ended(process, 20) == 0
        assert Counter(ids(reader.end())) == Counter(mock.ids())


def test_helrs_in_turn_into_one_pipe_never_mix_their_lines(helr: Helr) -> None:
    with MockSlack(events=0) as mock:
        configure(helr, mock.url)
        read, write = os.pipe()
        reader = Follow(read)
        for _ in range(4):
            mock.add_events(100)
            process = helr.start("run", "--once", stdout=write)
            until(lambda: mock.requests)
            mock.clear_requests()
            process.kill()
            process.wait()
        for _ in range(2):  # the first may only end a chain that a killed one began
            assert ended(helr.start("run", "--once", stdout=write), 20) == 0
        os.close(write)
        came = Counter(ids(reader.end()))
        assert set(came) == set(mock.ids())


def test_a_fifo_by_name_waits_for_its_reader(helr: Helr) -> None:
    fifo = helr.cwd / "fifo"
    os.mkfifo(fifo)
    with MockSlack(events=300) as mock:
        configure(helr, mock.url)
        process = helr.start("run", "--once", "-o", "fifo")
        log = follow(process.stderr)
        log.wait_for("the FIFO has no reader yet; waiting for one")
        assert mock.requests == []
        reader = Follow(os.open(fifo, os.O_RDONLY))
        assert ended(process, 20) == 0
        assert Counter(ids(reader.end())) == Counter(mock.ids())


@pytest.mark.parametrize("kind", ["socket", "directory"])
def test_what_cannot_be_an_output_is_refused(helr: Helr, kind: str) -> None:
    configure(helr, "http://127.0.0.1:9")
    path = Path("thing")
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as listening:
            os.chdir(helr.cwd)
            listening.bind(str(path))
    else:
        (helr.cwd / path).mkdir()
    result = helr.run("run", "--once", "-o", str(path))
    assert result.returncode == 2
    assert str(path) in result.stderr
