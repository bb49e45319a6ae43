"""Which source is polled when. Each has a thread, so one that hangs does not delay the others.

A stop does not wait for threads: everything they have that matters is in the state.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from helr.clock import Clock
from helr.engine.event_log import log_failure
from helr.engine.events import Failed, Observer, Polled, Recovered
from helr.engine.poll import Poller
from helr.errors import HeldError, OutputGoneError, PollError, StateError, Stopped
from helr.log import counted, for_source
from helr.model import Source
from helr.output import Output

_DRAIN_SECS = 1.5  # how long a stop waits for the block in the pipe …
_STOP_SECS = 1.7  # … and for the checkpoints too, when the state file is locked
_SAY_SECS = 0.1
STATE_TRIES = 5  # times that a one-shot run tries to write the state, a second apart
_TOGETHER_SECS = 0.1  # a signal to a whole pipeline ends its reader first: it counts as a signal

log = for_source("", "", "")


class _SignalledError(Exception):
    """A signal asked for a stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _News(msgspec.Struct, frozen=True):
    """A message to the main thread: a piece of work ended with that exit status, or an error ends
    everything."""

    status: int = 0
    error: Exception | None = None


_DIED = _News(PollError.exit_status)  # made beforehand: there may be no memory when it is needed


class Scheduler:
    """Polls sources until they are done (`once`) or a stop is requested."""

    def __init__(
        self, pollers: Sequence[Poller], output: Output, clock: Clock, observe: Observer
    ) -> None:
        self.pollers = pollers
        self._output = output
        self._clock = clock
        self._observe = observe
        self._news: queue.SimpleQueue[_News] = queue.SimpleQueue()
        self._failing: dict[str, tuple[int, float]] = {}  # source: failed polls, since when
        self._unrecorded = 0  # the exit status of a state that refuses the last checkpoints

    def stop(self, signal: int) -> None:
        """Request a stop."""
        self._news.put(_News(error=_SignalledError(signal)))

    def gone(self, error: OutputGoneError) -> None:
        """The output can no longer be used: everything ends."""
        self._clock.stop()
        self._news.put(_News(error=error))

    def run(self, *, once: bool) -> int:
        """The exit status, see docs/operations.md. Raises OutputGoneError."""
        if not once:
            self._output.watch()
            log.info("collecting from %s", _plan([poller.source for poller in self.pollers]))
        work = self._once if once else self._collect
        status, left = 0, len(self.pollers)
        try:
            for poller in self.pollers:
                threading.Thread(target=work, args=(poller,), daemon=True).start()
            while left:
                status = max(status, self._ended())
                left -= 1
            return max(status, self._finish(status))
        except _SignalledError as stop:
            cut_short = once and left > 0
            self._stop(stop.number, cut_short=cut_short)
            return 128 + stop.number if cut_short else max(status, self._unrecorded)
        except RuntimeError:  # no more threads: end in order, and record what was read
            self._clock.stop()
            within(_STOP_SECS, self._drain)
            raise

    def _ended(self) -> int:
        """Wait for the end of a piece of work; its exit status."""
        news = self._news.get()
        if isinstance(news.error, OutputGoneError):
            raise self._signal() or news.error
        if news.error:
            raise news.error
        return news.status

    def _signal(self) -> Exception | None:
        """A signal that comes together with the loss of the output, which it explains."""
        end = time.monotonic() + _TOGETHER_SECS
        with suppress(queue.Empty):
            while (left := end - time.monotonic()) > 0:
                error = self._news.get(timeout=left).error
                if isinstance(error, _SignalledError):
                    return error
        return None

    # -- the end of a one-shot run

    def _finish(self, status: int) -> int:
        """Wait until everything is settled and recorded; the status that this adds.

        `status`: of the polls; trouble with the state that they reported is not reported again.
        """
        told = status == StateError.exit_status
        threading.Thread(target=self._finally, args=(told,), daemon=True).start()
        return self._ended()

    def _finally(self, trouble_told: bool) -> None:
        try:
            self._settle(trouble_told)
        except Exception as error:  # noqa: BLE001 - the main thread waits for the end of this
            log_failure(log, error)
            self._news.put(_DIED)

    def _settle(self, trouble_told: bool) -> None:
        """In its own thread, as the main one waits for a stop: a locked state file takes time."""
        tries, told = STATE_TRIES - 1 if trouble_told else 0, False
        while True:
            try:
                wait = self._output.finish()
            except OutputGoneError as error:
                return self.gone(error)
            except StateError as error:
                tries, wait = tries + 1, 1.0
                self._unrecorded = _status(error)
                if tries == STATE_TRIES:
                    if not trouble_told:
                        log.failure(error)
                    return self._news.put(_News(self._unrecorded))
            else:
                self._unrecorded = 0
            if wait <= 0:
                return self._news.put(_News())
            if not told and not self._unrecorded:
                log.info("waiting %.3g s until the delivered events are settled", wait)
                told = True
            try:
                self._clock.sleep(wait)
            except Stopped:
                return None

    # -- polls

    def _once(self, poller: Poller) -> None:
        news: _News | None = _DIED
        try:
            outcome = self._visit(poller, once=True)
            news = None if isinstance(outcome, Stopped) else _News(_status(outcome))
        finally:  # the main thread always waits for this
            if news is not None:
                self._news.put(news)

    def _collect(self, poller: Poller) -> None:
        """Poll every `interval_secs` plus up to `jitter_secs`, counted from start to start."""
        schedule = poller.source.schedule
        while True:
            due = self._clock.monotonic() + schedule.interval_secs
            due += random.uniform(0, schedule.jitter_secs)  # noqa: S311 - no secret
            outcome: Exception | None = None
            with suppress(Exception):  # not enough memory to log an error: the next poll may
                outcome = self._visit(poller, once=False)
            if isinstance(outcome, HeldError):
                due = max(due, self._clock.monotonic() + outcome.secs)
            try:
                if isinstance(outcome, Stopped):
                    return
                self._clock.sleep(due - self._clock.monotonic())
            except Stopped:
                return

    def _visit(self, poller: Poller, *, once: bool) -> Exception | None:
        """One poll, with its events for the observer; returns what ended it, Stopped if everything
        ends."""
        began = time.monotonic()
        try:
            summary = poller.poll()
        except Stopped as stopped:
            return stopped
        except OutputGoneError as error:
            self.gone(error)
            return Stopped()
        except Exception as error:  # noqa: BLE001 - a defect must not end the other sources
            self._observe(Failed(poller.source, error))
            count, since = self._failing.get(poller.source.name, (0, time.monotonic()))
            self._failing[poller.source.name] = count + 1, since
            return error
        if summary.pages:
            self._recovered(poller.source)
        request = poller.position.next_request() if once and not summary.delivered else None
        self._observe(Polled(poller.source, summary, time.monotonic() - began, request))
        return None

    def _recovered(self, source: Source) -> None:
        """Log that a source works again, so that its last line is not an error."""
        count, since = self._failing.pop(source.name, (0, 0.0))
        if count:
            self._observe(Recovered(source, count, time.monotonic() - since))

    # -- the end by a signal

    def _stop(self, signal: int, *, cut_short: bool) -> None:
        """End within two seconds: finish the block in the pipe, record what is settled, no more.

        Each part has its own thread, which is abandoned if it takes too long: a locked state file,
        a standard error without a reader.
        """
        self._clock.stop()
        within(_STOP_SECS, self._drain)
        within(_SAY_SECS, lambda: self._say(signal, cut_short=cut_short))

    def _drain(self) -> None:
        try:
            self._output.drain(_DRAIN_SECS)
        except OutputGoneError as error:
            log.warning("%s", error.text)

    def _say(self, signal: int, *, cut_short: bool) -> None:
        early = " before the polls were finished; the next run continues" if cut_short else ""
        count = self._output.unconfirmed()
        are = "is" if count == 1 else "are"
        tail = f"; {counted(count, 'written event')} {are} unconfirmed and will be sent again"
        log.info("stopped by signal %d%s%s", signal, early, tail if count else "")


def _status(error: Exception | None) -> int:
    """The exit status that a poll, or the last checkpoint, leads to."""
    if error is None:
        return 0
    passing = StateError.exit_status
    return passing if getattr(error, "exit_status", 1) == passing else PollError.exit_status


def _plan(sources: Sequence[Source]) -> str:
    """The first few sources and how often each is polled."""
    each = [f"{source.name} every {source.schedule.interval_secs:g} s" for source in sources[:3]]
    more = f" and {len(sources) - 3} more" if len(sources) > 3 else ""
    return ", ".join(each) + more + (f"; {len(sources)} sources" if len(sources) > 1 else "")


def within(seconds: float, work: Callable[[], None]) -> None:
    """Do it in a separate thread, which is abandoned if it takes longer; in this thread if no
    other can be started."""
    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        thread.join(seconds)
    except RuntimeError:
        work()
