"""The pieces of work that are measured. Each yields its samples; rounds are interleaved.

A round runs every command once, in turn, so that anything that slows the machine affects all.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench import mock, peers
from bench.measure import BenchError, Command, Sample, drain, environment, process_cpu, run
from bench.mock import Mock
from bench.peers import Work

IMPORT = "import requests"
SIZES = (100, 200, 500, 1000, 2000, 5000, 9999)
NEW_EACH = 20
SOURCES = 100
FIRST_POLLS = 3  # their cost beyond a poll is the start, and not counted
STEADY_EVENTS = 100
POLL_SECS = 20  # the longest wait for a poll


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: events of a backfill, rounds, polls of the steady work.

    `quick` leaves out what no budget asks about: gzip, grove, the page sizes.
    """

    events: int
    rounds: int
    polls: int
    quick: bool = False

    def wants(self, group: str) -> bool:
        return not (self.quick and group == "sizes")

    @property
    def short_rounds(self) -> int:
        """Commands that take a tenth of a second are run more often."""
        return self.rounds * 5


Maker = Callable[[Work, Path], Command | None]


def import_requests(work: Work, scratch: Path) -> Command:
    """The minimum cost of a Python program with requests."""
    return Command(IMPORT, [sys.executable, "-c", "import requests"], bytes=0)


def helr_dedupe(work: Work, scratch: Path) -> Command:
    return peers.helr(work, scratch, dedupe=True)


HELR: list[Maker] = [peers.helr, helr_dedupe]
SHELL: list[Maker] = [peers.floor, peers.one_curl, peers.jq]


def backfill_name(limit: int, gzip: bool = False) -> str:
    return f"backfill, {limit:,} a page" + (", gzip" if gzip else "")


def backfill(plan: Plan) -> Iterator[Sample]:
    """All events of the mock, with a new state for every run."""
    with mock.running(plan.events) as plain:
        large, small = Work(plain, 9999), Work(plain, 200)
        others: list[Maker] = [peers.least, peers.slack_sdk, peers.rust]
        makers = [*HELR, *SHELL, *others, import_requests]
        if not plan.quick:
            makers.append(peers.grove)
        yield from rounds(plan.rounds, backfill_name(9999), large, makers)
        yield from rounds(plan.rounds, backfill_name(200), small, [*HELR, *SHELL, *others])
    if plan.quick:
        return
    with mock.running(plan.events, "--gzip") as zipping:
        for limit in (9999, 200):
            makers = [*HELR, *SHELL, peers.rust]
            work = Work(zipping, limit, gzip=True)
            yield from rounds(plan.rounds, backfill_name(limit, gzip=True), work, makers)


def sizes(plan: Plan) -> Iterator[Sample]:
    """CPU per event and memory against page size, for the plot."""
    makers: list[Maker] = [peers.helr, helr_dedupe, peers.one_curl, peers.jq]
    makers += [peers.slack_sdk, peers.rust]
    with mock.running(plan.events) as plain:
        for limit in SIZES:
            yield from rounds(1, f"page size {limit}", Work(plain, limit), makers)


def rounds(count: int, name: str, work: Work, makers: list[Maker]) -> Iterator[Sample]:
    """Every command once a round, each in a directory of its own, from no state.

    helr runs once before, with a config that it has not checked yet; that has its own row.
    """
    with contextlib.ExitStack() as stack:
        folders = [tempfile.TemporaryDirectory(prefix="helr-bench-") for _ in makers]
        places = [Path(stack.enter_context(folder)) for folder in folders]
        for number in range(count + 1):
            for maker, place in zip(makers, places, strict=True):
                if number == 0 and maker not in HELR:
                    continue
                for old in place.glob("state.db*"):
                    if old.suffix != ".checked":  # only this may remain of an earlier run
                        old.unlink()
                command = maker(work, place)
                if command is None:
                    continue
                if number == 0:
                    command = replace(command, who=command.who + peers.FIRST)
                yield run(name, command, place)


def idle(plan: Plan) -> Iterator[Sample]:
    """A cold `--once` that finds nothing new, with the state of a finished backfill."""
    with contextlib.ExitStack() as stack:
        work = Work(stack.enter_context(mock.running(1000)), 200)
        commands: list[tuple[Command, Path]] = []
        makers: list[Maker] = [helr_dedupe, import_requests, peers.rust, peers.one_curl]
        for maker in makers:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="helr-bench-"))
            command = maker(work, Path(scratch))
            if command is None:
                continue
            run("idle, first run", command, Path(scratch))
            # The Rust helr forgets what it delivered, so it repeats the last second's events.
            due = 0 if command.who == peers.HELR_DEDUPE else None
            if command.who == peers.ONE_CURL:
                last = f"curl -sS -H '{peers.HEADER}' '{work.mock.logs}?limit=1' | cat"
                command = Command(peers.ONE_CURL, ["sh", "-c", last])
            commands.append((Command(command.who, command.argv, lines=due), Path(scratch)))
        for _ in range(plan.short_rounds):
            for command, path in commands:
                yield run("idle, one cold poll", command, path)


def many(plan: Plan) -> Iterator[Sample]:
    """A hundred sources in one process at once, each with its share of the events."""
    with mock.running(plan.events // SOURCES) as shared:
        work = Work(shared, 1000)
        for _ in range(plan.rounds):
            for who, binary in programs():
                with tempfile.TemporaryDirectory(prefix="helr-bench-") as scratch:
                    config = peers.write_config(Path(scratch), peers.sources(work, SOURCES))
                    argv = [binary, "run", "--once", "-c", str(config)]
                    command = Command(who, argv, lines=shared.events * SOURCES)
                    yield run(f"{SOURCES} sources at once", command, Path(scratch))


def steady(plan: Plan) -> Iterator[Sample]:
    """A long-running process that polls every second; CPU per poll, without the start."""
    for _ in range(plan.rounds):
        for new in (0, NEW_EACH):
            for who, binary in programs():
                with mock.running(STEADY_EVENTS) as growing:
                    yield poll_steadily(who, binary, growing, new, plan.polls)


def programs() -> list[tuple[str, str]]:
    found = [(peers.HELR, str(Path(sys.executable).with_name("helr")))]
    binary = peers.rust_binary()
    return found + ([(peers.RUST, binary)] if binary else [])


def steady_name(new: int) -> str:
    return f"steady, {new} new events a poll"


def poll_steadily(who: str, binary: str, growing: Mock, new: int, polls: int) -> Sample:
    """One process from its start to SIGTERM, measured between two pauses of its polling."""
    work = Work(growing, 200)
    with tempfile.TemporaryDirectory(prefix="helr-bench-") as scratch:
        config = peers.write_config(Path(scratch), peers.sources(work, dedupe=True, pause=1))
        with (Path(scratch) / "log").open("wb") as log:
            process = subprocess.Popen(
                [binary, "run", "-c", str(config)],
                cwd=scratch,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        came: list[tuple[int, int]] = []
        pipe = process.stdout.fileno()
        reader = threading.Thread(target=lambda: came.append(drain(pipe)))
        reader.start()
        try:
            after_polls(process, growing, FIRST_POLLS, 0)
            before, started = requests_made(growing), time.perf_counter()
            cpu = process_cpu(process.pid)
            after_polls(process, growing, polls, new)
            cpu = process_cpu(process.pid) - cpu
            made, wall = requests_made(growing) - before, time.perf_counter() - started
            rss = peak_kib(process.pid)
        finally:
            process.terminate()
            process.wait(10)
            reader.join()
    lines, size = came[0]
    due = growing.events + polls * new
    if lines != due:
        raise BenchError(f"{who} ({steady_name(new)}): got {lines} lines, expected {due}")
    return Sample(steady_name(new), who, wall, cpu, rss, lines, size, made)


def after_polls(process: subprocess.Popen[bytes], growing: Mock, polls: int, new: int) -> None:
    """Wait for that many requests, adding events before each; return after the last."""
    for _ in range(polls):
        if new:
            growing.control("events", f'{{"count": {new}}}')
        seen, deadline = requests_made(growing), time.monotonic() + POLL_SECS
        while requests_made(growing) == seen:
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{process.args!r} stopped polling")
            time.sleep(0.05)
        time.sleep(0.3)  # the poll ends, the pause is not over


def requests_made(growing: Mock) -> int:
    return int(json.loads(growing.control("health"))["requests"])


def peak_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise BenchError(f"/proc/{pid}/status has no VmHWM")
