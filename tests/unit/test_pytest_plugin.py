"""The clock for tests: waits take no time but are noted, and a stop ends them as real ones."""

from __future__ import annotations

import pytest

from helr.errors import Stopped
from helr.pytest_plugin import FakeClock


def test_a_wait_takes_no_time_but_the_clocks_own(fake_clock: FakeClock) -> None:
    began = fake_clock.now(), fake_clock.monotonic()
    fake_clock.sleep(60)
    fake_clock.sleep(-1)  # until a moment that has passed
    assert (fake_clock.now() - began[0], fake_clock.monotonic() - began[1]) == (60, 60)
    assert fake_clock.waits == [60, -1]


def test_a_wall_clock_that_is_set_leaves_the_monotonic_one_alone() -> None:
    clock = FakeClock(1000)
    clock.ahead = -3600
    clock.time += 5
    assert (clock.now(), clock.monotonic()) == (1005 - 3600, 5)


def test_a_stop_ends_every_wait(fake_clock: FakeClock) -> None:
    fake_clock.stop()
    assert fake_clock.stopping
    with pytest.raises(Stopped):
        fake_clock.sleep(1)
    assert fake_clock.waits == []
