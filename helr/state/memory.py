"""State that is lost when the process ends: for trials, and for replays."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from helr.model import State
from helr.state import Journal, SourceState
from helr.state.records import Checkpoint, Step, Stored


def open(state: State) -> MemoryStore:  # noqa: A001
    return MemoryStore()


def open_read_only(state: State) -> None:
    """Nothing exists before a run."""


class MemoryStore:
    durable = False
    path: str | None = None

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}
        self.journal: Journal = _Journal(self)

    def source(self, name: str) -> SourceState:
        return self._sources.setdefault(name, _Source(name))

    def sources(self) -> list[str]:
        return sorted(self._sources)

    def lease(self, name: str) -> None:
        """No other process can use it."""

    def check_writable(self) -> None:
        """Memory always is."""

    def close(self) -> None:
        """Nothing is open."""


class _Source(SourceState):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._lock = threading.Lock()
        self._values: dict[str, str] = {}
        self._ids: list[str] = []
        self._marks: dict[tuple[str, bytes], float] = {}

    def load(self) -> Stored:
        with self._lock:
            marks = [(kind, mark, at) for (kind, mark), at in self._marks.items()]
            return Stored(dict(self._values), marks)

    def ids(self) -> list[str]:
        with self._lock:
            return list(self._ids)

    def commit(self, checkpoints: Sequence[Checkpoint]) -> None:
        with self._lock:
            for checkpoint in checkpoints:
                self._apply(checkpoint)

    def _apply(self, checkpoint: Checkpoint) -> None:
        for key, value in checkpoint.values.items():
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value
        if checkpoint.ids:
            self._ids.extend(key for key in checkpoint.ids if key is not None)
            del self._ids[: -checkpoint.capacity or None]
        for kind, below in checkpoint.forget:
            for each, at in list(self._marks.items()):
                if each[0] == kind and (below is None or at < below):
                    del self._marks[each]
        self._marks.update({(kind, mark): at for kind, mark, at in checkpoint.marks})


class _Journal:
    """No step outlasts the process, so none is ever unfinished at a start."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._steps: dict[str, Step] = {}

    def commit(self, step: Step, source: str = "", checkpoint: Checkpoint | None = None) -> None:
        if checkpoint is not None:
            self._store.source(source).commit([checkpoint])
        self._steps[step.path] = Step(step.path, step.device, step.inode, step.length, b"")

    def step(self, path: str) -> Step | None:
        return self._steps.get(path)

    def unfinished(self) -> list[str]:
        return []

    def finish(self, path: str, length: int) -> None:
        self._steps[path].length = length
