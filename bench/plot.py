"""CPU per event, and peak memory, against page size: an SVG without a library."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from bench import peers
from bench.table import Median, Medians

WIDTH, HEIGHT = 900, 380
LEFT, TOP, PANEL_WIDTH, PANEL_HEIGHT, GAP = 60, 40, 290, 270, 90
COLOURS = {
    peers.HELR: "#c2410c",
    peers.HELR_DEDUPE: "#f59e0b",
    peers.ONE_CURL: "#6b7280",
    peers.JQ: "#2563eb",
    peers.SDK: "#7c3aed",
    peers.RUST: "#15803d",
}
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis over whole 1-2-5 steps. `start` and `end` are pixels."""

    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self) -> list[float]:
        steps = [m * 10.0**e for e in range(-3, 6) for m in (1, 2, 5)]
        return [s for s in steps if self.low <= s <= self.high]


def plot(found: Medians) -> str:
    """The whole picture. `found` holds works named "page size N"."""
    sizes = {
        int(work.split()[-1]): by for work, by in found.items() if work.startswith("page size")
    }
    panels = [
        ("CPU per event, µs", lambda m: 1e6 * m.cpu / events(sizes)),
        ("peak memory, MiB", lambda m: m.rss / 1024),
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#111">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for number, (title, value) in enumerate(panels):
        parts += panel(LEFT + number * (PANEL_WIDTH + GAP), title, series(sizes, value))
    parts += legend(LEFT + 2 * PANEL_WIDTH + GAP + 15)
    return "\n".join([*parts, "</svg>\n"])


def events(sizes: dict[int, dict[str, Median]]) -> int:
    return max(m.lines for by_who in sizes.values() for m in by_who.values())


def series(
    sizes: dict[int, dict[str, Median]], value: Callable[[Median], float]
) -> dict[str, list[Point]]:
    """The points of each command that has a colour, by page size."""
    found: dict[str, list[Point]] = {}
    for size, by_who in sorted(sizes.items()):
        for who in COLOURS:
            if who in by_who:
                found.setdefault(who, []).append((size, value(by_who[who])))
    return found


def panel(left: float, title: str, lines: dict[str, list[Point]]) -> list[str]:
    """One pair of axes with a line for each command."""
    points = [point for line in lines.values() for point in line]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_axis = Axis(min(xs), max(xs), left, left + PANEL_WIDTH)
    bottom = TOP + PANEL_HEIGHT
    y_axis = Axis(step_below(min(ys)), step_above(max(ys)), bottom, TOP)
    parts = [
        f'<text x="{left}" y="{TOP - 14}" font-size="13">{title}</text>',
        f'<text x="{left + PANEL_WIDTH / 2}" y="{bottom + 36}" text-anchor="middle">'
        "events a page</text>",
    ]
    for tick in y_axis.ticks():
        y = y_axis.place(tick)
        parts.append(f'<path d="M{left} {y:.1f}h{PANEL_WIDTH}" stroke="#e5e7eb"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for x in sorted(set(xs)):
        at = x_axis.place(x)
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{x:g}</text>')
    for who, line in lines.items():
        path = " ".join(f"{x_axis.place(x):.1f},{y_axis.place(y):.1f}" for x, y in line)
        colour = COLOURS[who]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{x_axis.place(x):.1f}" cy="{y_axis.place(y):.1f}" r="3" fill="{colour}"/>'
            for x, y in line
        ]
    return parts


def legend(left: float) -> list[str]:
    parts = []
    for row, (who, colour) in enumerate(COLOURS.items()):
        y = TOP + 20 + row * 22
        parts.append(f'<rect x="{left}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{left + 18}" y="{y}">{who}</text>')
    return parts


def step_below(value: float) -> float:
    """The greatest 1-2-5 step that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(m * power for m in (1, 2, 5) if m * power <= value)


def step_above(value: float) -> float:
    """The least 1-2-5 step that is not below the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return min(m * power for m in (1, 2, 5, 10) if m * power >= value)
