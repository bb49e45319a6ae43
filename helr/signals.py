"""Signals. The first SIGTERM, SIGINT or SIGQUIT requests a stop, a second one ends the process at
once. The others that would end it are logged and ignored.

A thread waits for them, since a handler could be delayed forever: Python runs handlers in the main
thread, which misses a signal that arrives just before it starts to wait for a lock.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

_STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU)
_NOTES: dict[int, str] = {
    signal.SIGHUP: "the config is read only at startup; restart helr to apply changes",
    signal.SIGUSR1: "`helr status` shows the position of each source",
}
# Unchanged: those that stop and continue (SIGTSTP), those of a defect (SIGSEGV, SIGABRT), those
# that end nothing (SIGCHLD, SIGWINCH), and SIGPIPE and SIGXFSZ, which Python turns into errors.
_OTHERS = ("SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGSTKFLT")
NOTED: set[int] = {
    *_NOTES,
    *(getattr(signal, name) for name in _OTHERS if hasattr(signal, name)),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
}


def ignore() -> None:
    """Block these signals, from the start and in all commands, so that none of them ends helr."""
    signal.pthread_sigmask(signal.SIG_BLOCK, NOTED)


class Stopping:
    """Calls `ask` with the signal's number, in a separate thread. Until it is set, nothing has been
    polled and the process ends at once: with 0, or with 128 + number if `once`."""

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
        """The next signal that requests a stop."""
        while (number := signal.sigwait({*_STOPS, *NOTED})) not in _STOPS:
            from helr import log

            log.note(f"ignored {_name(number)}: {_NOTES.get(number, 'helr does not use it')}")
        return number


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most of the real-time signals
        return f"signal {number}"
