"""State that is forgotten with the process: for trying things out, and for replays."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from helr.state import Checkpoint, Step, Stored


class MemoryStore:
    durable = False
    path: str | None = None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, dict[str, str]] = {}
        self._ids: dict[str, list[str]] = {}
        self._marks: dict[str, dict[tuple[str, bytes], float]] = {}

    def load(self, source: str) -> Stored:
        with self._lock:
            marks = self._marks.get(source, {})
            return Stored(
                dict(self._values.get(source, {})),
                [(kind, mark, at) for (kind, mark), at in marks.items()],
            )

    def ids(self, source: str) -> list[str]:
        with self._lock:
            return list(self._ids.get(source, ()))

    def commit(self, source: str, checkpoints: Sequence[Checkpoint]) -> None:
        with self._lock:
            for checkpoint in checkpoints:
                self._apply(source, checkpoint)

    def _apply(self, source: str, checkpoint: Checkpoint) -> None:
        values = self._values.setdefault(source, {})
        for key, value in checkpoint.values.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        if checkpoint.ids:
            ids = self._ids.setdefault(source, [])
            ids.extend(checkpoint.ids)
            del ids[: -checkpoint.capacity or None]
        marks = self._marks.setdefault(source, {})
        for kind, below in checkpoint.forget:
            for each, at in list(marks.items()):
                if each[0] == kind and (below is None or at < below):
                    del marks[each]
        marks.update({(kind, mark): at for kind, mark, at in checkpoint.marks})

    def commit_step(self, source: str, checkpoint: Checkpoint, step: Step) -> None:
        self.commit(source, [checkpoint])

    def step(self, path: str) -> Step | None:
        return None

    def unfinished(self) -> list[str]:
        return []

    def finish_step(self, path: str, length: int) -> None:
        pass

    def generation(self) -> int:
        return 0

    def accept(self, source: str) -> None:
        pass

    def prove(self) -> None:
        pass

    def close(self) -> None:
        pass
