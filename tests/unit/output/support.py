"""Pages for an output, by the name of their source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from helr.output import Lane, Output
from helr.state import Store
from helr.state.records import Checkpoint


class Batch(NamedTuple):
    source: str
    lines: Iterable[bytes]
    checkpoint: Checkpoint


class Lanes:
    """An output and the lanes of its sources."""

    def __init__(self, output: Output, store: Store) -> None:
        self.output = output
        self._store = store
        self._lanes: dict[str, Lane] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.output, name)

    def lane(self, source: str) -> Lane:
        if source not in self._lanes:
            self._lanes[source] = self.output.lane(self._store.source(source))
        return self._lanes[source]

    def deliver(self, batch: Batch) -> None:
        self.lane(batch.source).deliver(batch.lines, batch.checkpoint)

    def ready(self, source: str) -> None:
        self.lane(source).ready()

    def rebase(self, source: str, everything: Checkpoint | None) -> None:
        self.lane(source).rebase(everything)
