"""What the tests of outputs share: pages by the name of their source, a file and its state."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from helr.clock import Clock
from helr.output import Lane, Output
from helr.output.file import FileOutput
from helr.state import Store
from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore


def in_child(work: Callable[[], object]) -> int:
    """Do it in a forked process; its exit status, or minus the signal that ended it."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - a child never returns into pytest
            os.write(2, f"{error!r}\n".encode())
            os._exit(97)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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


PAGES = 3
PAGE = [[b"%d.%d %s\n" % (page, n, b"x" * 50) for n in range(4)] for page in range(PAGES)]


class Files:
    """A state and an output, closed as the end of a process would."""

    def __init__(self, folder: Path) -> None:
        self.state, self.out = folder / "state.db", folder / "out.ndjson"
        self.open: list[Any] = []

    def start(self, path: Path | None = None) -> tuple[Lanes, SqliteStore]:
        store = SqliteStore(str(self.state), busy_secs=0.1)
        output = FileOutput(str(path or self.out), store, Clock())
        self.open += [output, store]
        return Lanes(output, store), store

    def end(self) -> None:
        for each in self.open:
            each.close()
        self.open.clear()

    def lines(self) -> list[bytes]:
        return self.out.read_bytes().splitlines(keepends=True)


def batch(page: int, source: str = "s") -> Batch:
    ids = [f"{page}.{n}" for n in range(4)]
    checkpoint = Checkpoint(values={"cursor": str(page + 1)}, ids=ids, capacity=100)
    return Batch(source, list(PAGE[page]), checkpoint)


def collect(output: Lanes, store: SqliteStore, source: str = "s") -> None:
    """What a poller does: go on from the page that the state names."""
    for page in range(int(store.source(source).load().values.get("cursor", "0")), PAGES):
        output.deliver(batch(page, source))
