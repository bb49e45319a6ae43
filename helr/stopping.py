"""SIGTERM and SIGINT: the first asks for a stop, a second one ends the process at once.

A thread waits for them, as a handler could be late for ever: Python runs handlers in the main
thread, which sees nothing of a signal that comes just before it begins to wait for a lock.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """`ask` is called with the signal's number, in a thread of its own; while there is none,
    nothing was polled yet and the process ends at once: with 0, or, `once`, with 128 + number."""

    def __init__(self, *, once: bool = False) -> None:
        self._once = once
        self.ask: Callable[[int], None] | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # threads begun from now on too
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        number = signal.sigwait(_SIGNALS)
        if self.ask is None:
            os._exit(128 + number if self._once else 0)
        self.ask(number)
        os._exit(128 + signal.sigwait(_SIGNALS))
