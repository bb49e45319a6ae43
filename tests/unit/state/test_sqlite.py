"""The state file: one transaction a commit, exact ids, old and newer files, trouble and its end."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.engine.dedupe import Seen
from helr.errors import DamagedStateError, StateError
from helr.state import Store
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint, Step
from helr.state.sqlite import VERSION, SqliteStore
from tests.support import FULL


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def open_state(path: Path, busy_secs: float = 0.1) -> SqliteStore:
    return SqliteStore(str(path), busy_secs=busy_secs)


def values(store: Store, source: str = "s") -> dict[str, str]:
    return store.source(source).load().values


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, path: Path) -> Store:
    return open_state(path) if request.param == "sqlite" else MemoryStore()


def test_values_are_set_and_removed_per_source(store: Store) -> None:
    store.source("s").commit([Checkpoint(values={"cursor": "c1", "oldest_ts": "5"})])
    store.source("other").commit([Checkpoint(values={"cursor": "c9"})])
    store.source("s").commit(
        [Checkpoint(values={"cursor": "c2"}), Checkpoint(values={"cursor": None})]
    )
    assert values(store) == {"oldest_ts": "5"}
    assert values(store, "other") == {"cursor": "c9"}


def test_marks_are_forgotten_by_kind_and_time(store: Store) -> None:
    marks = [("edge", b"a", 1.0), ("edge", b"b", 2.0), ("edge", b"c", 3.0), ("cursor", b"x", 0.0)]
    store.source("s").commit([Checkpoint(marks=list(marks))])
    store.source("s").commit([Checkpoint(forget=[("edge", 3.0)])])
    assert sorted(store.source("s").load().marks) == sorted([marks[2], marks[3]])
    store.source("s").commit([Checkpoint(forget=[("cursor", None)])])
    assert sorted(store.source("s").load().marks) == [marks[2]]


@pytest.mark.unmeasured
@given(
    capacity=st.integers(1, 20),
    pages=st.lists(st.lists(st.integers(0, 40).map(str), max_size=30), max_size=12),
    restarts=st.sets(st.integers(0, 11)),
)
def test_ids_are_forgotten_in_the_same_order_whatever_restarts_there_are(
    tmp_path_factory: pytest.TempPathFactory,
    capacity: int,
    pages: list[list[str]],
    restarts: set[int],
) -> None:
    """What a restart loads is what the process before it knew, to the id."""
    path = tmp_path_factory.mktemp("ids") / "state.db"
    store, seen = open_state(path), Seen(capacity)
    for number, page in enumerate(pages):
        keep = seen.fresh(page)
        new: list[str] = page if keep is None else [page[index] for index in keep]
        store.source("s").commit([Checkpoint(ids=new, capacity=capacity)])
        seen.add(new)
        if number in restarts:
            store.close()
            store = open_state(path)
        assert list(Seen(capacity, store.source("s").ids()[-capacity:]).ids) == list(seen.ids)
    store.close()


def test_a_hundred_thousand_ids_are_small_and_read_at_once(path: Path) -> None:
    store = open_state(path)
    for start in range(0, 300_000, 90):
        ids = [f"{number:08x}-0000-4000-a000-{number:012d}" for number in range(start, start + 90)]
        store.source("s").commit([Checkpoint(ids=ids, capacity=100_000)])
    store.close()
    assert sum(file.stat().st_size for file in path.parent.iterdir()) < 20_000_000
    began = time.process_time()
    again = open_state(path)
    opened = time.process_time() - began
    kept = again.source("s").ids()[-100_000:]
    Seen(100_000, kept)
    assert kept[-1].endswith("300059")
    assert len(kept) == 100_000
    assert opened < 0.05  # they are read when a page needs them, not at the start
    assert time.process_time() - began < 0.5


def test_a_commit_is_one_transaction(path: Path) -> None:
    """A reader between any two moments sees all of a commit or nothing of it."""
    store = open_state(path)
    done = threading.Event()

    def write() -> None:
        for number in range(300):
            text = str(number)
            store.source("s").commit(
                [Checkpoint(values={"a": text}), Checkpoint(values={"b": text})]
            )
        done.set()

    threading.Thread(target=write, daemon=True).start()
    with closing(sqlite3.connect(path)) as reader:
        while not done.is_set():
            found = dict(reader.execute("SELECT key, value FROM helr_state"))
            assert found.get("a") == found.get("b")


def test_a_commit_that_fails_leaves_everything_as_it_was(path: Path) -> None:
    store = open_state(path)
    store.source("s").commit([Checkpoint(values={"cursor": "c1"}, ids=["a"], capacity=9)])
    bad = Checkpoint(values={"cursor": "c2", "key": "\ud800"}, ids=["b"], capacity=9)
    with pytest.raises(StateError):
        store.source("s").commit([bad])
    assert values(store) == {"cursor": "c1"}
    assert store.source("s").ids() == ["a"]
    store.source("s").commit([Checkpoint(values={"cursor": "c3"}, ids=["c"], capacity=9)])
    assert store.source("s").ids() == ["a", "c"]


def test_only_its_owner_reads_it(path: Path) -> None:
    open_state(path).check_writable()
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


# -- other formats


def helr_state(path: Path) -> None:
    """A state file as the Rust Helr 0.7 leaves it (read from one that it wrote)."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE helr_state (source_id TEXT NOT NULL, key TEXT NOT NULL, "
            "value TEXT NOT NULL, updated_at INTEGER NOT NULL, PRIMARY KEY (source_id, key))"
        )
        rows = [
            ("s", "cursor", ""),
            ("s", "oldest_ts", "1795502129"),
            ("t", "next_url", "http://x"),
        ]
        db.executemany("INSERT INTO helr_state VALUES (?, ?, ?, 1795502131)", rows)


def test_a_file_that_helr_wrote_goes_on_working(path: Path) -> None:
    helr_state(path)
    store = open_state(path)
    assert values(store) == {"oldest_ts": "1795502129"}
    assert values(store, "t") == {"next_url": "http://x"}
    store.source("s").commit(
        [Checkpoint(values={"oldest_ts": "1795502130"}, ids=["a"], capacity=9)]
    )
    store.close()
    again = open_state(path)
    assert values(again) == {"oldest_ts": "1795502130"}
    assert again.source("s").ids() == ["a"]


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    open_state(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(DamagedStateError, match=r"written by a newer helr .*upgrade helr"):
        open_state(path)
    assert path.read_bytes() == before


def test_an_upgrade_that_fails_half_way_changes_nothing(path: Path) -> None:
    helr_state(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE helr_delivered_source (other)"
        )  # in the way of an index to be made
        before = db.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall()
    with pytest.raises(DamagedStateError):
        open_state(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master ORDER BY name").fetchall() == before
        assert db.execute("PRAGMA user_version").fetchone() == (0,)


def test_ids_of_the_first_format_are_kept(path: Path) -> None:
    open_state(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE helr_delivered; PRAGMA user_version = 1; CREATE TABLE helr_ids "
            "(seq INTEGER PRIMARY KEY, source_id TEXT, count INTEGER, ids TEXT);"
            "INSERT INTO helr_ids VALUES (3, 's', 2, 'a' || char(10) || 'b'), (7, 's', 1, 'c');"
        )
    store = open_state(path)
    assert store.source("s").ids() == ["a", "b", "c"]
    store.source("s").commit([Checkpoint(ids=["d"], capacity=3)])
    assert store.source("s").ids()[-3:] == ["b", "c", "d"]


def test_two_processes_may_upgrade_a_file_at_once(path: Path) -> None:
    store = open_state(path)
    store.source("s").commit([Checkpoint(ids=["a"], capacity=3)])
    store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 1")  # as it was read just before the other's upgrade
    assert open_state(path).ids("s") == ["a"]


def test_two_processes_may_begin_a_file_at_once(path: Path) -> None:
    code = (
        "import sys; from helr.state.sqlite import SqliteStore; from helr.state import Checkpoint\n"
        "sys.stdin.readline(); s = SqliteStore(sys.argv[1]); s.check_writable()\n"
        "s.commit(sys.argv[2], [Checkpoint(values={'cursor': 'c'})])"
    )
    for attempt in range(3 if FULL else 1):
        file = path.with_name(f"{attempt}.db")
        starts = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(file), name],
                stdin=subprocess.PIPE,
            )
            for name in "abc"
        ]
        time.sleep(0.3)
        for process in starts:
            assert process.stdin is not None
            process.stdin.close()
        for process in starts:
            assert process.wait(20) == 0
        assert open_state(file).sources() == ["a", "b", "c"]


# -- trouble


def test_no_commit_goes_into_a_deleted_file(path: Path) -> None:
    store = open_state(path)
    store.source("s").commit([Checkpoint(values={"cursor": "c1"})])
    path.unlink()
    with pytest.raises(StateError, match="deleted or replaced"):
        store.source("s").commit([Checkpoint(values={"cursor": "c2"})])
    assert not store.source("s").is_current()
    assert values(store) == {}
    with pytest.raises(StateError, match="deleted or replaced"):
        store.source("s").commit([Checkpoint(values={"cursor": "c2"})])  # it is not accepted yet
    store.journal.commit(Step("/out.*", 1, 2, 0, b"out.1"))  # of no source
    store.source("s").accept()
    store.source("s").commit([Checkpoint(values={"cursor": "c3"})])
    assert values(open_state(path)) == {"cursor": "c3"}


def test_a_file_put_back_as_it_was_is_no_other_one(path: Path) -> None:
    folder, away = path.parent / "folder", path.parent / "away"
    folder.mkdir()
    store = open_state(folder / "state.db")
    store.check_writable()
    store.source("s").commit([Checkpoint(values={"cursor": "c1"})])
    folder.rename(away)
    with pytest.raises(StateError):
        store.source("s").is_current()
    away.rename(folder)
    assert store.source("s").is_current()
    store.source("s").commit([Checkpoint(values={"cursor": "c2"})])
    assert values(open_state(folder / "state.db")) == {"cursor": "c2"}


def test_a_replaced_file_is_opened_even_when_it_could_not_be_at_first(path: Path) -> None:
    store = open_state(path)
    store.source("s").commit([Checkpoint(values={"cursor": "old"})])
    other = path.with_name("other.db")
    helr_state(other)
    os.replace(other, path)
    for file in (f"{path}-wal", f"{path}-shm"):
        os.unlink(file)
    with closing(sqlite3.connect(path)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        for _ in range(2):
            with pytest.raises(StateError, match="locked"):
                store.source("s").is_current()
            with pytest.raises(StateError):
                store.source("s").commit([Checkpoint(values={"cursor": "new"})])
    assert not store.source("s").is_current()
    assert values(store) == {"oldest_ts": "1795502129"}
    store.source("s").accept()
    store.source("s").commit([Checkpoint(values={"cursor": "new"})])
    assert store.source("s").is_current()


def test_a_replaced_file_does_not_get_what_the_old_one_had_in_its_log(path: Path) -> None:
    store = open_state(path)
    store.source("s").commit([Checkpoint(values={"cursor": "old"})])
    other = path.with_name("other.db")
    helr_state(other)
    os.replace(other, path)  # beside it, the old one's write-ahead log
    assert not store.source("s").is_current()
    assert values(store) == {"oldest_ts": "1795502129"}


def test_a_replacement_that_is_no_database_is_told_until_there_is_a_better_one(path: Path) -> None:
    store = open_state(path)
    store.source("s").commit([Checkpoint(values={"cursor": "old"})])
    other = path.with_name("other.db")
    other.write_bytes(b"no database" * 1000)
    os.replace(other, path)
    for _ in range(2):
        with pytest.raises(StateError, match="not a database"):
            store.source("s").is_current()
    helr_state(other)
    os.replace(other, path)
    assert not store.source("s").is_current()
    assert values(store) == {"oldest_ts": "1795502129"}


def test_a_locked_file_is_told_and_works_again(path: Path) -> None:
    store = open_state(path)
    with closing(sqlite3.connect(path)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            StateError, match=r"state\.db: database is locked; wait for the program"
        ):
            store.source("s").commit([Checkpoint(values={"cursor": "c"})])
    store.source("s").commit([Checkpoint(values={"cursor": "c"})])
    assert values(store) == {"cursor": "c"}


def test_what_is_no_database_is_told(path: Path) -> None:
    path.write_bytes(b"events, not state\n" * 1000)
    with pytest.raises(DamagedStateError, match=r"state\.db: file is not a database; restore it"):
        open_state(path)


def test_a_note_that_cannot_be_recorded_is_only_a_warning(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_state(path)
    with closing(sqlite3.connect(path)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        store.source("s").note("hold", "x")
    assert "hold is not recorded, so a restart will not know of it: state file" in caplog.text
    store.source("s").note("hold", "y")
    assert values(store) == {"hold": "y"}


def test_steps_of_output_files(path: Path) -> None:
    store = open_state(path)
    assert store.journal.step("/a") is None
    step = Step("/a", 1, 2, 3, b"lines\n")
    store.journal.commit(step, "s", Checkpoint(values={"cursor": "c"}))
    assert store.journal.step("/a") == step
    assert store.journal.unfinished() == ["/a"]
    store.journal.finish("/a", 9)
    assert store.journal.step("/a") == Step("/a", 1, 2, 9, b"")
    assert store.journal.unfinished() == []


def test_a_file_that_this_user_may_not_open_is_told_with_its_permissions() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = Path(folder) / "state.db"
        open_state(path).close()
        owner, mode = path.stat().st_uid, 0o600 if os.geteuid() == 0 else 0
        path.chmod(mode)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            with pytest.raises(StateError) as caught:
                SqliteStore(str(path), read_only=True)
            now = os.geteuid()
        finally:
            os.seteuid(user)
        assert f"its permissions are {mode:04o}, and its owner is user {owner}; run helr" in str(
            caught.value
        )
        assert f"unable to open database file as user {now}" in str(caught.value)


def test_a_commit_waits_for_the_disk_every_few_seconds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut repeats is what was committed since."""
    store = open_state(path)
    done: list[str] = []
    store._db.set_trace_callback(done.append)
    clock = [time.monotonic()]
    monkeypatch.setattr("helr.state.sqlite.time.monotonic", lambda: clock[0])
    syncs = []
    for second in range(12):
        store.source("s").commit([Checkpoint(values={"cursor": str(second)})])
        syncs.append("PRAGMA synchronous = FULL" in done)
        assert done.index("BEGIN IMMEDIATE") == syncs[-1], "it is set before the transaction"
        done.clear()
        clock[0] += 1
    assert [second for second, synced in enumerate(syncs) if synced] == [5, 10]
    assert store._db.execute("PRAGMA synchronous").fetchone() == (1,), "NORMAL in between"
