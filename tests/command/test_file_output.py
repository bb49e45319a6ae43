"""`-o FILE` through the command: each event exactly once, and the file only ever grows."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from mock_server import MockSlack
from tests.command.support import careful, configure, ended, follow, ids
from tests.command.test_state_trouble import small_disk
from tests.conftest import Helr
from tests.support import until

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=500) as mock:
        yield mock


def came(helr: Helr, name: str = "out") -> Counter[str]:
    return Counter(ids((helr.cwd / name).read_bytes()))


def test_once_and_again_and_running(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    for _ in range(2):
        assert helr.run("run", "--once", "-o", "out").returncode == 0
        assert came(helr) == Counter(mock.ids())
        mock.add_events(20)
    process = helr.start("run", "-o", "out")
    until(lambda: (helr.cwd / "out").read_bytes().count(b"\n") == len(mock.ids()))
    mock.add_events(20)
    until(lambda: (helr.cwd / "out").read_bytes().count(b"\n") == len(mock.ids()))
    process.send_signal(signal.SIGTERM)
    assert ended(process, 3) == 0
    assert came(helr) == Counter(mock.ids())


def test_several_sources_share_it(helr: Helr, mock: MockSlack) -> None:
    with MockSlack(events=500, seed=2) as other:
        sources = {
            "a": careful(mock.url, query_params={"limit": 30}),
            "b": careful(other.url, query_params={"limit": 30}),
        }
        helr.config(sources=sources)
        process = helr.start("run", "-o", "out")
        until(lambda: (helr.cwd / "out").exists() and len(mock.requests) > 3)
        process.kill()
        process.wait()
        assert helr.run("run", "--once", "-o", "out").returncode == 0
        assert came(helr) == Counter(mock.ids() + other.ids())


def test_a_full_disk_and_room_again(helr: Helr, mock: MockSlack) -> None:
    with small_disk(helr.cwd / "disk") as disk, MockSlack(events=3000) as mock:
        configure(helr, mock.url)
        result = helr.run("run", "--once", "-o", "disk/out")
        assert result.returncode == 4
        *_, line = result.stderr.splitlines()
        assert "disk/out: No space left on device; missing lines are appended" in line
        torn = (disk / "out").read_bytes()
        again = helr.run("run", "--once", "-o", "disk/out")
        assert again.returncode == 4  # still full: nothing is asked for, nothing repeated
        assert (disk / "out").read_bytes() == torn
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert helr.run("run", "--once", "-o", "disk/out").returncode == 0
        assert (disk / "out").read_bytes().startswith(torn)
        assert came(helr, "disk/out") == Counter(mock.ids())


def test_a_full_disk_and_another_output(helr: Helr, mock: MockSlack) -> None:
    """What the step of the first file holds is not forgotten because the output is another one."""
    with small_disk(helr.cwd / "disk") as disk, MockSlack(events=3000) as mock:
        configure(helr, mock.url)
        assert helr.run("run", "--once", "-o", "disk/out").returncode == 4
        other = helr.run("run", "--once")
        assert other.returncode == 0
        assert f"runs with -o {disk / 'out'}" in other.stderr
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert helr.run("run", "--once").stdout == ""
        both = came(helr, "disk/out") + Counter(ids(other.stdout))
        assert both == Counter(mock.ids())


def test_a_state_in_trouble_writes_nothing(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    process = helr.start("run", "-o", "out")
    log = follow(process.stderr)
    until(lambda: (helr.cwd / "out").exists() and len(came(helr)) == 500)
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        mock.add_events(10)
        log.wait_for("database is locked", times=2)
        assert sum(came(helr).values()) == 500
    until(lambda: sum(came(helr).values()) == 510)
    process.send_signal(signal.SIGTERM)
    assert ended(process, 3) == 0
    assert came(helr) == Counter(mock.ids())


def test_a_state_that_was_lost_writes_all_of_it_anew_while_running(
    helr: Helr, mock: MockSlack
) -> None:
    configure(helr, mock.url)
    process = helr.start("run", "-o", "out")
    until(lambda: (helr.cwd / "out").exists() and len(came(helr)) == 500)
    for end in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(f"{helr.cwd}/helr-state.db{end}")
    mock.add_events(10)
    until(lambda: sum(came(helr).values()) == 510)
    process.kill()
    process.wait()
    assert helr.run("run", "--once", "-o", "out").returncode == 0
    assert came(helr) == Counter(mock.ids())


def test_logrotate_by_another(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    process = helr.start("run", "-o", "out")
    until(lambda: (helr.cwd / "out").exists() and len(came(helr)) == 500)
    (helr.cwd / "out").rename(helr.cwd / "out.1")
    mock.add_events(10)
    until(lambda: (helr.cwd / "out").exists() and len(came(helr)) == 10)
    process.send_signal(signal.SIGTERM)
    assert ended(process, 3) == 0
    assert came(helr) + came(helr, "out.1") == Counter(mock.ids())
