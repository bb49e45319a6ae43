"""helr.clock: a wait ends on a stop, however long it is."""

from __future__ import annotations

import threading

import pytest

from helr.clock import Clock
from helr.errors import Stopped


@pytest.mark.parametrize("seconds", [60.0, 1e12])
def test_a_stop_ends_a_wait(seconds: float) -> None:
    """A server may ask to be left alone for longer than the system's own waits can be."""
    clock = Clock()
    threading.Timer(0.05, clock.stop).start()
    with pytest.raises(Stopped):
        clock.sleep(seconds)
