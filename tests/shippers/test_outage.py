"""A destination that is down for longer than helr waits, and comes back: every event is there.

The shipper is killed and stopped meanwhile: what waits must be on its disk.
"""

from __future__ import annotations

import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.shippers.rig import SETTLE, Feed, Outcome, Rig
from tests.shippers.shipped import SHIPPERS


def outage(shipper: str, source: str, home: Path) -> Outcome:
    with Rig(SHIPPERS[shipper], home, source=source, sink=SHIPPERS[shipper].network) as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 30, "the first delivery")
        rig.sink.down()
        with Feed(rig.mock):
            time.sleep(SETTLE + 2)
            rig.interrupt("shipper", signal.SIGKILL)
            time.sleep(2)
            rig.interrupt("shipper", signal.SIGTERM)
            rig.sink.refuse = True
            rig.sink.up()
            time.sleep(2)
        rig.sink.refuse = False
        return rig.outcome(40)


SCENARIOS = {
    f"{name} {source}": partial(outage, name, source)
    for source in ("run", "file")
    for name, shipper in SHIPPERS.items()
    if source in shipper.shapes
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_an_outage_of_the_destination_loses_nothing(result: Outcome, name: str) -> None:
    print(f"{name}: {result}")
    assert (result.lost, result.unparsed) == (0, 0), str(result)
