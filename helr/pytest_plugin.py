"""A pytest plugin for any client's tests: the Slack mock, and a clock whose waits take no time.

def test_it(mock_slack):
    run_my_client(url=mock_slack.logs_url, token=mock_slack.token)

pytest finds it by the entry point in setup.cfg and imports it at every start, so each fixture
imports what it needs itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from helr.clock import Clock

if TYPE_CHECKING:
    from mock_server import MockSlack


class FakeClock(Clock):
    """Its waits take no time: each is noted in `waits` and moves `time` forward.

    `time`: Unix seconds; a test may set them. `ahead`: how far the wall clock has been set forward,
    which does not change `monotonic`.
    """

    def __init__(self, time: float = 1_700_000_000.0) -> None:
        super().__init__()
        self._began = time
        self.time = time
        self.ahead = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time + self.ahead

    def monotonic(self) -> float:
        return self.time - self._began

    def sleep(self, seconds: float) -> None:
        self.check()
        self.waits.append(seconds)
        self.time += max(seconds, 0)


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock whose waits take no time, for one test."""
    return FakeClock()


@pytest.fixture
def mock_slack() -> Iterator[MockSlack]:
    """A mock with 1,000 events on a free port, for one test."""
    from mock_server import MockSlack

    with MockSlack() as mock:
        yield mock
