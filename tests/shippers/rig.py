"""A mock, helr and a shipper in a directory of their own, and a hand that stops and kills them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mock_server import MockSlack
from tests.conftest import ROOT
from tests.shippers.shipped import Changes, Record, Shipper, changed, loads

SETTLE = 5  # what the shipped configs set
SLOW = 8  # seconds from a shipper's reading to its delivering, a stop and a start between
# helr.yaml polls the mock every minute; a test has no minute.
HELR = [("interval_secs: 60", "interval_secs: 0.3"), ("jitter_secs: 5", "jitter_secs: 0")]


@dataclass
class Outcome:
    """What a scenario came to.

    `unparsed`: lines of the sink that are no record. `unexplained`: repeats of events that were
    delivered longer before any interruption than helr waits for a shipper to store them.
    `written_twice`: repeats in the file that helr writes, the rotated ones too.
    """

    events: int = 0
    interruptions: int = 0
    lost: int = 0
    repeated: int = 0
    unparsed: int = 0
    unexplained: int = 0
    written_twice: int = 0

    def __str__(self) -> str:
        return (
            f"{self.events} events, {self.interruptions} interruptions: {self.lost} lost, "
            f"{self.repeated} came twice ({self.unexplained} of them unexplained), "
            f"{self.unparsed} not whole"
        )


class Rig:
    """`with Rig(shipper, home, …)`: everything it started has ended when it does.

    `source`, `sink`: blocks of the config. `changes`: in the shipper's config; `helr_changes`: in
    helr.yaml. The source "file" also starts the `helr run -o` that writes it, with the arguments
    of `writer`.
    """

    def __init__(
        self,
        shipper: Shipper,
        home: Path,
        *,
        source: str = "run",
        sink: str = "",
        events: int = 300,
        changes: Changes = (),
        helr_changes: Changes = (),
        writer: Iterable[str] = (),
        env: dict[str, str] | None = None,
    ) -> None:
        self.shipper = shipper
        self.home = home
        self.source = source
        self.mock = MockSlack(events=events)
        self.sink = shipper.sink()
        sink = sink or shipper.simple
        self.networked = sink == shipper.network
        shipper.write(home, source, sink, self.sink.port, changes)
        text = (ROOT / "helr.yaml").read_text(encoding="utf-8")
        (home / "helr.yaml").write_text(changed(text, [*HELR, *helr_changes]), encoding="utf-8")
        self._writer_args = list(writer)
        self._env = env or {}
        self._interrupted: list[float] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: subprocess.Popen[bytes] | None = None
        self._log = (home / "log").open("ab")

    def __enter__(self) -> Rig:
        self.mock.start()
        if self.networked:
            self.sink.up()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self._process, self._writer):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for pid in self.helr_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.sink.down()
        self.mock.stop()
        self._log.close()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "PWD": str(self.home),
            "SLACK_AUDIT_URL": self.mock.logs_url,
            "SLACK_TOKEN_FILE": str(ROOT / "mock_server/token"),
            **self._env,
        }

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def start(self) -> None:
        self._process = self._start(self.shipper.command(self.home))
        if self.source == "file" and self._writer is None:
            self.start_writer()

    def start_writer(self) -> None:
        """The helr of the source "file", which its own supervisor starts again."""
        helr = str(Path(sys.executable).parent / "helr")
        self._writer = self._start([helr, "run", "-o", ".mock/events.ndjson", *self._writer_args])

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the shipper and wait for it; helr is left to what the shipper does with it."""
        assert self._process is not None
        assert self._process.poll() is None, f"{self.shipper.name} ended by itself: {self.log()}"
        self._process.send_signal(number)
        try:
            self._process.wait(self.shipper.patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def helr_pids(self) -> list[int]:
        """Every helr that runs in this directory, whoever started it."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with suppress(OSError):
                here = os.readlink(entry / "cwd") == str(self.home)
                command = (entry / "cmdline").read_bytes().split(b"\0")
                if here and b"run" in command and b"python" in command[0]:
                    found.append(int(entry.name))
        return found

    def kill_helr(self, number: int) -> None:
        for pid in self.helr_pids():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if self._writer is not None:
            self._writer.wait(10)
            self.start_writer()

    def interrupt(self, who: str, number: int) -> None:
        """Stop or kill helr, the shipper or both, and start again what nothing else starts."""
        self._interrupted.append(time.monotonic())
        if who == "helr":
            self.kill_helr(number)
            return
        if who == "both":
            for pid in self.helr_pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.stop(number)
        if who == "both" and self._writer is not None:
            self._writer.wait(10)
            self.start_writer()
        self.start()

    def restart(self) -> None:
        """Start the shipper again, which was stopped apart."""
        self._interrupted.append(time.monotonic())
        self.start()

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")[-2000:]

    def lines(self) -> list[bytes]:
        """The whole lines that the shipper has delivered."""
        if self.networked:
            return [line for _, line in self.sink.lines()]
        try:
            content = (self.home / self.shipper.output).read_bytes()
        except FileNotFoundError:
            return []
        return content[: content.rfind(b"\n") + 1].splitlines()

    def records(self) -> tuple[list[Record], int]:
        records, unparsed = [], 0
        for line in self.lines():
            try:
                records.append(self.shipper.record(line))
            except (ValueError, KeyError):
                unparsed += 1
        return records, unparsed

    def delivered(self) -> set[str]:
        return {record.id for record in self.records()[0]}

    def written(self) -> set[str]:
        """The ids in the file that helr writes, the rotated ones too."""
        return set(self._written())

    def _written(self) -> list[str]:
        """The same in order, of whole lines: helr may be writing, or rotating, at the moment."""
        lines: list[bytes] = []
        for file in (self.home / ".mock").glob("events.ndjson*"):
            with suppress(FileNotFoundError):
                lines += file.read_bytes().split(b"\n")[:-1]
        return [loads(line)["event"]["id"] for line in lines]

    def wait(self, until: Callable[[], bool], seconds: float, what: str = "") -> bool:
        """Whether it came true in time. With `what`, a failure when it did not."""
        ends = time.monotonic() + seconds
        while not until():
            if time.monotonic() > ends:
                assert not what, f"{what} did not happen in {seconds} s: {self.log()}"
                return False
            time.sleep(0.05)
        return True

    def outcome(self, seconds: float = 25) -> Outcome:
        """Wait until every event of the mock has come, at most so long; what then is."""
        wanted = set(self.mock.ids())
        self.wait(lambda: wanted <= self.delivered(), seconds)
        records, unparsed = self.records()
        times = Counter(record.id for record in records)
        return Outcome(
            len(wanted),
            len(self._interrupted),
            len(wanted - set(times)),
            sum(times.values()) - len(times),
            unparsed,
            self._unexplained() if self.networked else 0,
            self._written_twice(),
        )

    def _written_twice(self) -> int:
        ids = self._written()
        return len(ids) - len(set(ids))

    def _unexplained(self) -> int:
        """Repeats of what had come, and settled, before the interruption that they follow."""
        first: dict[str, float] = {}
        settle = 0 if self.source == "file" else SETTLE
        count = 0
        for at, line in self.sink.lines():
            with suppress(ValueError, KeyError):
                known = first.setdefault(self.shipper.record(line).id, at)
                count += known < at and not any(
                    known - SLOW < moment < known + settle + 0.5 for moment in self._interrupted
                )
        return count


class Feed:
    """Adds events to a mock while it runs: `count` every `every` seconds."""

    def __init__(self, mock: MockSlack, count: int = 4, every: float = 0.1) -> None:
        self._stop = threading.Event()
        self._mock, self._count, self._every = mock, count, every
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self._mock.add_events(self._count)

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def plan(seed: int, whos: Iterable[str], rounds: int) -> list[tuple[str, int, float]]:
    """Interruptions in random order: who, by which signal, after how many seconds."""
    rng = random.Random(seed)
    kinds = [(who, number) for who in whos for number in (signal.SIGTERM, signal.SIGKILL)]
    steps = []
    for _ in range(rounds):
        rng.shuffle(kinds)
        steps += [(who, int(number), rng.uniform(0.3, 2.0)) for who, number in kinds]
    return steps


def long_line(number: int, size: int, at: int) -> dict[str, object]:
    """An event whose line is a little over `size` bytes."""
    text = ("0123456789abcdef" * (size // 16 + 1))[:size]
    return {"id": f"long-{number}-{size}", "date_create": at, "action": "x", "details": text}
