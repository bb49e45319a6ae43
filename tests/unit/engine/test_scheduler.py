"""When each source is polled, what its observer is told, and how a run ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from helr.engine.events import Event, Failed, Polled, Recovered, Summary
from helr.engine.scheduler import STATE_TRIES, Scheduler
from helr.errors import HeldError, OutputGoneError, PollError, StateError, Stopped
from helr.messages import Request
from helr.model import Schedule
from helr.pytest_plugin import FakeClock
from tests.unit.support import URL, make_source

DONE = Summary(pages=1, events=2, delivered=2)
Step = Summary | Exception | Callable[[], Summary]


class Output:
    """Finishes at once, or after what `finishes` says."""

    def __init__(self, *finishes: float | Exception) -> None:
        self.finishes = list(finishes)
        self.drained = 0

    def watch(self) -> None:
        pass

    def finish(self) -> float:
        step = self.finishes.pop(0) if self.finishes else 0.0
        if isinstance(step, Exception):
            raise step
        return step

    def drain(self, seconds: float) -> None:
        self.drained += 1

    def unconfirmed(self) -> int:
        return 3


class Poller:
    """Polls that come to what `steps` say; after the last it asks for a stop."""

    def __init__(self, run: Run, name: str, steps: Sequence[Step]) -> None:
        self.run, self.steps = run, list(steps)
        self.source = make_source(name=name, schedule=Schedule(interval_secs=60))
        self.position = self
        self.polled: list[float] = []

    def next_request(self) -> Request:
        return Request(URL)

    def poll(self) -> Summary:
        if not self.steps:
            self.run.scheduler.stop(15)
            self.run.clock.stop()
            raise Stopped
        self.polled.append(self.run.clock.monotonic())
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step() if callable(step) else step


class Run:
    def __init__(self, *sources: Sequence[Step], output: Output | None = None) -> None:
        self.clock, self.output = FakeClock(), output or Output()
        self.events: list[Event] = []
        self.pollers = [Poller(self, f"s{n}", steps) for n, steps in enumerate(sources)]
        parts: Any = (self.pollers, self.output, self.clock, self.events.append)
        self.scheduler = Scheduler(*parts)

    def once(self) -> int:
        return self.scheduler.run(once=True)

    def kinds(self, name: str = "s0") -> list[type[Event]]:
        return [type(event) for event in self.events if event.source.name == name]


def held(secs: float) -> HeldError:
    return HeldError("Retry-After", until=0, secs=secs)


@pytest.mark.parametrize(
    ("step", "status"),
    [(DONE, 0), (PollError("x"), 1), (held(9), 1), (StateError("x"), 5), (KeyError("a defect"), 1)],
)
def test_the_exit_status_of_a_poll(step: Step, status: int) -> None:
    run = Run([step], [DONE])
    assert run.once() == status
    assert run.kinds() == [Polled if step is DONE else Failed]
    assert run.kinds("s1") == [Polled]


def test_the_greatest_status_counts() -> None:
    assert Run([PollError("x")], [StateError("x")], [DONE]).once() == 5


def test_an_observer_learns_what_comes_next_of_a_one_shot_run_without_events() -> None:
    run = Run([Summary(pages=1)], [DONE])
    run.once()
    requests = {event.source.name: event.request for event in run.events if type(event) is Polled}
    assert requests == {"s0": Request(URL), "s1": None}


def test_a_one_shot_run_waits_until_all_is_settled() -> None:
    run = Run([DONE], output=Output(20.0, 5.0))
    assert run.once() == 0
    assert run.clock.waits == [20, 5]


def test_a_state_that_refuses_the_last_checkpoints_is_tried_some_times() -> None:
    error = StateError("the disk is full")
    run = Run([DONE], output=Output(*[error] * (STATE_TRIES - 1)))
    assert run.once() == 0
    run = Run([DONE], output=Output(*[error] * STATE_TRIES))
    assert run.once() == 5
    assert run.clock.waits == [1] * (STATE_TRIES - 1)


def test_an_output_that_is_gone_ends_everything() -> None:
    run = Run([OutputGoneError("the reader went away")])
    with pytest.raises(OutputGoneError):
        run.once()
    assert run.clock.stopping
    assert run.events == []


def test_a_signal_in_the_middle_of_a_one_shot_run() -> None:
    run = Run([])
    assert run.once() == 128 + 15
    assert run.output.drained == 1


def test_polls_are_counted_from_start_to_start() -> None:
    def slow() -> Summary:
        run.clock.time += 25
        return DONE

    def slower() -> Summary:
        run.clock.time += 100
        return DONE

    run = Run([slow, slower, DONE, DONE])
    assert run.scheduler.run(once=False) == 0
    assert run.pollers[0].polled == [0, 60, 160, 220]


def test_what_is_held_is_not_polled_before_its_time() -> None:
    run = Run([held(3600), held(5), DONE])
    run.scheduler.run(once=False)
    assert run.pollers[0].polled == [0, 3600, 3660]


def test_a_source_that_works_again_says_so_once() -> None:
    run = Run([PollError("x"), KeyError("x"), Summary(), DONE, DONE])
    run.scheduler.run(once=False)
    assert run.kinds() == [Failed, Failed, Polled, Recovered, Polled, Polled]
    [recovered] = [event for event in run.events if isinstance(event, Recovered)]
    assert recovered.failures == 2


def test_a_stop_says_what_will_be_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "helr"):
        Run([DONE]).scheduler.run(once=False)
    assert "stopped by signal 15" in caplog.messages[-1]
    assert "3 written events are unconfirmed" in caplog.messages[-1]


def test_a_signal_explains_an_output_that_went_away_however_often_that_is_told() -> None:
    run = Run([Stopped()])
    for _ in range(3):
        run.scheduler.gone(OutputGoneError("the reader went away"))
    run.scheduler.stop(2)
    assert run.once() == 130
    lost = Run([Stopped()])
    lost.scheduler.gone(OutputGoneError("the reader went away"))
    with pytest.raises(OutputGoneError):
        lost.once()
