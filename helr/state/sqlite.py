"""State in one SQLite file; its table `helr_state` is the same as the Rust helr's.

Promises: a commit is one transaction in a write-ahead log, so a kill at any moment leaves the
state before or after it. A step of a regular output file is on the disk before its commit returns;
other commits are synced once every five seconds, so a power failure repeats little. Nothing is
committed into a file that was deleted or replaced while it was open. Only its owner can read the
file. A newer helr's file is refused; an older one's, or the Rust helr's, is upgraded at once.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
import time
from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from helr.errors import DamagedStateError, ReplacedStateError, StateError
from helr.model import State
from helr.state import Journal, SourceState
from helr.state.lock import lock_source
from helr.state.records import Checkpoint, Step, Stored

T = TypeVar("T")

VERSION = 2
_SYNC_SECS = 5.0  # between two commits that wait for the disk; a kernel alone takes up to 30 s
_ROW_IDS = 96  # maximum ids in a row: those of a block fit a page of the file

_TABLES = """
CREATE TABLE IF NOT EXISTS helr_state (
    source_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, updated_at INTEGER NOT NULL,
    PRIMARY KEY (source_id, key));
CREATE TABLE IF NOT EXISTS helr_delivered (
    slot INTEGER PRIMARY KEY, source_id TEXT NOT NULL, turn INTEGER NOT NULL,
    count INTEGER NOT NULL, ids TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS helr_delivered_source ON helr_delivered (source_id);
CREATE TABLE IF NOT EXISTS helr_marks (
    source_id TEXT NOT NULL, kind TEXT NOT NULL, mark BLOB NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (source_id, kind, mark)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS helr_steps (
    path TEXT PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL,
    length INTEGER NOT NULL, lines BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS helr_proof (only INTEGER PRIMARY KEY CHECK (only = 1), at REAL);
"""

# Version 1 kept delivered ids in another table, which is gone if another helr upgraded first.
_FROM_1 = """CREATE TABLE IF NOT EXISTS helr_ids (seq, source_id, count, ids);
INSERT INTO helr_delivered SELECT seq, source_id, seq, count, ids FROM helr_ids;
DROP TABLE helr_ids;"""

_SET = """INSERT INTO helr_state VALUES (?, ?, ?, ?) ON CONFLICT (source_id, key)
DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at"""
_FORGET = "DELETE FROM helr_marks WHERE source_id = ? AND kind = ? AND at < ifnull(?, 9e999)"
_DELETE_ALL = (
    "DELETE FROM helr_state WHERE source_id = ?",
    "DELETE FROM helr_delivered WHERE source_id = ?",
    "DELETE FROM helr_marks WHERE source_id = ?",
)
_SLOTS = "SELECT turn, slot, count FROM helr_delivered WHERE source_id = ? ORDER BY turn, slot"
_NEW_SLOT = "INSERT INTO helr_delivered (source_id, turn, count, ids) VALUES (?, ?, ?, ?)"
_IN_SLOT = "UPDATE helr_delivered SET turn = ?, count = ?, ids = ? WHERE slot = ?"
_MORE_IDS = (
    "UPDATE helr_delivered SET turn = ?, count = ?, ids = ids || char(10) || ? WHERE slot = ?"
)
_VALUES = "SELECT key, value FROM helr_state WHERE source_id = ? AND value <> ''"
_MARKS = "SELECT kind, mark, at FROM helr_marks WHERE source_id = ?"
_IDS = "SELECT ids FROM helr_delivered WHERE source_id = ? ORDER BY turn, slot"
_LARGEST = 2**63 - 1  # what SQLite can hold
_STEP = "INSERT OR REPLACE INTO helr_steps VALUES (?, ?, ?, ?, ?)"
_LAST_STEP = "SELECT * FROM helr_steps WHERE path = ?"
# a path that ends in ".*" is not a file: helr/output/file.py records rotations there
_OPEN = "SELECT path FROM helr_steps WHERE length(lines) > 0 AND path NOT LIKE '%.*'"
_FINISHED = "UPDATE helr_steps SET lines = x'', length = ? WHERE path = ?"
_SOURCES = (
    "SELECT source_id FROM helr_state UNION SELECT source_id FROM helr_delivered "
    "UNION SELECT source_id FROM helr_marks ORDER BY 1"
)


def open(state: State) -> SqliteStore:  # noqa: A001
    return SqliteStore(state.path)


def open_read_only(state: State) -> SqliteStore | None:
    return SqliteStore(state.path, read_only=True) if os.path.exists(state.path) else None


class SqliteStore:
    """`busy_secs`: how long to wait while another program locks the file."""

    durable = True

    def __init__(self, path: str, *, busy_secs: float = 1.0, read_only: bool = False) -> None:
        self.path = path
        self._place = f"state file {path}"
        self._busy_secs = busy_secs
        self._lock = threading.Lock()
        self._sources: dict[str, _Source] = {}
        self.journal: Journal = _Journal(self)
        self._rows: dict[str, _Rows] = {}
        self._generation = 0
        self._accepted: dict[str, int] = {}  # the generation each source continues from
        self._proof: float | None = None  # what check_writable wrote last
        self._log: tuple[int, int] | None = None  # the write-ahead log of the file that is open
        self._synced = time.monotonic()
        self._open(read_only)

    def _open(self, read_only: bool = False) -> None:
        try:
            if not read_only:
                _create(self.path)
            self._db = sqlite3.connect(
                f"file:{_quoted(self.path)}?mode=ro" if read_only else self.path,
                uri=read_only,
                timeout=self._busy_secs,
                isolation_level=None,
                check_same_thread=False,
            )
            self._identity = _identity(self.path)
            self._upgrade(read_only)
        except OSError as error:
            kind = DamagedStateError if error.errno in _NO_SUCH_PLACE else StateError
            raise kind(
                str(error.strerror),
                where=self._place,
                do="create its directory, or set global.state.path to a place where helr may write",
            ) from None
        except (sqlite3.Error, ValueError) as error:  # ValueError: its message is not UTF-8
            with suppress(sqlite3.Error, AttributeError):
                self._db.close()
            raise self._failure(error, opening=True) from None

    def _upgrade(self, read_only: bool) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise DamagedStateError(
                f"written by a newer helr (format {found}; this one supports {VERSION})",
                where=self._place,
                do="upgrade helr, or set global.state.path to another file",
            )
        if read_only:
            self._complete_in_memory()
            return
        self._begin_log()
        self._db.execute("PRAGMA synchronous = NORMAL")
        if found < VERSION:
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} {_FROM_1 if found == 1 else ''} "
                f"PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def _begin_log(self) -> None:
        """Switch to a write-ahead log. SQLite's busy timeout does not cover this, and two processes
        may do it at once."""
        end = time.monotonic() + self._busy_secs
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def _complete_in_memory(self) -> None:
        """Add in memory the tables that a read-only file (the Rust helr's, or empty) lacks."""
        self._db.execute("PRAGMA temp_store = MEMORY")
        there = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        for statement in _TABLES.split(";"):
            name = statement.partition("CREATE TABLE IF NOT EXISTS ")[2].partition(" ")[0]
            if name and name not in there:
                self._db.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))

    def source(self, name: str) -> SourceState:
        return self._sources.setdefault(name, _Source(self, name))

    def lease(self, name: str) -> None:
        _leases.append(lock_source(self.path, name))

    def load(self, source: str) -> Stored:
        return self.read(
            lambda db: Stored(
                dict(_checked(db.execute(_VALUES, (source,)), str, str)),
                _checked(db.execute(_MARKS, (source,)), str, bytes, float),
            )
        )

    def ids(self, source: str) -> list[str]:
        rows = self.read(lambda db: _checked(db.execute(_IDS, (source,)), str))
        return [id_ for (ids,) in rows for id_ in ids.split("\n")]

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a query. Raises StateError."""
        with self._lock:
            return self._read(query)

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return query(self._db)
        except (sqlite3.Error, ValueError) as error:
            raise self._failure(error) from None

    def commit(self, source: str, checkpoints: Sequence[Checkpoint]) -> None:
        def write(db: sqlite3.Connection) -> None:
            for checkpoint in checkpoints:
                self._apply(db, source, checkpoint)

        self.transaction(write, source)

    def commit_step(self, step: Step, source: str, checkpoint: Checkpoint | None) -> None:
        def write(db: sqlite3.Connection) -> None:
            if checkpoint is not None:
                self._apply(db, source, checkpoint)
            db.execute(_STEP, (step.path, step.device, step.inode, step.length, step.lines))

        self.transaction(write, source or None, synced=True)

    def sources(self) -> list[str]:
        return [name for (name,) in self.read(lambda db: _checked(db.execute(_SOURCES), str))]

    def replace(
        self,
        source: str,
        values: Mapping[str, str],
        ids: Sequence[str],
        marks: Sequence[tuple[str, bytes, float]],
    ) -> None:
        """Replace the whole state of a source. Raises StateError."""

        def write(db: sqlite3.Connection) -> None:
            for statement in _DELETE_ALL:
                db.execute(statement, (source,))
            self._rows.pop(source, None)
            for start in range(0, len(ids), _ROW_IDS):
                part = list(ids[start : start + _ROW_IDS])
                self._apply(db, source, Checkpoint(ids=part, capacity=len(ids)))
            self._apply(db, source, Checkpoint(values=dict(values), marks=list(marks)))

        self.transaction(write, source)

    def check_writable(self) -> None:
        now = time.time()
        self.transaction(
            lambda db: db.execute("INSERT OR REPLACE INTO helr_proof VALUES (1, ?)", (now,))
        )
        self._proof = now

    def transaction(
        self,
        write: Callable[[sqlite3.Connection], object],
        source: str | None = None,
        *,
        synced: bool = False,
    ) -> None:
        """Commit all that `write` does, or nothing; `synced`: to the disk. Raises StateError."""
        with self._lock:
            self._same_file(source)
            synced = synced or time.monotonic() - self._synced >= _SYNC_SECS
            try:
                if synced:
                    self._db.execute("PRAGMA synchronous = FULL")
                self._db.execute("BEGIN IMMEDIATE")
                write(self._db)
                self._db.execute("COMMIT")
                if synced:
                    self._synced = time.monotonic()
                self._log = self._log or _identity(f"{self.path}-wal")
            except BaseException as error:
                if source:
                    self._rows.pop(source, None)
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                if isinstance(error, (sqlite3.Error, ValueError, OverflowError)):
                    raise self._failure(error) from None
                raise
            finally:
                if synced:
                    with suppress(sqlite3.Error):
                        self._db.execute("PRAGMA synchronous = NORMAL")

    def _apply(self, db: sqlite3.Connection, source: str, checkpoint: Checkpoint) -> None:
        for key, value in checkpoint.values.items():
            if value is None:
                db.execute("DELETE FROM helr_state WHERE source_id = ? AND key = ?", (source, key))
            else:
                db.execute(_SET, (source, key, value, int(time.time())))
        if checkpoint.ids:
            self._append_ids(db, source, checkpoint)
        for kind, below in checkpoint.forget:
            db.execute(_FORGET, (source, kind, below))
        if checkpoint.marks:
            db.executemany(
                "INSERT OR REPLACE INTO helr_marks VALUES (?, ?, ?, ?)",
                [(source, *mark) for mark in checkpoint.marks],
            )

    def _append_ids(self, db: sqlite3.Connection, source: str, checkpoint: Checkpoint) -> None:
        rows = self._rows.get(source)
        if rows is None:
            rows = self._rows[source] = _Rows(db, source)
        ids = [key for key in checkpoint.ids if key is not None]
        new, text = len(ids), "\n".join(ids)
        turn = rows.turn(checkpoint.at)
        rows.total += new
        if rows and rows[-1].turn <= turn and rows[-1].size + new <= _ROW_IDS:
            row = rows.pop()
            count = row.size + new
            db.execute(_MORE_IDS, (turn, count, text, row.slot))
            insort(rows, _Row(turn, row.slot, count))
        else:
            if (spare := rows.spare(checkpoint.capacity, turn)) is not None:
                slot = rows.drop(spare)  # overwriting takes one page of the file, a new row four
                db.execute(_IN_SLOT, (turn, new, text, slot))
            else:
                slot = db.execute(_NEW_SLOT, (source, turn, new, text)).lastrowid or 0
            insort(rows, _Row(turn, slot, new))
        while len(rows) > 1 and (spare := rows.spare(checkpoint.capacity, turn)) is not None:
            db.execute("DELETE FROM helr_delivered WHERE slot = ?", (rows.drop(spare),))

    def is_current(self, source: str) -> bool:
        with self._lock:
            if _identity(self.path) != self._identity:
                self._abandon()
                try:
                    self._open()
                except StateError:
                    self._identity = -1, -1  # so that the next call opens what is there then
                    raise
                if not self._put_back():
                    self._generation += 1
            return self._accepted.get(source, 0) == self._generation

    def _put_back(self) -> bool:
        """Whether this is the file that was moved away, unchanged. (Its inode does not show that:
        a new file may get the inode of a deleted one.)"""
        if self._proof is None:
            return False
        found = self._read(lambda db: db.execute("SELECT at FROM helr_proof").fetchone())
        return found is not None and bool(found[0] == self._proof)

    def _abandon(self) -> None:
        """Close a file that was moved away. SQLite leaves its write-ahead log behind, which would
        be mistaken for that of the file now at this path."""
        with suppress(sqlite3.Error):
            self._db.close()
        self._rows.clear()
        if self._log and _identity(f"{self.path}-wal") == self._log:
            for end in ("-wal", "-shm"):
                with suppress(OSError):
                    os.unlink(self.path + end)
            self._proof = None  # the content of the log is lost: the file has changed
        self._log = None

    def accept(self, source: str) -> None:
        with self._lock:
            self._accepted[source] = self._generation

    def _same_file(self, source: str | None) -> None:
        """SQLite happily commits into a deleted file: check that the path still names ours.

        Changes from before another source opened the new file may not go into that one either.
        """
        accepted = self._generation if source is None else self._accepted.get(source, 0)
        if _identity(self.path) != self._identity or accepted != self._generation:
            raise ReplacedStateError(
                "deleted or replaced while helr was running; the next poll opens the new one",
                where=self._place,
            )

    def _failure(self, error: Exception, *, opening: bool = False) -> StateError:
        """The failure to raise for an error of SQLite, or for a value that it does not accept."""
        text = str(error)
        if any(word in text for word in _LACKING[opening]):
            from helr.state.file_system import missing

            if lack := missing(self.path):
                return DamagedStateError(
                    f"its file system {lack}",
                    where=self._place,
                    do="set global.state.path to a file on a local disk",
                )
        advice = next((advice for word, advice in _ADVICE if word in text), _RESTORE)
        passing = any(word in text for word in _PASSING)
        if "unable to open" in text and os.path.isfile(self.path):
            found = os.stat(self.path)
            mode, owner = f"{found.st_mode & 0o777:04o}", found.st_uid
            text += f" as user {os.geteuid()}: its permissions are {mode}, and its owner is "
            text += f"user {owner}"
            advice = "run helr as its owner, or check the permissions of its directory"
        kind = StateError if passing else DamagedStateError
        return kind(text, where=self._place, do=advice)

    def close(self) -> None:
        with self._lock, suppress(sqlite3.Error):
            self._db.close()


_leases: list[int] = []  # open files, locked until the process ends


class _Source(SourceState):
    def __init__(self, store: SqliteStore, name: str) -> None:
        super().__init__(name)
        self._store = store

    def load(self) -> Stored:
        return self._store.load(self.name)

    def ids(self) -> list[str]:
        return self._store.ids(self.name)

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        self._store.commit(self.name, checkpoints)

    def is_current(self) -> bool:
        return self._store.is_current(self.name)

    def accept(self) -> None:
        self._store.accept(self.name)


class _Journal:
    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    def commit(self, step: Step, source: str = "", checkpoint: Checkpoint | None = None) -> None:
        self._store.commit_step(step, source, checkpoint)

    def step(self, path: str) -> Step | None:
        kinds = (str, int, int, int, bytes)
        rows = self._store.read(lambda db: _checked(db.execute(_LAST_STEP, (path,)), *kinds))
        return Step(*rows[0]) if rows and rows[0][3] >= 0 else None

    def unfinished(self) -> list[str]:
        return [path for (path,) in self._store.read(lambda db: _checked(db.execute(_OPEN), str))]

    def finish(self, path: str, length: int) -> None:
        self._store.transaction(lambda db: db.execute(_FINISHED, (length, path)))


class _Row(NamedTuple):
    turn: int
    slot: int
    size: int


class _Rows(list[_Row]):
    """A source's rows of helr_delivered, in the order in which they are forgotten.

    `turn`: the greatest event time of a row's page in microseconds; without times, one more than
    the last. `total`: the number of ids.
    """

    def __init__(self, db: sqlite3.Connection, source: str) -> None:
        found = _checked(db.execute(_SLOTS, (source,)), int, int, int)
        super().__init__(_Row(*row) for row in found)
        self.total = sum(row.size for row in self)

    def turn(self, at: float | None) -> int:
        if at is not None:
            return round(at * 1e6)
        return min(self[-1].turn + 1, _LARGEST) if self else 1

    def spare(self, capacity: int, turn: int) -> int | None:
        """The index of a row that can be dropped; a row of the page being written only if there is
        no other, as a crash may repeat that page."""
        for index, row in enumerate(self):
            if self.total - row.size < capacity:
                return None
            if row.turn != turn or self[-1].turn == self[0].turn:
                return index
        return None

    def drop(self, index: int) -> int:
        """Drop a row; returns its slot."""
        row = self.pop(index)
        self.total -= row.size
        return row.slot


_RESTORE = "restore it from a backup, or move it away to start over"
_ADVICE = (
    ("full", "free space on its disk"),
    ("readonly", "make the file and its directory writable for this user"),
    ("locked", "wait for the program that locks it (a backup?), or stop it"),
    ("unable to open", "make sure that its directory exists and is writable"),
    ("disk I/O error", "check its disk"),
)
# SQLite's errors on a file system that lacks something: after the state was opened, and before
_LACKING = (("disk I/O error",), ("disk I/O error", "locked", "locking protocol"))
_PASSING = ("full", "readonly", "locked", "unable to open", "disk I/O error", "out of memory")
_NO_SUCH_PLACE = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}


def _checked(rows: Iterable[Any], *kinds: type) -> list[Any]:
    """The rows, if every column has its type, and numbers are in range. Raises ValueError.

    SQLite accepts a value of any type in any column, also from another program.
    """
    found = list(rows)
    numeric = [index for index, kind in enumerate(kinds) if kind is not str and kind is not bytes]
    for row in found:
        types = tuple(map(type, row))
        if types != kinds or not all(-_LARGEST <= row[index] <= _LARGEST for index in numeric):
            import reprlib

            raise ValueError(f"it contains a row that helr did not write: {reprlib.repr(row)}")
    return found


def _create(path: str) -> None:
    """Create it for its owner only. An existing file is not opened: closing it again would drop
    the locks that SQLite has on it in this process (fcntl(2))."""
    with suppress(FileExistsError):
        target = os.path.realpath(path)  # SQLite would follow a link to nothing, with another mode
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(os.path.abspath(path))
