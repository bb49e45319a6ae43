"""Samples as text: medians, a table for each piece of work, and the budgets with the results.

Markdown, so that the same text reads in a terminal and in bench/README.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench import peers
from bench.measure import Sample
from bench.works import IMPORT, NEW_EACH, backfill_name, steady_name

IDLE = "idle, one cold poll"
MEMORY_PAGES = 5


@dataclass(frozen=True, slots=True)
class Median:
    """The medians of one command's rounds. cpu: seconds per run, or per poll of the steady work."""

    wall: float
    cpu: float
    rss: float
    lines: int
    bytes: int


Medians = dict[str, dict[str, Median]]  # work -> who


def medians(samples: Sequence[Sample]) -> Medians:
    """Work and commands in the order in which they were measured."""
    grouped: dict[str, dict[str, list[Sample]]] = {}
    for sample in samples:
        grouped.setdefault(sample.work, {}).setdefault(sample.who, []).append(sample)
    return {
        work: {who: _median(runs) for who, runs in by_who.items()}
        for work, by_who in grouped.items()
    }


def _median(runs: list[Sample]) -> Median:
    return Median(
        median(s.wall / s.polls for s in runs),
        median(s.cpu / s.polls for s in runs),
        median(s.rss for s in runs),
        runs[-1].lines,
        runs[-1].bytes,
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """`who` may cost at most `most` times what `against` costs; `of` is "cpu" or "wall"."""

    work: str
    of: str
    who: str
    against: str
    most: float

    def reached(self, found: Medians) -> float | None:
        by_who = found.get(self.work, {})
        if self.who not in by_who or self.against not in by_who:
            return None
        ours, theirs = by_who[self.who], by_who[self.against]
        return float(getattr(ours, self.of) / getattr(theirs, self.of))


LARGE = backfill_name(9999)
BUDGETS = [
    Budget(LARGE, "cpu", peers.HELR, peers.FLOOR, 1.5),
    Budget(LARGE, "cpu", peers.HELR, peers.JQ, 1 / 10),
    Budget(LARGE, "cpu", peers.HELR, peers.SDK, 1 / 7),
    Budget(LARGE, "cpu", peers.HELR_DEDUPE, peers.HELR, 1.4),
    Budget(LARGE, "cpu", peers.HELR, peers.RUST, 1 / 7),
    Budget(LARGE, "wall", peers.HELR, peers.RUST, 1 / 40),
    Budget(steady_name(0), "cpu", peers.HELR, peers.RUST, 1 / 4),
    Budget(steady_name(NEW_EACH), "cpu", peers.HELR, peers.RUST, 1 / 4),
    Budget(IDLE, "wall", peers.HELR_DEDUPE, IMPORT, 1.3),
]


def ratio(value: float) -> str:
    """1.4x, or 1/9.9 of something."""
    return f"{value:.2f}×" if value >= 1 else f"1/{1 / value:.1f}"


def budgets(found: Medians) -> str:
    """Each budget, the result, and whether it is met."""
    rows = []
    for budget in BUDGETS:
        reached = budget.reached(found)
        if reached is not None:
            what = f"{budget.work}, {budget.of}"
            met = "met" if reached <= budget.most else "missed"
            rows.append([what, budget.who, budget.against, ratio(budget.most), ratio(reached), met])
    by_who = found.get(LARGE, {})
    if by_who.keys() >= {peers.HELR, IMPORT, peers.FLOOR}:
        rows.append(_memory(by_who))
    return markdown(["work", "of", "against", "at most", "measured", ""], rows)


def _memory(by_who: dict[str, Median]) -> list[str]:
    pages = -(-by_who[peers.HELR].lines // 9999)
    page_kib = by_who[peers.FLOOR].bytes / pages / 1024
    reached = (by_who[peers.HELR].rss - by_who[IMPORT].rss) / page_kib
    return [
        *(f"{LARGE}, peak memory", peers.HELR, IMPORT),
        *(f"+ {MEMORY_PAGES} pages", f"+ {reached:.1f} pages"),
        "met" if reached <= MEMORY_PAGES else "missed",
    ]


def tables(found: Medians, floor_kib: int) -> str:
    """One table for each piece of work except the page sizes, which are for the plot."""
    parts = []
    for work, by_who in found.items():
        if not work.startswith("page size"):
            parts.append(f"**{work}**\n\n{_table(by_who, floor_kib)}")
    return "\n".join(parts)


def _table(by_who: dict[str, Median], floor_kib: int) -> str:
    ours = next((by_who[w] for w in (peers.HELR, peers.HELR_DEDUPE) if w in by_who), None)
    rows = []
    for who, it in by_who.items():
        small = it.rss <= floor_kib * 1.1
        # Only a backfill has a meaningful time per event.
        rate = f"{it.lines / it.cpu:,.0f}" if it.lines > 10_000 else ""
        against = [ratio(it.cpu / ours.cpu), ratio(it.wall / ours.wall)] if ours else ["", ""]
        times = [f"{it.wall * 1000:,.0f}", f"{it.cpu * 1000:,.1f}"]
        memory = f"{'< ' if small else ''}{it.rss / 1024:,.0f}"
        rows.append([who, *times, memory, f"{it.lines:,}", rate, *against])
    head = [
        "",
        "wall ms",
        "CPU ms",
        "peak MiB",
        "lines",
        "events/CPU s",
        "CPU ÷ helr",
        "wall ÷ helr",
    ]
    return markdown(head, rows)


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table with aligned columns, the first one to the left."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(cells: list[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |\n"

    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    return line(head) + line(rule) + "".join(line(row) for row in rows)
