"""Signals. SIGTERM, SIGINT and SIGQUIT: the first asks for a stop, a second one ends the process at
once. The others that would end it are noted in the log, and do nothing.

A thread waits for them, as a handler could be late for ever: Python runs handlers in the main
thread, which sees nothing of a signal that comes just before it begins to wait for a lock.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU)
_NOTES: dict[int, str] = {
    signal.SIGHUP: "the config is read at the start only; restart helr to read a changed config",
    signal.SIGUSR1: "`helr status` shows where each source is",
}
# Left as they are: what stops and continues (SIGTSTP), what a defect raises (SIGSEGV, SIGABRT),
# what ends nothing (SIGCHLD, SIGWINCH), and SIGPIPE and SIGXFSZ, which Python turns into errors.
_OTHERS = ("SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGSTKFLT")
NOTED: set[int] = {
    *_NOTES,
    *(getattr(signal, name) for name in _OTHERS if hasattr(signal, name)),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
}


def ignore() -> None:
    """From the first step on, and in commands that are over soon: no such signal ends helr."""
    signal.pthread_sigmask(signal.SIG_BLOCK, NOTED)


class Stopping:
    """`ask` is called with the signal's number, in a thread of its own; while there is none,
    nothing was polled yet and the process ends at once: with 0, or, `once`, with 128 + number."""

    def __init__(self, *, once: bool = False) -> None:
        self._once = once
        self.ask: Callable[[int], None] | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOPS, *NOTED})  # threads begun from now on too
        threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        number = self._next()
        if self.ask is None:
            os._exit(128 + number if self._once else 0)
        self.ask(number)
        os._exit(128 + self._next())

    def _next(self) -> int:
        """The next signal that asks for a stop."""
        while (number := signal.sigwait({*_STOPS, *NOTED})) not in _STOPS:
            from helr import log

            log.note(f"ignored {_name(number)}: {_NOTES.get(number, 'it means nothing to helr')}")
        return number


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals
        return f"signal {number}"
