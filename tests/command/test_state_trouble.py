"""State in trouble: one clear line, the source waits, nothing is lost, and it goes on after it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from mock_server import MockSlack
from tests.command.support import Follow, careful, configure, ended, follow, ids
from tests.conftest import Helr
from tests.support import until

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=100) as mock:
        yield mock


class Running:
    """A helr that polls ten times a second and is read."""

    def __init__(self, helr: Helr, mock: MockSlack) -> None:
        self.mock = mock
        self.process = helr.start("run")
        self.out: Follow = follow(self.process.stdout)
        self.log: Follow = follow(self.process.stderr)
        until(lambda: len(ids(self.whole())) == len(mock.ids()))

    def whole(self) -> bytes:
        return self.out.data[: self.out.data.rfind(b"\n") + 1]

    def all_came_once(self) -> None:
        until(lambda: set(ids(self.whole())) == set(self.mock.ids()))
        asked = len(self.mock.requests)
        until(lambda: len(self.mock.requests) > asked + 2)
        assert Counter(ids(self.whole())) == Counter(self.mock.ids())

    def end(self) -> bytes:
        self.process.send_signal(signal.SIGTERM)
        assert ended(self.process, 3) == 0
        return self.log.end()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs leave to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def backup(state: Path, copy: Path) -> None:
    """A copy as SQLite makes one while others write."""
    with closing(sqlite3.connect(state)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target, pages=1, sleep=0.01)


def during(
    helr: Helr, mock: MockSlack, begin: Callable[[], None], end: Callable[[], None], says: str
) -> bytes:
    """Events go on coming while the state is in trouble; the log of it all."""
    running = Running(helr, mock)
    begin()
    mock.add_events(10)
    running.log.wait_for(says, times=2)
    came = len(ids(running.whole()))
    asked = len(mock.requests)
    running.log.wait_for(says, times=4)
    assert len(ids(running.whole())) == came  # the source waits, and repeats nothing
    assert len(mock.requests) == asked
    mock.add_events(10)
    end()
    running.all_came_once()
    log = running.end()
    again = helr.run("run", "--once")
    assert (again.returncode, again.stdout) == (0, "")
    for line in log.decode().splitlines():
        if says in line:
            assert "helr-state.db" in line
            assert "Traceback" not in line
    return log


def test_a_full_disk(helr: Helr, mock: MockSlack) -> None:
    """What helr may write is limited to what its write-ahead log has; then it is lifted."""
    configure(helr, mock.url)
    running = Running(helr, mock)
    size = (helr.cwd / "helr-state.db-wal").stat().st_size
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (size, -1))
    mock.add_events(10)
    running.log.wait_for("ERROR", times=3)
    came = len(ids(running.whole()))
    running.log.wait_for("ERROR", times=6)
    assert len(ids(running.whole())) == came
    assert b"helr-state.db" in running.log.data
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (-1, -1))
    running.all_came_once()
    running.end()
    assert helr.run("run", "--once").stdout == ""


def test_a_full_disk_of_its_own(helr: Helr, mock: MockSlack) -> None:
    with small_disk(helr.cwd / "disk") as disk:
        configure(helr, mock.url)
        text = (helr.cwd / "helr.yaml").read_text()
        state = "global:\n  state: {path: disk/helr-state.db}\n"
        (helr.cwd / "helr.yaml").write_text(text.replace("global:\n", state))
        filler = disk / "filler"

        def fill() -> None:
            with suppress(OSError):
                filler.write_bytes(b"x" * 2_000_000)

        log = during(helr, mock, fill, filler.unlink, "is full")
        assert b"free space on its disk" in log
        fill()
        for path in disk.glob("helr-state.db*"):
            path.unlink()
        fill()
        result = helr.run("run", "--once")
        assert result.returncode == 5
        assert len(result.stderr.splitlines()) == 1
        assert result.stdout == ""


def test_locked_by_another_program(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    running = Running(helr, mock)
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        mock.add_events(10)
        running.log.wait_for("database is locked; wait for the program that locks it", times=3)
        mock.add_events(10)
    running.all_came_once()
    running.end()
    assert helr.run("run", "--once").stdout == ""


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_locked_at_the_start(helr: Helr, mock: MockSlack, begin: str) -> None:
    """Status 5, for which a service is started again, and no word of trying again."""
    configure(helr, mock.url)
    assert helr.run("run", "--once").returncode == 0
    mock.clear_requests()
    change = ["state", "set", "slack-audit", "oldest_ts", "5"]
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as blocker:
        blocker.execute(begin)
        for command in (["run"], ["run", "--once"], change, ["state", "reset", "slack-audit"]):
            result = helr.run(*command)
            assert (result.returncode, result.stdout) == (5, "")
            [line] = result.stderr.splitlines()
            assert "database is locked; wait for the program that locks it" in line
    assert mock.requests == []
    assert helr.run("run", "--once").returncode == 0


def test_read_only_at_the_start(helr: Helr, mock: MockSlack) -> None:
    """What SQLite says of a file that it may not write, which root always may."""
    configure(helr, mock.url)
    assert helr.run("run", "--once").returncode == 0
    (helr.cwd / "sitecustomize.py").write_text(
        "import sqlite3\n"
        "real = sqlite3.connect\n"
        "def connect(path, **options):\n"
        "    return real(f'file:{path}?mode=ro', **{**options, 'uri': True})\n"
        "sqlite3.connect = connect\n"
    )
    mock.clear_requests()
    result = helr.run("run", "--once", env={"PYTHONPATH": str(helr.cwd)})
    assert result.returncode == 5
    [line] = result.stderr.splitlines()
    assert "readonly database; make the file and its directory writable" in line
    assert mock.requests == []


def test_locked_until_the_end_of_a_one_shot_run(helr: Helr, mock: MockSlack) -> None:
    """What was delivered cannot be recorded: that is no success."""
    configure(helr, mock.url)
    process = helr.start("run", "--once")
    log = follow(process.stderr)
    until(lambda: mock.requests)
    with closing(sqlite3.connect(helr.cwd / "helr-state.db", timeout=15)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        reader = follow(process.stdout)  # its block was waiting in the pipe, or has yet to come
        assert ended(process, 60) == 5
    told = [line for line in log.end().splitlines() if b"database is locked" in line]
    assert 1 <= len(told) <= 2  # that it waits, and why it ends
    again = ids(helr.run("run", "--once").stdout)
    assert set(ids(reader.end())) | set(again) == set(mock.ids())


@pytest.mark.parametrize("ends", ["unlocked", "killed"])
def test_locked_in_the_middle_of_a_page(helr: Helr, ends: str) -> None:
    """Ninety blocks are left; what comes again is the one that could not be recorded."""
    with MockSlack(events=9000) as mock:
        configure(helr, mock.url, query_params={"limit": 9000})
        process = helr.start("run")
        assert process.stdout is not None
        log = follow(process.stderr)
        first = os.read(process.stdout.fileno(), 65536)
        with closing(sqlite3.connect(helr.cwd / "helr-state.db", timeout=15)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            out = follow(process.stdout)
            log.wait_for("no events are delivered until the state can be written: state file")
            if ends == "killed":
                process.kill()
                process.wait()
        if ends == "unlocked":
            log.wait_for("the state can be written again")
            until(lambda: (first + out.data).count(b"\n") == 9000, 60)
            process.send_signal(signal.SIGTERM)
            assert ended(process, 3) == 0
        came = ids(first + out.end())
        again = helr.run("run", "--once").stdout
        assert set(came) | set(ids(again)) == set(mock.ids())
        repeated = set(came) & set(ids(again))
        lines = zip(again.split("\n"), ids(again), strict=False)
        size = sum(len(line.encode()) + 1 for line, id_ in lines if id_ in repeated)
        assert size <= (65536 if ends == "killed" else 0)


def test_deleted_while_something_is_not_settled(helr: Helr, mock: MockSlack) -> None:
    """Neither the old file's checkpoints nor the new one's are recorded before their time."""
    configure(helr, mock.url, settle=60)
    running = Running(helr, mock)
    for end in ("", "-wal", "-shm"):
        (helr.cwd / f"helr-state.db{end}").unlink()
    running.log.wait_for("the state file was deleted")
    asked = len(mock.requests)
    until(lambda: len(mock.requests) > asked + 3)
    running.process.kill()
    running.process.wait()
    configure(helr, mock.url)
    assert Counter(ids(helr.run("run", "--once").stdout)) == Counter(mock.ids())


def test_an_online_backup_disturbs_nothing(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    running = Running(helr, mock)
    for number in range(5):
        backup(helr.cwd / "helr-state.db", helr.cwd / "backup.db")
        mock.add_events(number)
    running.all_came_once()
    assert b"ERROR" not in running.end()


@pytest.mark.parametrize("with_log", [True, False])
def test_deleted_while_running_it_is_written_anew(
    helr: Helr, mock: MockSlack, with_log: bool
) -> None:
    configure(helr, mock.url)
    running = Running(helr, mock)
    for end in ("", "-wal", "-shm") if with_log else ("",):
        (helr.cwd / f"helr-state.db{end}").unlink()
    mock.add_events(10)
    running.all_came_once()
    assert b"the state file was deleted: writing it again" in running.end()
    mock.add_events(3)
    assert Counter(ids(helr.run("run", "--once").stdout)) == Counter(mock.ids()[:3])


def test_replaced_while_running_the_new_one_is_obeyed(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    helr.run("run", "--once")
    backup = helr.cwd / "backup.db"
    shutil.copy(helr.cwd / "helr-state.db", backup)
    mock.add_events(20)
    process = helr.start("run")
    out, log = follow(process.stdout), follow(process.stderr)
    until(lambda: out.data.count(b"\n") == 20)
    os.replace(backup, helr.cwd / "helr-state.db")  # an hour old, say: 20 events come again
    until(lambda: out.data.count(b"\n") == 40)
    mock.add_events(5)
    until(lambda: out.data.count(b"\n") == 45)
    process.send_signal(signal.SIGTERM)
    assert ended(process, 3) == 0
    assert b"the state file was replaced: continuing from what it says" in log.end()
    assert Counter(ids(out.end())) == Counter(mock.ids()[:25] + mock.ids()[5:25])
    assert helr.run("run", "--once").stdout == ""


def test_replaced_by_rubbish_it_waits_for_something_better(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    good = helr.cwd / "good.db"

    def spoil() -> None:
        backup(helr.cwd / "helr-state.db", good)
        rubbish = helr.cwd / "rubbish"
        rubbish.write_bytes(b"rubbish" * 2000)
        os.replace(rubbish, helr.cwd / "helr-state.db")

    log = during(
        helr,
        mock,
        spoil,
        lambda: os.replace(good, helr.cwd / "helr-state.db"),
        "file is not a database; restore it from a backup",
    )
    assert b"replaced" in log


def test_its_directory_gone_while_running(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    text = (helr.cwd / "helr.yaml").read_text()
    state = "global:\n  state: {path: state/helr-state.db}\n"
    (helr.cwd / "helr.yaml").write_text(text.replace("global:\n", state))
    folder, away = helr.cwd / "state", helr.cwd / "away"
    folder.mkdir()
    during(
        helr, mock, lambda: folder.rename(away), lambda: away.rename(folder), "create its directory"
    )


def test_corrupt_at_the_start(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    (helr.cwd / "helr-state.db").write_bytes(b"rubbish" * 2000)
    result = helr.run("run", "--once")
    assert result.returncode == 2
    [line] = result.stderr.splitlines()
    assert "helr-state.db: file is not a database; restore it from a backup" in line
    assert mock.requests == []


def test_a_newer_format_is_refused(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    helr.run("run", "--once")
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as db:
        db.execute("PRAGMA user_version = 99")
    mock.clear_requests()
    for command in (["run", "--once"], ["state", "show", "slack-audit"], ["test", "--source"]):
        args = [*command, "slack-audit"] if command[0] == "test" else command
        result = helr.run(*args)
        assert result.returncode == 2
        assert "written by a newer helr (format 99" in result.stderr
    assert mock.requests == []


def test_a_state_on_a_disk_that_may_not_be_written(helr: Helr, mock: MockSlack) -> None:
    with small_disk(helr.cwd / "disk") as disk:
        configure(helr, mock.url)
        text = (helr.cwd / "helr.yaml").read_text()
        state = "global:\n  state: {path: disk/helr-state.db}\n"
        (helr.cwd / "helr.yaml").write_text(text.replace("global:\n", state))
        assert helr.run("run", "--once").returncode == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        mock.clear_requests()
        result = helr.run("run", "--once")
        assert result.returncode == 5
        [line] = result.stderr.splitlines()
        assert "disk/helr-state.db" in line
        assert mock.requests == []
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert helr.run("run", "--once").stdout == ""


def test_a_state_that_helr_wrote_goes_on_working(helr: Helr, mock: MockSlack) -> None:
    """As the Rust Helr 0.7 leaves it: an empty cursor is none."""
    configure(helr, mock.url)
    newest = int(json.loads(mock.raw_events()[0])["date_create"])
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as db, db:
        db.execute(
            "CREATE TABLE helr_state (source_id TEXT NOT NULL, key TEXT NOT NULL, "
            "value TEXT NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (source_id, key))"
        )
        rows = [("slack-audit", "cursor", ""), ("slack-audit", "oldest_ts", str(newest))]
        db.executemany("INSERT INTO helr_state VALUES (?, ?, ?, 0)", rows)
    mock.add_events(3, at=newest + 5)
    result = helr.run("run", "--once")
    assert result.returncode == 0
    assert set(mock.ids()[:3]) <= set(ids(result.stdout))
    assert len(ids(result.stdout)) < 20
    assert helr.run("run", "--once").stdout == ""


def test_a_chain_that_cannot_be_read_is_one_sources_trouble(helr: Helr, mock: MockSlack) -> None:
    helr.config(sources={"broken": careful(mock.url), "whole": careful(mock.url)})
    assert helr.run("run", "--once").returncode == 0
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as db, db:
        db.execute("INSERT INTO helr_state VALUES ('broken', 'chain', '{', 0)")
    mock.add_events(3)
    result = helr.run("run", "--once", "-q")
    assert result.returncode == 1
    assert len(set(ids(result.stdout)) & set(mock.ids())) == 3
    told = result.stderr.splitlines()
    assert len(told) == 1
    assert (
        "broken: the chain in the state was not written by helr; run `helr state reset" in told[0]
    )
