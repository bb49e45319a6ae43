"""One story: a source, an output and a habit of killing, told kill by kill, then counted."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mock_server import MockSlack
from tests.support import INCREMENTAL, PAGING
from tests.torture.reader import Habit, Reader, habit

BLOCK = 65536
FAULTS = ("429:0.03", "500:0.03", "reset:0.03", "truncate:0.03", "truncated-json:0.02")
_SLACK = 0.3  # seconds by which a checkpoint may come later than its settle time says
_PATIENCE = 4.0  # seconds to wait for the moment to kill


@dataclass(frozen=True, slots=True)
class Plot:
    """`output`: pipe | file | loop (one reader outlives many helrs). `forgets`: seconds."""

    name: str
    limit: int = 200
    once: bool = True
    dedupe: bool = True
    settle: float = 0
    forgets: float = 0
    output: str = "pipe"
    growth: int = 400  # events that come for each kill, at most
    expires: bool = True  # whether cursors are refused now and then
    rotated: bool = False  # whether another program rotates the output file all the time


@dataclass(slots=True)
class Count:
    """What came of a story. `allowed`: how much might come twice at most, in `unit`."""

    name: str
    kills: int
    events: int
    lost: int = 0
    repeats: int = 0
    size: int = 0  # of the repeats: bytes of lines
    allowed: int = 0
    unit: str = "bytes"
    wrong: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        came = self.size if self.unit == "bytes" else self.repeats
        return not self.lost and not self.wrong and came <= self.allowed

    def __str__(self) -> str:
        came = self.size if self.unit == "bytes" else self.repeats
        told = (
            f"{self.name:24} {self.kills:4} kills  {self.events:6} events  {self.lost:3} lost  "
            f"{self.repeats / max(self.kills, 1):7.1f} repeats a kill "
            f"({came} {self.unit} of at most {self.allowed})"
        )
        return "\n".join([told, *(f"  WRONG: {text}" for text in self.wrong)])


class Story:
    def __init__(self, plot: Plot, kills: int, seed: int, folder: Path) -> None:
        self.plot, self.kills, self.folder = plot, kills, folder
        self.rng = random.Random(f"{seed} {plot.name}")
        self.count = Count(plot.name, kills, 0, unit="bytes" if plot.dedupe else "lines")
        self.came: list[bytes] = []  # every line that was read and kept
        self.out = folder / "out.ndjson"
        folder.mkdir(parents=True)

    def tell(self) -> Count:
        with MockSlack(events=self.rng.randint(0, 3 * self.plot.limit), seed=1) as self.mock:
            self._config()
            self._faults(on=True)
            with self._source_of_pipes() as pipe:
                for _ in range(self.kills):
                    self._grow()
                    self._one(pipe)
            self._faults(on=False)
            self._end()
            self._judge()
        return self.count

    # -- the world

    def _config(self) -> None:
        plot = self.plot
        source: dict[str, Any] = {
            "url": self.mock.logs_url,
            "schedule": {"interval_secs": 0.15},
            "query_params": {"limit": plot.limit},
            "pagination": {**PAGING, "max_pages": self.rng.choice((2, 5, 25))},
            "incremental_from": INCREMENTAL,
            "auth": {"type": "bearer", "token_env": "TOKEN"},
            "on_cursor_error": "reset",
            "resilience": {
                "retries": {"max_attempts": 4, "initial_backoff_secs": 0.02},
                "circuit_breaker": {"enabled": False},
            },
        }
        if plot.dedupe:
            source["dedupe"] = {"id_path": "id", "capacity": 200_000}
        whole = {"global": {"output": {"settle_secs": plot.settle}}, "sources": {"org": source}}
        (self.folder / "helr.yaml").write_text(json.dumps(whole))

    def _faults(self, *, on: bool) -> None:
        self.mock.clear_faults()
        for order in FAULTS if on else ():
            self.mock.fault(order)

    def _grow(self) -> None:
        self.mock.add_events(self.rng.randint(0, self.plot.growth))
        if self.plot.expires and self.rng.random() < 0.1:
            self.mock.expire_cursors()

    # -- one life and death

    @contextmanager
    def _source_of_pipes(self) -> Iterator[Callable[[], tuple[int, Reader | None]]]:
        """Makes the output of each life: the end to write to, and its own reader, if it has one."""
        if self.plot.output == "file":
            yield lambda: (os.open(os.devnull, os.O_WRONLY), None)
        elif self.plot.output == "pipe":
            yield self._pipe
        else:
            write, reader = self._pipe()
            yield lambda: (os.dup(write), reader)
            os.close(write)
            reader.finish()
            self._keep(reader, time.monotonic())
            self._whole(reader)

    def _pipe(self) -> tuple[int, Reader]:
        read, write = os.pipe()
        return write, Reader(read, habit(self.rng)).start()

    def _start(self, write: int) -> subprocess.Popen[bytes]:
        args = ["run"] + ["--once"] * self.plot.once
        if self.plot.output == "file":
            args += ["-o", str(self.out)]
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "helr", *args],
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "TOKEN": self.mock.token},
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=log,
            )
        os.close(write)
        return process

    def _one(self, pipe: Callable[[], tuple[int, Reader | None]]) -> None:
        write, reader = pipe()
        lives_on = self.plot.output == "loop"
        if lives_on and reader:
            reader.habit = habit(self.rng)
        before = self.out.stat().st_size if self.out.exists() else 0
        process = self._start(write)
        with rotating(self.out) if self.plot.rotated else nullcontext():
            self._await_moment(process, reader)
        now = time.monotonic()
        if reader and not lives_on and self.rng.random() < 0.35:
            reader.die()
            self._end_of(process, {4, 0, 1})
        else:
            process.send_signal(signal.SIGKILL)
            self._end_of(process, {-9, 0, 1, 4})
            if reader and not lives_on:
                self._last_read(reader)
        if not self.plot.rotated:
            self._check_growth(before)
        else:  # what was written when it was killed may be in the renamed file, too
            self.count.allowed += BLOCK if self.plot.dedupe else self.plot.limit
        if lives_on:
            self.count.allowed += BLOCK if self.plot.dedupe else self.plot.limit
        elif reader:
            self._keep(reader, now)
        self._allow(reader, now)

    def _last_read(self, reader: Reader) -> None:
        """helr is dead: its reader takes what stands in the pipe, or dies with it."""
        if reader.habit.stalled and self.rng.random() < 0.5:
            reader.die()
        else:
            reader.finish()
            self._whole(reader)

    def _whole(self, reader: Reader) -> None:
        if reader.rest:
            self.count.wrong.append(f"a torn line: {reader.rest[:80]!r}")

    def _keep(self, reader: Reader, died: float) -> None:
        """What was read counts, but for what a dying shipper forgets."""
        kept = died - self.plot.forgets if self.plot.forgets else float("inf")
        self.came += [line for at, line in reader.lines if at < kept]

    def _allow(self, reader: Reader | None, died: float) -> None:
        """How much may come again for this kill: a block or a page, and what was not settled."""
        if reader is None or self.plot.output == "loop":
            return
        since = died - self.plot.settle - _SLACK
        recent = [line for at, line in reader.lines if self.plot.settle and at > since]
        if self.plot.dedupe:
            self.count.allowed += BLOCK + sum(map(len, recent))
        else:
            self.count.allowed += self.plot.limit + len(recent)

    def _check_growth(self, before: int) -> None:
        if self.plot.output == "file" and self.out.exists() and self.out.stat().st_size < before:
            self.count.wrong.append("the output file shrank")

    def _end_of(self, process: subprocess.Popen[bytes], expected: set[int]) -> None:
        try:
            status = process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
            self.count.wrong.append("it lived on without its reader")
        if status not in expected:
            self.count.wrong.append(f"exit status {status}")

    # -- the moment

    def _await_moment(self, process: subprocess.Popen[bytes], reader: Reader | None) -> None:
        """Wait for one of the moments that matter, or for the end of helr."""
        moment, delay = self._moment(reader)
        until = time.monotonic() + _PATIENCE
        while not moment() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.0005)
        if self.plot.settle and self.rng.random() < 0.7:
            delay += self.rng.uniform(0, 2 * self.plot.settle)
        if process.poll() is None:
            time.sleep(delay)

    def _moment(self, reader: Reader | None) -> tuple[Callable[[], bool], float]:
        """When to kill, and how many seconds after it."""
        rng = self.rng
        kind = rng.choice(("any", "request", "bytes", "unread", "checkpoint", "checkpoint"))
        if kind == "request" or (reader is None and kind in ("bytes", "unread")):
            asked = len(self.mock.requests) + rng.randint(1, 4)
            return lambda: len(self.mock.requests) >= asked, rng.uniform(0, 0.03)
        if reader and kind == "bytes":
            size = reader.count + rng.randint(1, rng.choice((100_000, 1_000_000)))
            return lambda: reader.count >= size, rng.uniform(0, 0.003)
        if reader and kind == "unread":
            return lambda: reader.unread() > 0, rng.choice((0, 0.001, 0.02))
        if kind == "checkpoint":
            times, wal = rng.randint(1, 12), self.folder / "helr-state.db-wal"
            return _changes(wal, times), 0
        return lambda: True, rng.uniform(0, 0.6)

    # -- the end

    def _end(self) -> None:
        """Run undisturbed until all is delivered: until a chain that began here has ended."""
        begun = False
        for _ in range(200):
            begun = begun or not self._resumes()
            write, reader = os.open(os.devnull, os.O_WRONLY), None
            if self.plot.output != "file":
                os.close(write)
                write, reader = self._pipe()
                reader.habit = Habit()
            status = self._start_once(write).wait(60)
            if reader:
                reader.finish()
                self._whole(reader)
                self.came += [line for _, line in reader.lines]
            if status != 0:
                self.count.wrong.append(f"exit status {status} of an undisturbed run")
                return
            if begun and not self._resumes():
                return
        self.count.wrong.append("it never came to an end")

    def _start_once(self, write: int) -> subprocess.Popen[bytes]:
        plot, self.plot = self.plot, Plot(**{**_fields(self.plot), "once": True})
        try:
            return self._start(write)
        finally:
            self.plot = plot

    def _resumes(self) -> bool:
        """Whether a chain is still under way, or the last run only dropped a refused cursor."""
        if not (self.folder / "helr-state.db").exists():
            return False
        with closing(sqlite3.connect(self.folder / "helr-state.db")) as state:
            if not state.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'helr_state'"
            ).fetchone():
                return False  # killed before it had one
            found = state.execute("SELECT key FROM helr_state WHERE value <> ''").fetchall()
        return bool({("cursor",), ("resets",)} & set(found))

    def _judge(self) -> None:
        if self.plot.output == "file":
            parts = [read_rotated(path) for path in self.folder.glob("out.ndjson*")]
            data = b"".join(parts)
            if data and not data.endswith(b"\n"):
                self.count.wrong.append("the file ends in a torn line")
            self.came = data.split(b"\n")[:-1]
        ids = Counter[str]()
        sizes: dict[str, int] = {}
        for line in self.came:
            try:
                name = json.loads(line)["event"]["id"]
            except (ValueError, KeyError, TypeError):
                self.count.wrong.append(f"no line: {line[:60]!r} … {line[-60:]!r}")
                continue
            ids[name] += 1
            sizes[name] = len(line) + 1
        made = set(self.mock.ids())
        self.count.events = len(made)
        self.count.lost = len(made - set(ids))
        if set(ids) - made:
            self.count.wrong.append("an event that never was")
        self.count.repeats = sum(ids.values()) - len(ids)
        self.count.size = sum((times - 1) * sizes[name] for name, times in ids.items())
        log = (self.folder / "log").read_text()
        if "Traceback" in log or "internal error" in log:
            self.count.wrong.append(f"a defect, see {self.folder / 'log'}")


@contextmanager
def rotating(out: Path) -> Iterator[None]:
    """As logrotate does with `create` and `compress`: rename, create, read, delete."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            renamed = out.with_name(f"{out.name}.{time.monotonic_ns()}")
            try:
                out.rename(renamed)
            except FileNotFoundError:
                continue
            out.touch(mode=0o640)
            renamed.with_name(f"{renamed.name}.gz").write_bytes(gzip.compress(renamed.read_bytes()))
            renamed.unlink()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join()


def read_rotated(path: Path) -> bytes:
    """A part of the output, compressed or not."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def _fields(plot: Plot) -> dict[str, Any]:
    return {name: getattr(plot, name) for name in Plot.__slots__}


def _changes(path: Path, times: int) -> Callable[[], bool]:
    """Whether a file was seen to change that often."""
    seen = [_stamp(path)]

    def moment() -> bool:
        stamp = _stamp(path)
        if stamp != seen[-1]:
            seen.append(stamp)
        return len(seen) > times

    return moment


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def side_by_side(stories: list[Story], at_once: int) -> list[Count]:
    """Tell them all, `at_once` at a time; their counts in order."""
    counts: dict[int, Count] = {}
    todo = list(enumerate(stories))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not todo:
                    return
                index, story = todo.pop(0)
            try:
                counts[index] = story.tell()
            except Exception as error:  # noqa: BLE001 - told with the others
                story.count.wrong.append(f"the story broke off: {error!r}")
                counts[index] = story.count

    threads = [threading.Thread(target=work, daemon=True) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [counts[index] for index in range(len(stories))]
