"""Any interleaving of new, late and future events, page limits, refused cursors, failures, kills
and restarts, pages in either order: nothing is lost; with no kill nothing repeats, with one no more
than promised.

The engine is the real one (Poller, Position, StreamOutput, CheckpointQueue, the backends); the API
is a list that answers as the mock does, and the pipe a list that can end the process.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from helr.engine.assemble import poller
from helr.engine.events import Summary
from helr.errors import PollError
from helr.http.client import Client
from helr.messages import Request, Response
from helr.model import (
    CircuitBreaker,
    Dedupe,
    IncrementalFrom,
    Pagination,
    Resilience,
    Retries,
    Source,
    Timeouts,
)
from helr.output.stream import StreamOutput
from helr.pytest_plugin import FakeClock
from helr.state import SourceState, Store
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore
from tests.support import examples

LOOKBACK = 50
BLOCK_LINES = 3
START = 1_700_000_000


class Crash(BaseException):
    """The process ends here: nothing that it only had in memory is left."""


class World:
    """The API, and how many steps the process may still make."""

    def __init__(self, oldest_first: bool, ids_of_a_second: bool) -> None:
        self.clock = FakeClock(START)
        self.oldest_first = oldest_first
        self.ids_of_a_second = ids_of_a_second  # unique only together with the time
        self.events: list[tuple[int, int, bytes]] = []  # time, arrival, the event
        self.generation = 0
        self.failing = 0  # the request that fails, from 1 on
        self.between: list[int] = []  # ages of events that arrive, one with each page
        self.seconds_a_page = 0
        self.steps_left = -1  # until the process is killed; -1: it is not

    def add(self, age: int) -> None:
        at, number = int(self.clock.time) - age, len(self.events)
        same = sum(other == at for other, *_ in self.events)
        id_ = same if self.ids_of_a_second else number
        text = b'{"id":"%d","date_create":%d,"n":"%d"}' % (id_, at, number)
        self.events.append((at, number, text))
        self.events.sort()

    def step(self) -> None:
        if self.steps_left == 0:
            raise Crash
        self.steps_left -= self.steps_left > 0

    def answer(self, params: dict[str, str]) -> tuple[int, bytes]:
        if self.failing:
            self.failing -= 1
            if not self.failing:
                return 500, b""
        after = (0, 0) if self.oldest_first else (10**12, 0)
        if cursor := params.get("cursor"):
            generation, at, number = map(int, cursor.split("."))
            if generation != self.generation:
                return 400, b'{"ok":false,"error":"invalid_cursor"}'
            after = (at, number)
        oldest = int(params.get("oldest", 0))
        found = [e for e in self.events if oldest <= e[0]]
        if self.oldest_first:
            found = [e for e in found if e[:2] > after]
        else:
            found = [e for e in reversed(found) if e[:2] < after]
        page, limit = found[: int(params["limit"])], int(params["limit"])
        more = f"{self.generation}.{page[-1][0]}.{page[-1][1]}" if len(found) > limit else ""
        entries = b",".join(text for _, _, text in page)
        return 200, b'{"entries":[%b],"next":%b}' % (entries, json.dumps(more).encode())


class Api(Client):
    """The client of the world's API."""

    def __init__(self, world: World, source: Source, slots: threading.Semaphore) -> None:
        super().__init__(source, clock=world.clock, slots=slots)
        self.world = world

    def send(self, request: Request) -> Response:
        self.world.step()
        status, body = self.world.answer(dict(request.params))
        if self.world.between:  # one a page
            self.world.add(self.world.between.pop())
            self.clock.time += self.world.seconds_a_page
        now = self.clock.now()
        return Response(request, request.url, "/logs", status, {}, body, now)


class Pipe:
    """The stream: what is read counts; the process may end before the block or after it."""

    def __init__(self, world: World, came: list[str]) -> None:
        self.world, self.came = world, came
        self.block_size = 130 * BLOCK_LINES

    def alive(self) -> None:
        pass

    def write(self, block: bytes) -> None:
        self.world.step()
        self.came += [json.loads(line)["event"]["n"] for line in block.splitlines()]
        self.world.step()


class Disk:
    """The state; the process may end before a commit or after it."""

    def __init__(self, world: World, store: Store) -> None:
        self.world, self.path, self._store = world, None, store

    def source(self, name: str) -> SourceState:
        state = self._store.source(name)
        commit = type(state).commit

        def slowly(checkpoints: Sequence[Checkpoint]) -> None:
            self.world.step()
            commit(state, checkpoints)
            self.world.step()

        state.commit = slowly  # type: ignore[method-assign]
        return state


class Engine(RuleBasedStateMachine):
    @initialize(
        limit=st.sampled_from((1, 2, 5, 9)),
        pages=st.integers(1, 4),
        dedupe=st.booleans(),
        lookback=st.booleans(),
        sqlite=st.booleans(),
        oldest_first=st.booleans(),
        ids_of_a_second=st.booleans(),
    )
    def begin(
        self,
        limit: int,
        pages: int,
        dedupe: bool,
        lookback: bool,
        sqlite: bool,
        oldest_first: bool,
        ids_of_a_second: bool,
    ) -> None:
        self.world = World(oldest_first, ids_of_a_second)
        self.came: list[str] = []
        self.crashes = self.resets = 0
        self.limit, self.dedupe = limit, dedupe
        self.lookback = LOOKBACK if dedupe and lookback else 0
        self.folder = tempfile.TemporaryDirectory() if sqlite else None
        self.memory = MemoryStore()
        self.source = Source(
            "s",
            "http://api.test/logs",
            Resilience(Timeouts(1, 1, 1), Retries(1), CircuitBreaker(enabled=False)),
            query_params={"limit": str(limit)},
            pagination=Pagination(
                "cursor", pages, {"cursor_param": "cursor", "cursor_path": "next"}
            ),
            incremental_from=IncrementalFrom("ts", "date_create", "oldest", self.lookback),
            dedupe=Dedupe("id", 10_000) if dedupe else None,
            on_cursor_error="reset",
        )
        self.start()

    def start(self) -> None:
        """A new process: all it knows is what the state holds."""
        store: Store = self.memory
        if self.folder:
            if hasattr(self, "store"):
                self.store.close()
            store = SqliteStore(str(Path(self.folder.name) / "state.db"))
        self.store = store
        disk: Any = Disk(self.world, store)
        stream: Any = Pipe(self.world, self.came)
        output = StreamOutput(stream, self.world.clock, 0, lambda error: None)
        slots = threading.BoundedSemaphore(1)

        def connect(source: Source, **_: Any) -> Client:
            return Api(self.world, source, slots)

        self.poller = poller(
            self.source, disk, output, clock=self.world.clock, slots=slots, connect=connect
        )

    # -- what may happen

    @rule(count=st.integers(1, 12))
    def events_arrive(self, count: int) -> None:
        for _ in range(count):
            self.world.add(0)

    @rule(age=st.integers(0, LOOKBACK))
    def an_event_arrives_late(self, age: int) -> None:
        self.world.add(age if self.lookback else 0)

    @rule()
    def an_event_comes_from_the_future(self) -> None:
        self.world.add(-1000)

    @rule(
        ages=st.lists(st.sampled_from((0, LOOKBACK)) | st.integers(0, LOOKBACK), max_size=9),
        seconds=st.sampled_from((0, 1, 40, 90)),
    )
    def events_arrive_while_pages_are_read(self, ages: list[int], seconds: int) -> None:
        self.world.between = [age if self.lookback else 0 for age in ages]
        self.world.seconds_a_page = seconds

    @rule(seconds=st.integers(1, 90))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.time += seconds

    @rule()
    def cursors_expire(self) -> None:
        self.world.generation += 1
        self.resets += 1

    @rule(request=st.integers(1, 3))
    def a_request_will_fail(self, request: int) -> None:
        self.world.failing = request

    @rule()
    def one_poll(self) -> None:
        self.poll()

    def poll(self) -> Summary | None:
        try:
            return self.poller.poll()
        except PollError:
            return None

    @rule(count=st.integers(0, 9), steps=st.integers(0, 16))
    def poll_and_be_killed(self, count: int, steps: int) -> None:
        self.events_arrive(count)
        self.world.steps_left = steps
        try:
            self.poll()
        except Crash:
            self.crashes += 1
        self.world.steps_left = -1
        self.start()

    @rule()
    def restart(self) -> None:
        self.start()

    @precondition(lambda self: hasattr(self, "world"))
    @rule()
    def all_is_delivered_in_the_end(self) -> None:
        self.world.failing, self.world.between = 0, []
        begun = False  # whether this chain began after the last event arrived
        for _ in range(500):
            position = self.poller.position
            begun, resets = begun or position.point.token is None, position.resets
            summary = self.poll()
            begun = begun and position.resets <= resets
            if summary and not summary.more and begun:
                break
        else:
            raise AssertionError("it never came to an end")
        self.check()

    def check(self) -> None:
        times = Counter(self.came)
        missing = {str(number) for _, number, _ in self.world.events} - set(times)
        assert not missing, f"lost: {sorted(missing)}"
        repeats = sum(times.values()) - len(times)
        if self.dedupe:
            assert repeats <= self.crashes * BLOCK_LINES
        elif not self.resets:  # a refused cursor without dedupe begins again at the watermark
            assert repeats <= self.crashes * self.limit

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.all_is_delivered_in_the_end()
            self.store.close()
            if self.folder:
                self.folder.cleanup()


Engine.TestCase.settings = examples(
    100,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestEngine = pytest.mark.unmeasured(Engine.TestCase)
