"""On a terminal: one line that shows the progress of a one-shot run, and a summary when it ends.

Used only if standard error is a terminal and the events go to a file. Log lines are written whole,
above that line.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from helr.clock import Clock
from helr.engine.events import Delivered, Event, Summary
from helr.timestamps import rfc3339

_FIRST_SECS = 0.5  # a shorter run needs no line
_EVERY_SECS = 0.2
_CLEAR = "\r\x1b[K"


def begin(terminal: TextIO, output_path: str | None) -> LiveLine | None:
    """A live line, unless the output may go to the same terminal, if only through a pipe."""
    try:
        mode = os.fstat(1).st_mode if output_path is None else os.stat(output_path).st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG  # which helr will create
    except OSError:
        return None
    null = output_path is None and stat.S_ISCHR(mode) and not os.isatty(1)
    if os.environ.get("TERM", "dumb") == "dumb" or not (stat.S_ISREG(mode) or null):
        return None
    return LiveLine(terminal)


class WatchedClock(Clock):
    """A clock that knows how long the threads sleeping on it will sleep."""

    def __init__(self) -> None:
        super().__init__()
        self._until: dict[int, float] = {}

    def sleep(self, seconds: float) -> None:
        me = threading.get_ident()
        self._until[me] = self.monotonic() + seconds
        try:
            super().sleep(seconds)
        finally:
            self._until.pop(me, None)

    def waiting(self) -> float:
        """Seconds until the last of those threads wakes up."""
        return max(list(self._until.values()), default=0.0) - self.monotonic()


class LiveLine:
    """Draws on `terminal`. The log writes through it, so that its lines go above the live one."""

    def __init__(self, terminal: TextIO) -> None:
        self.clock = WatchedClock()
        self._terminal = terminal
        self._lock = threading.Lock()
        self._shown = ""
        self._over = threading.Event()
        self._began = time.monotonic()
        self._summaries: dict[str, Summary] = {}  # of each source's last poll
        self._thread = threading.Thread(target=self._draw_often, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hear(self, event: Event) -> None:
        """An observer (see helr.engine.events)."""
        if isinstance(event, Delivered):
            self._summaries[event.source.name] = event.summary

    def stop(self) -> None:
        """Remove the line, and print the summary."""
        self._over.set()
        with self._lock:
            summaries = list(self._summaries.values())
            closing = f"{_progress(summaries, time.monotonic() - self._began)}\n"
            more = any(summary.pages for summary in summaries)
            self._print((_CLEAR if self._shown else "") + (closing if more else ""))
            self._shown = ""

    def _draw_often(self) -> None:
        wait = _FIRST_SECS
        while not self._over.wait(wait):
            wait = _EVERY_SECS
            text = _progress(list(self._summaries.values()), time.monotonic() - self._began)
            left = self.clock.waiting()
            if left > 1:
                text += f", waiting {left:.0f} s"
            with self._lock:
                if not self._over.is_set():
                    self._shown = text[: shutil.get_terminal_size().columns - 1]
                    self._print(_CLEAR + self._shown)

    def _print(self, text: str) -> None:
        try:
            self._terminal.write(text)
            self._terminal.flush()
        except (OSError, ValueError):
            self._over.set()  # the terminal is gone

    # the interface of a stream, for the log

    def write(self, text: str) -> int:
        with self._lock:
            if self._shown:
                text = _CLEAR + text + (self._shown if text.endswith("\n") else "")
            return self._terminal.write(text)

    def flush(self) -> None:
        self._terminal.flush()

    def isatty(self) -> bool:
        return True


def _progress(summaries: Sequence[Summary], secs: float) -> str:
    pages = sum(summary.pages for summary in summaries)
    events = sum(summary.events for summary in summaries)
    new = sum(summary.delivered for summary in summaries)
    text = (
        f"{pages:,} page{'' if pages == 1 else 's'}, {events:,} event{'' if events == 1 else 's'}"
    )
    if new < events:
        text += f" ({new:,} new)"
    text += f" in {secs:.1f} s, {events / max(secs, 0.1):,.0f}/s"
    reached = [summary.reached for summary in summaries if summary.reached is not None]
    return text + (f", back to {rfc3339(int(min(reached)))}" if reached else "")
