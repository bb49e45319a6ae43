"""The queue through which every checkpoint of a stream output goes, in order, once it is settled.

A checkpoint that cannot be written stays at the head of its source's queue; nothing overtakes it.
Right before each commit the output is asked whether its reader is still there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from helr.clock import Clock
from helr.errors import OutputGoneError, StateError
from helr.log import for_source
from helr.state import Checkpoint, Store


class Checkpoints:
    """`alive` raises OutputGoneError; `gone` is told of one that the settling thread meets."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settle_secs: float,
        alive: Callable[[], None],
        gone: Callable[[OutputGoneError], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._settle_secs = settle_secs
        self._alive = alive
        self._gone = gone
        self._commit = threading.Lock()  # one commit at a time: in the order of the queue
        self._lock = threading.Lock()  # the queues themselves; never held for long
        self._queues: dict[str, deque[tuple[float, Checkpoint]]] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, source: str, checkpoint: Checkpoint) -> None:
        """Queue a checkpoint of what was just read, and record all that is due.

        A commit that fails is not raised here: `flush` tells it. Raises OutputGoneError.
        """
        due = self._clock.monotonic() + self._settle_secs
        with self._lock:
            self._queues.setdefault(source, deque()).append((due, checkpoint))
        if self._settle_secs:
            self._start()
            self._wake.set()
            return
        try:
            self.flush(source)
        except StateError as error:
            for_source(source).debug("%s", error)

    def flush(self, source: str) -> None:
        """Record what is due of one source. Raises StateError, OutputGoneError."""
        if not self._queues.get(source):
            return
        with self._commit:
            now = self._clock.monotonic()
            with self._lock:
                queue = self._queues.get(source, deque())
                due = [checkpoint for at, checkpoint in queue if at <= now]
            if not due:
                return
            self._alive()
            self._store.commit(source, due)
            with self._lock:
                for _ in due:
                    queue.popleft()

    def flush_all(self) -> StateError | None:
        """Record what is due of every source; a source whose commit fails keeps its queue.

        Returns the first such failure. Raises OutputGoneError.
        """
        failure = None
        for source in list(self._queues):
            try:
                self.flush(source)
            except StateError as error:
                for_source(source).debug("%s", error)
                failure = failure or error
        return failure

    def replace(self, source: str, checkpoint: Checkpoint | None) -> None:
        """Forget what is queued; one checkpoint of everything, due as the last was, replaces it."""
        with self._commit, self._lock:
            old = self._queues.pop(source, None)
            if checkpoint:
                due = old[-1][0] if old else self._clock.monotonic()
                checkpoint.lines = sum(each.lines for _, each in old or ())
                self._queues[source] = deque([(due, checkpoint)])

    def pending(self) -> int:
        """How many lines the queued checkpoints stand for."""
        with self._lock:
            return sum(
                checkpoint.lines for queue in self._queues.values() for _, checkpoint in queue
            )

    def wait(self) -> float:
        """Seconds until the last queued checkpoint is due; 0 when none is queued."""
        with self._lock:
            last = max((queue[-1][0] for queue in self._queues.values() if queue), default=None)
        return 0 if last is None else max(last - self._clock.monotonic(), 0.001)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._settle, name="settle", daemon=True)
            self._thread.start()

    def _settle(self) -> None:
        while not self._clock.stopping:
            self._wake.wait(self._next_wait())
            self._wake.clear()
            try:
                self.flush_all()
            except OutputGoneError as error:
                self._gone(error)
                return

    def _next_wait(self) -> float | None:
        with self._lock:
            due = min((queue[0][0] for queue in self._queues.values() if queue), default=None)
        if due is None:
            return None
        # an overdue checkpoint could not be written: try again in a second
        wait = due - self._clock.monotonic()
        return wait if wait > 0 else 1.0
