"""The stories, and the share of the kills that each gets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.torture.story import Plot, Story

PLOTS: Sequence[tuple[float, Plot]] = (
    (2, Plot("once")),
    (2, Plot("running", once=False, growth=1000)),
    (2, Plot("large pages", limit=9999, growth=4000)),
    (1, Plot("large pages, running", limit=9999, growth=4000, once=False)),
    (2, Plot("one reader for all", output="loop")),
    (1, Plot("without dedupe", dedupe=False, expires=False)),
    (1, Plot("without dedupe, running", dedupe=False, expires=False, once=False)),
    (1, Plot("settled", settle=1, forgets=0.5)),
    (1, Plot("settled, running", settle=1, forgets=0.5, once=False, growth=1000)),
    (2, Plot("file", output="file")),
    (1, Plot("file, running", output="file", once=False, growth=1000)),
    (1, Plot("file, rotated", output="file", rotated=True)),
    (1, Plot("file, rotated, running", output="file", rotated=True, once=False, growth=1000)),
    (1, Plot("file without dedupe", output="file", dedupe=False, expires=False)),
)


def stories(kills: int, seed: int, folder: Path) -> list[Story]:
    """All of them, with at least that many kills together."""
    shares = sum(share for share, _ in PLOTS)
    return [
        Story(plot, max(1, -int(-kills * share // shares)), seed, folder / str(index))
        for index, (share, plot) in enumerate(PLOTS)
    ]
