"""Measure helr and its peers, and compare with the budgets. See bench/README.md."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

from bench import peers, plot, readme, table, works
from bench.measure import BenchError, Sample, floor_kib, load, save

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
GROUPS = {
    "backfill": works.backfill,
    "idle": works.idle,
    "steady": works.steady,
    "many": works.many,
    "sizes": works.sizes,
}
FULL = works.Plan(events=200_000, rounds=3, polls=20)
QUICK = works.Plan(events=200_000, rounds=1, polls=5, quick=True)


def main() -> int:
    args = parse()
    errors: list[str] = []
    if args.show:
        about, samples = load(args.show)
    else:
        about, samples = machine(), measure(args, errors)
        about["floor_kib"] = floor_kib()
        save(samples, RESULTS / time.strftime("%Y%m%d-%H%M%S.json"), **about)
    report(about, samples, args.publish and not errors)
    for error in errors:
        print(f"bench: {error}", file=sys.stderr)
    return 1 if errors else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one round, no gzip, grove or plot: about two minutes")
    add("--only", action="append", choices=GROUPS, help="only this work; repeatable")
    add("--rounds", type=int, help=f"number of rounds (default {FULL.rounds})")
    add("--events", type=int, help=f"number of events of a backfill (default {FULL.events:,})")
    add("--publish", action="store_true", help="write the figures and the plot into bench/")
    add("--show", type=Path, metavar="FILE", help="print the figures in FILE without measuring")
    return parser.parse_args()


def measure(args: argparse.Namespace, errors: list[str]) -> list[Sample]:
    """Every sample of the selected work. Work that fails ends; the others continue."""
    usual = QUICK if args.quick else FULL
    plan = replace(usual, events=args.events or usual.events, rounds=args.rounds or usual.rounds)
    for line in peers.missing():
        print(f"bench: {line}", file=sys.stderr)
    if os.getloadavg()[0] > 0.5:
        print("bench: the machine is busy; do not trust wall times", file=sys.stderr)
    samples: list[Sample] = []
    for name, group in GROUPS.items():
        if not (name in args.only if args.only else usual.wants(name)):
            continue
        try:
            for sample in group(plan):
                samples.append(sample)
                cpu = f"{1000 * sample.cpu / sample.polls:.1f} ms CPU"
                print(f"  {sample.work}: {sample.who}: {cpu}", file=sys.stderr)
        except BenchError as error:
            errors.append(str(error))
    return samples


def report(about: dict[str, object], samples: list[Sample], publish: bool) -> None:
    """Print the tables and write the plot; with `publish`, both into the tree."""
    found = table.medians(samples)
    floor = int(str(about["floor_kib"]))
    head = (
        f"{about['when']}: {about['cpu']}, {about['cores']} cores, {about['kernel']}, "
        f"Python {about['python']}; load {about['load']} when it began.\n"
    )
    text = f"{head}\n{table.budgets(found)}\n{table.tables(found, floor)}"
    print(text)
    picture = plot.plot(found) if any(work.startswith("page size") for work in found) else ""
    if picture:
        (RESULTS / "plot.svg").write_text(picture)
    if publish:
        readme.publish("figures", text)
        if picture:
            (HERE / "plot.svg").write_text(picture)


def machine() -> dict[str, object]:
    """The machine that the figures belong to."""
    cpu = platform.processor() or "unknown processor"
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "when": time.strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    sys.exit(main())
