"""Where helr's own time goes in a backfill, stage by stage: `python -m bench.stages`.

Each stage is a function of helr that is timed from the outside, minus what other stages take
inside it: processor time of its thread, and wall time. The rest of the process's total is the
start and the code between the stages.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import mock, peers, readme, table
from bench.measure import BenchError, Command, run

# Stage: what is timed. A class is named when it is called.
STAGES = {
    "fetch": "helr.http.client:Transport.fetch",
    "decode": "helr.page.decoder:Decoder.__call__",
    "duplicates": "helr.engine.position:Progress.fresh",
    "lines": "helr.lines.envelope:Lines.build",
    "position": "helr.engine.position:Progress.after",
    "blocks": "helr.output.stream:StreamOutput.deliver",
    "write and wait": "helr.output.stream:Stream.write",
    "state": "helr.state.sqlite:SqliteStore.commit",
}
REST = "start, and between"


class Times(threading.local):
    """Seconds of this thread by stage: [cpu, wall], and the stages entered."""

    def __init__(self) -> None:
        self.open: list[list[float]] = []


totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
times = Times()
adding = threading.Lock()


def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which adds its own time to the stage's total."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        inner = [0.0, 0.0]  # what stages inside this one take
        times.open.append(inner)
        began = time.thread_time(), time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent = time.thread_time() - began[0], time.perf_counter() - began[1]
            times.open.pop()
            with adding:
                for i in (0, 1):
                    totals[stage][i] += spent[i] - inner[i]
            if times.open:
                for i in (0, 1):
                    times.open[-1][i] += spent[i]

    return wrapper


def child(config: str, report: str) -> int:
    """Run helr in this process with its stages timed; the totals go to the file `report`."""
    began = time.perf_counter()
    for stage, name in STAGES.items():
        module, _, path = name.partition(":")
        owner: Any = importlib.import_module(module)
        *outer, last = path.split(".")
        for part in outer:
            owner = getattr(owner, part)
        setattr(owner, last, timed(stage, getattr(owner, last)))
    from helr.cli import main as helr

    status = helr(["-q", "run", "--once", "-c", config])
    sys.stdout.flush()
    usage = os.times()
    total = [usage.user + usage.system, time.perf_counter() - began]
    found = {stage: totals[stage] for stage in STAGES}
    found[REST] = [total[i] - sum(t[i] for t in found.values()) for i in (0, 1)]
    Path(report).write_text(json.dumps(found))
    return status


def measure(work: peers.Work, dedupe: bool) -> dict[str, list[float]]:
    """[cpu, wall] seconds by stage of one backfill."""
    with tempfile.TemporaryDirectory(prefix="helr-bench-") as scratch:
        report = Path(scratch) / "report"
        config = peers.write_config(Path(scratch), peers.sources(work, dedupe=dedupe))
        argv = [sys.executable, "-m", "bench.stages", "--child", str(config), str(report)]
        env = {"PYTHONPATH": str(mock.ROOT)}
        command = Command("stages", argv, lines=work.mock.events, env=env)
        run("stages", command, Path(scratch))
        found: dict[str, list[float]] = json.loads(report.read_text())
        return found


def text(events: int) -> str:
    """The table: processor and wall milliseconds of each stage, at two page sizes."""
    columns: list[tuple[str, dict[str, list[float]]]] = []
    with mock.running(events) as plain:
        for limit, dedupe in ((9999, False), (9999, True), (200, False)):
            name = f"{limit:,} a page" + (", dedupe" if dedupe else "")
            columns.append((name, measure(peers.Work(plain, limit), dedupe)))
    head = ["CPU ms (wall ms)", *(name for name, _ in columns)]
    rows = []
    for stage in [*STAGES, REST]:
        cells = [f"{1000 * it[stage][0]:.0f} ({1000 * it[stage][1]:.0f})" for _, it in columns]
        rows.append([stage, *cells])
    sums = [[sum(t[i] for t in it.values()) for i in (0, 1)] for _, it in columns]
    rows.append(["all", *(f"{1000 * cpu:.0f} ({1000 * wall:.0f})" for cpu, wall in sums)])
    return table.markdown(head, rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--publish", action="store_true", help="write into bench/README.md")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(*args.child)
    try:
        found = text(args.events)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(found)
    if args.publish:
        readme.publish("stages", found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
