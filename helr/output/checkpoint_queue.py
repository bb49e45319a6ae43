"""The queue through which every checkpoint of a stream output goes, in order, once it is settled.

A checkpoint that cannot be written stays at the head of its source's queue; nothing overtakes it,
and no further block is begun, so a kill repeats that one block, not all the following ones.
Right before each commit, `alive` checks that the reader is still there.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from helr.clock import Clock
from helr.errors import OutputGoneError, ReplacedStateError, StateError
from helr.log import for_source
from helr.state import SourceState
from helr.state.records import Checkpoint

log = logging.getLogger("helr")

_AGAIN_SECS = 1.0  # between two tries to write the state


class CheckpointQueue:
    """`alive` raises OutputGoneError; `gone` is called with one raised in the settling thread.

    `tries`: how often to try to write the state before a block; None: forever.
    """

    def __init__(
        self,
        clock: Clock,
        settle_secs: float,
        alive: Callable[[], None],
        gone: Callable[[OutputGoneError], None],
        tries: int | None = None,
    ) -> None:
        self._clock = clock
        self._settle_secs = settle_secs
        self._alive = alive
        self._gone = gone
        self._tries = tries
        self._commit = threading.Lock()  # one commit at a time: in the order of the queue
        self._lock = threading.Lock()  # the queues themselves; never held for long
        self._queues: dict[SourceState, deque[tuple[float, Checkpoint]]] = {}
        self._dropped: dict[
            SourceState, tuple[float, int]
        ] = {}  # of a queue: when it was due, its lines
        self._unwritten: set[SourceState] = set()  # sources whose last commit failed
        self._given_up: StateError | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, state: SourceState, checkpoint: Checkpoint) -> None:
        """Queue a checkpoint of what was just read, and record all that is due.

        A failed commit is not raised here, but by `flush`. Raises OutputGoneError.
        """
        due = self._clock.monotonic() + self._settle_secs
        with self._lock:
            self._queues.setdefault(state, deque()).append((due, checkpoint))
            self._dropped.pop(state, None)
        if self._settle_secs:
            self._start()
            self._wake.set()
            return
        try:
            self.flush(state)
        except StateError as error:
            for_source(state.name).debug("%s", error.text)

    def flush(self, state: SourceState) -> None:
        """Record what is due of one source. Raises StateError, OutputGoneError."""
        if not self._queues.get(state):
            return
        with self._commit:
            now = self._clock.monotonic()
            with self._lock:
                queue = self._queues.get(state, deque())
                due = [checkpoint for at, checkpoint in queue if at <= now]
            self._unwritten.discard(state)
            if not due:
                return
            self._alive()
            try:
                state.commit(due)
            except ReplacedStateError:
                raise  # the next poll handles that; the old file's content is lost in any case
            except StateError:
                self._unwritten.add(state)
                raise
            with self._lock:
                for _ in due:
                    queue.popleft()

    def flush_all(self) -> StateError | None:
        """Record what is due of every source; a source whose commit fails keeps its queue.

        Returns the first such failure. Raises OutputGoneError.
        """
        failure = None
        for state in list(self._queues):
            try:
                self.flush(state)
            except StateError as error:
                for_source(state.name).debug("%s", error.text)
                failure = failure or error
        return failure

    def ready(self, state: SourceState) -> None:
        """Record what is due of a source before its next page is requested.

        A one-shot run, which has no next poll, waits for it. Raises StateError, OutputGoneError,
        Stopped.
        """
        if self._tries is not None:
            self.wait_recorded()
        self.flush(state)

    def wait_recorded(self) -> None:
        """Before a block: wait while a checkpoint of any source is due and cannot be written.

        Raises StateError after the last try, OutputGoneError, Stopped.
        """
        tries = 0
        while self._unwritten:
            if self._given_up:
                raise self._given_up
            error = self._record_unwritten()
            if error is None:
                if tries:
                    log.info("the state can be written again")
                return
            tries += 1
            if tries == self._tries:
                self._given_up = error
                raise error
            if tries == 1:
                log.error("no events are delivered until the state can be written: %s", error.text)
            self._clock.sleep(_AGAIN_SECS)

    def _record_unwritten(self) -> StateError | None:
        """Retry the sources whose last commit failed; returns the first new failure."""
        for state in list(self._unwritten):
            try:
                self.flush(state)
            except ReplacedStateError:
                continue
            except StateError as error:
                return error
        return None

    def replace(self, state: SourceState, checkpoint: Checkpoint | None) -> None:
        """Replace what is queued by one checkpoint of everything, due when the last one was.

        It may come in a later call; until then, the due time is remembered.
        """
        with self._commit, self._lock:
            old = self._queues.pop(state, None)
            self._unwritten.discard(state)
            if old:
                lines = sum(each.lines for _, each in old)
                self._dropped[state] = old[-1][0], lines
            if checkpoint:
                due, checkpoint.lines = self._dropped.pop(state, (self._clock.monotonic(), 0))
                self._queues[state] = deque([(due, checkpoint)])
        if checkpoint and self._settle_secs:
            self._start()
            self._wake.set()

    def pending(self) -> int:
        """How many lines the queued checkpoints cover."""
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
            thread = threading.Thread(target=self._settle, name="settle", daemon=True)
            thread.start()  # may fail; the next checkpoint tries again
            self._thread = thread

    def _settle(self) -> None:
        while not self._clock.stopping:
            self._wake.wait(self._next_wait())
            self._wake.clear()
            try:
                self.flush_all()
            except OutputGoneError as error:
                self._gone(error)
                return
            except MemoryError:  # they stay queued
                self._wake.wait(1)

    def _next_wait(self) -> float | None:
        with self._lock:
            due = min((queue[0][0] for queue in self._queues.values() if queue), default=None)
        if due is None:
            return None
        # an overdue checkpoint could not be written: try again in a second
        wait = due - self._clock.monotonic()
        return wait if wait > 0 else _AGAIN_SECS
