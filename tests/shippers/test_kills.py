"""helr, the shipper, or both are stopped and killed at random moments while events come in.

Every event arrives; a repeat is one that had been read less than `settle_secs` before, or, from a
file, one that the shipper had sent a moment before. LONG=1 in the environment goes on for longer,
SEED=n takes another order.
"""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest

from tests.shippers.rig import SETTLE, Feed, Outcome, Rig, long_line, plan
from tests.shippers.shipped import SHIPPERS

ROUNDS = 10 if os.environ.get("LONG") else 1
SEED = int(os.environ.get("SEED") or 1)


def interrupted(shipper: str, source: str, home: Path) -> Outcome:
    with Rig(SHIPPERS[shipper], home, source=source, sink=SHIPPERS[shipper].network) as rig:
        now = int(time.time())
        rig.mock.add_events(events=[long_line(number, 100_000, now) for number in range(5)])
        rig.start()
        before = set(rig.mock.ids())
        rig.wait(lambda: before <= rig.delivered(), 30, "the first delivery")
        time.sleep(SETTLE + 1)  # what came so far is settled, and must not come again
        with Feed(rig.mock):
            for who, number, after in plan(SEED, ("helr", "shipper", "both"), ROUNDS):
                time.sleep(after)
                rig.interrupt(who, number)
        return rig.outcome()


def rotated(shipper: str, home: Path) -> Outcome:
    """The file is rotated every three seconds, and helr is stopped and killed meanwhile."""
    writer = ["--output-rotate", "size:0.1"]
    sink = SHIPPERS[shipper].network
    with Rig(SHIPPERS[shipper], home, source="file", sink=sink, writer=writer) as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 30, "the first delivery")
        with Feed(rig.mock):
            for who, number, after in plan(SEED, ("helr",), 3 * ROUNDS):
                time.sleep(after + 0.7)
                rig.interrupt(who, number)
        outcome = rig.outcome()
        assert len(list((home / ".mock").glob("events.ndjson.*"))) >= 3
        return outcome


def away(shipper: str, home: Path) -> Outcome:
    """The file is rotated while the shipper, stopped or killed, does not run."""
    writer = ["--output-rotate", "size:0.1"]
    sink = SHIPPERS[shipper].network

    def rotations() -> int:
        return len(list((home / ".mock").glob("events.ndjson.*")))

    with Rig(SHIPPERS[shipper], home, source="file", sink=sink, writer=writer) as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 30, "the first delivery")
        with Feed(rig.mock):
            for _, number, after in plan(SEED, ("shipper",), 2 * ROUNDS):
                rig.stop(number)
                before = rotations()
                rig.wait(lambda before=before: rotations() > before, 30, "a rotation")
                rig.restart()
                time.sleep(after)
        return rig.outcome()


SCENARIOS = {
    **{
        f"{name} {source}": partial(interrupted, name, source)
        for source in ("run", "once", "file")
        for name, shipper in SHIPPERS.items()
        if source in shipper.shapes
    },
    **{f"{shipper} rotated": partial(rotated, shipper) for shipper in SHIPPERS},
    **{
        f"{name} away": partial(away, name)
        for name, shipper in SHIPPERS.items()
        if shipper.finds_renamed
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_stops_and_kills_lose_nothing(result: Outcome, name: str) -> None:
    print(f"{name}: {result}")
    assert (result.lost, result.unparsed) == (0, 0), str(result)
    assert result.unexplained == 0 or SHIPPERS[name.split()[0]].rereads, str(result)
    # A shipper that is killed between sending and noting it sends again; helr writes once.
    assert result.written_twice == 0
