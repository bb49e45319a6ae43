"""Figures to text: medians, ratios and whether a budget is met."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench import peers, plot, table, works
from bench.measure import Sample


def sample(work: str, who: str, cpu: float, **more: float) -> Sample:
    numbers = {"wall": 2 * cpu, "rss": 50_000, "lines": 20_000, "bytes": 14_000_000, "polls": 1}
    numbers |= more
    return Sample(work, who, cpu=cpu, **numbers)  # type: ignore[arg-type]


LARGE = table.LARGE


def test_the_middle_round_counts_and_polls_are_divided() -> None:
    found = table.medians([sample("w", "it", cpu, polls=2) for cpu in (9, 1, 3)])
    assert found["w"]["it"].cpu == 1.5
    assert found["w"]["it"].wall == 3


@pytest.mark.parametrize(("cpu", "said"), [(0.42, "1.40×"), (0.6, "2.00×")])
def test_a_budget_says_whether_it_is_met(cpu: float, said: str) -> None:
    found = table.medians([sample(LARGE, peers.HELR, cpu), sample(LARGE, peers.FLOOR, 0.3)])
    row = next(r for r in table.budgets(found).splitlines() if "curl + cat" in r)
    assert said in row
    assert ("met" in row) == (cpu < 0.45)


def test_a_budget_against_a_peer_that_is_missing_is_left_out() -> None:
    found = table.medians([sample(LARGE, peers.HELR, 1)])
    assert peers.RUST not in table.budgets(found)


def test_memory_is_told_in_pages_above_the_import() -> None:
    page = 14_000_000 / 3 / 1024  # 20,000 lines are three pages of 9,999
    found = table.medians(
        [
            sample(LARGE, peers.HELR, 1, rss=28_000 + 4 * page),
            sample(LARGE, peers.FLOOR, 1),
            sample(LARGE, works.IMPORT, 1, rss=28_000),
        ]
    )
    assert "+ 4.0 pages" in table.budgets(found)


def test_ratios_read_as_people_say_them() -> None:
    assert (table.ratio(1.5), table.ratio(0.1), table.ratio(1)) == ("1.50×", "1/10.0", "1.00×")


def test_every_row_of_a_table_has_every_column() -> None:
    found = table.medians([sample(LARGE, who, 1) for who in (peers.HELR, peers.JQ, "other")])
    rows = [r for r in table.tables(found, 1000).splitlines() if r.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1
    assert len({len(row) for row in rows}) == 1


def test_the_plot_is_an_svg_with_a_line_a_command_and_panel() -> None:
    names = (peers.HELR, peers.JQ)
    samples = [sample(f"page size {size}", who, 1 / size) for size in works.SIZES for who in names]
    root = ElementTree.fromstring(plot.plot(table.medians(samples)))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2 * len(names)
    assert all(len(line.attrib["points"].split()) == len(works.SIZES) for line in lines)
