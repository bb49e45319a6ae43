"""Which source is polled when. A thread for each, so that one that hangs holds up no other.

Threads are never waited for when a stop is asked for: they hold nothing that is not in the state.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from helr.clock import Clock
from helr.engine.poll import Poller, Summary
from helr.errors import HeldError, OutputGoneError, PollError, StateError, Stopped
from helr.http import Transport
from helr.log import Log, counted, for_source, lasting
from helr.model import Source
from helr.output import Output
from helr.state import SourceNotes, Store

PAGES_IN_MEMORY = 4
_DRAIN_SECS = 1.5  # how long a stop waits for the block in the pipe …
_STOP_SECS = 1.7  # … and for the checkpoints too, when the state file is locked
_SAY_SECS = 0.1
STATE_TRIES = 5  # times that a one-shot run tries to write the state, a second apart
_TOGETHER_SECS = 0.1  # a signal to a whole pipeline ends its reader first: it counts as a signal

_DIED = PollError("")  # made beforehand: there may be no memory when it is needed

log = for_source("", "", "")


class _SignalledError(Exception):
    """A signal asked for a stop."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Collector:
    """Polls sources until they are done (`once`) or a stop is asked for.

    `connect`: makes the transport of a source; a recorder or a replay has its own.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        output: Output,
        store: Store,
        clock: Clock,
        connect: Callable[..., Transport] = Transport,
    ) -> None:
        self._output = output
        self._clock = clock
        self._connect = connect
        slots = threading.BoundedSemaphore(PAGES_IN_MEMORY)
        self._pollers = [self._poller(source, store, slots) for source in sources]
        self._events: queue.SimpleQueue[OutputGoneError | Summary | PollError | int] = (
            queue.SimpleQueue()
        )
        self._failing: dict[str, tuple[int, float]] = {}  # source: failed polls, since when
        self._unrecorded = 0  # the exit status of a state that refuses the last checkpoints

    def _poller(self, source: Source, store: Store, slots: threading.BoundedSemaphore) -> Poller:
        notes = SourceNotes(store, source.name, store.load(source.name).values)
        transport = self._connect(source, clock=self._clock, notes=notes, slots=slots)
        return Poller(source, transport, self._output, store, transport.clock)

    def summaries(self) -> list[Summary]:
        """What the poll under way of each source has done so far."""
        return [poller.summary for poller in self._pollers]

    def stop(self, signal: int) -> None:
        """Ask for a stop."""
        self._events.put(signal)

    def gone(self, error: OutputGoneError) -> None:
        """The output cannot be used any more: everything ends."""
        self._clock.stop()
        self._events.put(error)

    def run(self, *, once: bool) -> int:
        """The exit status, see docs/operations.md. Raises OutputGoneError."""
        if not once:
            self._output.watch()
            log.info("collecting from %s", _plan([poller.source for poller in self._pollers]))
        work = self._once if once else self._collect
        status, left = 0, len(self._pollers)
        try:
            for poller in self._pollers:
                threading.Thread(target=work, args=(poller,), daemon=True).start()
            while left:
                status = max(status, _status(self._event()))
                left -= 1
            return max(status, self._finish(status))
        except _SignalledError as stop:
            cut_short = once and left > 0
            self._stop(stop.number, cut_short=cut_short)
            return 128 + stop.number if cut_short else max(status, self._unrecorded)
        except RuntimeError:  # no thread is to be had: end in order, what is read is recorded
            self._clock.stop()
            within(_STOP_SECS, self._drain)
            raise

    def _event(self, timeout: float | None = None) -> Summary | PollError | None:
        """What happened to a source; None when nothing did for that many seconds."""
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(event, int):
            raise _SignalledError(event)
        if isinstance(event, OutputGoneError):
            self._event(_TOGETHER_SECS)
            raise event
        return event

    def _finish(self, status: int) -> int:
        """Wait until everything is settled and recorded; the status that this adds.

        `status`: of the polls; trouble with the state that they told is not told again.
        """
        told = status == StateError.exit_status
        threading.Thread(target=self._finally, args=(told,), daemon=True).start()
        return _status(self._event())

    def _finally(self, trouble_told: bool) -> None:
        try:
            self._settle(trouble_told)
        except Exception as error:  # noqa: BLE001 - the main thread waits for the end of this
            _tell(log, error)
            self._events.put(_DIED)

    def _settle(self, trouble_told: bool) -> None:
        """Beside the main thread, which listens for a stop: a locked state file takes its time."""
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
                        log.error("%s", error)
                    return self._events.put(error)
            else:
                self._unrecorded = 0
            if wait <= 0:
                return self._events.put(Summary())
            if not told and not self._unrecorded:
                log.info("waiting %.3g s until what was read is settled", wait)
                told = True
            try:
                self._clock.sleep(wait)
            except Stopped:
                return None

    def _once(self, poller: Poller) -> None:
        outcome: Summary | PollError | None = _DIED
        try:
            outcome = self._visit(poller)
            if isinstance(outcome, Summary) and outcome.pages and not outcome.delivered:
                _say_nothing_new(poller, outcome)
        finally:  # whatever happens, the main thread waits for this
            if outcome is not None:
                self._events.put(outcome)

    def _collect(self, poller: Poller) -> None:
        """Poll every `interval_secs` plus up to `jitter_secs`, counted from start to start."""
        schedule = poller.source.schedule
        while True:
            due = self._clock.monotonic() + schedule.interval_secs
            due += random.uniform(0, schedule.jitter_secs)  # noqa: S311 - no secret
            outcome: Summary | PollError | None = _DIED
            with suppress(Exception):  # no memory is left to tell of an error: the next poll may
                outcome = self._visit(poller)
            if outcome is None:
                return
            if isinstance(outcome, HeldError):
                due = max(due, self._clock.monotonic() + outcome.secs)
            try:
                self._clock.sleep(due - self._clock.monotonic())
            except Stopped:
                return

    def _visit(self, poller: Poller) -> Summary | PollError | None:
        """One poll, and what came of it in the log; None when everything ends."""
        began = time.monotonic()
        try:
            summary = poller.poll()
        except Stopped:
            return None
        except OutputGoneError as error:
            self.gone(error)
            return None
        except PollError as error:
            poller.log.error("%s", error)
            return self._failed(poller, error)
        except Exception as error:  # noqa: BLE001 - a defect must not end the other sources
            _tell(poller.log, error)
            return self._failed(poller, PollError(str(error)))
        if summary.pages:
            self._recovered(poller)
        say = poller.log.info if summary.delivered else poller.log.debug
        say(
            "%s, %s, %d delivered in %.2f s%s",
            counted(summary.pages, "page"),
            counted(summary.events, "event"),
            summary.delivered,
            time.monotonic() - began,
            "; more in the next poll" if summary.more else "",
            fields={"events": summary.events, "delivered": summary.delivered},
        )
        return summary

    def _failed(self, poller: Poller, error: PollError) -> PollError:
        count, since = self._failing.get(poller.source.name, (0, time.monotonic()))
        self._failing[poller.source.name] = count + 1, since
        return error

    def _recovered(self, poller: Poller) -> None:
        """Say so when the poll before this one failed: the last word on a source is no error."""
        count, since = self._failing.pop(poller.source.name, (0, 0.0))
        if count:
            secs = time.monotonic() - since
            poller.log.info(
                "works again after %s in %s",
                counted(count, "failed poll"),
                lasting(secs),
                fields={"failures": count, "failing_secs": round(secs, 3)},
            )

    def _stop(self, signal: int, *, cut_short: bool) -> None:
        """End within two seconds: the block in the pipe, what is settled, and not a thing more.

        Each part has a thread of its own, which is left behind if it takes too long: a locked
        state file, a standard error that nobody reads.
        """
        self._clock.stop()
        within(_STOP_SECS, self._drain)
        within(_SAY_SECS, lambda: self._say(signal, cut_short=cut_short))

    def _drain(self) -> None:
        try:
            self._output.drain(_DRAIN_SECS)
        except OutputGoneError as error:
            log.warning("%s", error)

    def _say(self, signal: int, *, cut_short: bool) -> None:
        early = " before the polls were finished; the next run continues" if cut_short else ""
        again = self._output.again()
        were = "was" if again == 1 else "were"
        tail = f"; {counted(again, 'event')} that {were} written will come again" if again else ""
        log.info("stopped by signal %d%s%s", signal, early, tail)


def _status(outcome: Summary | PollError | None) -> int:
    """The exit status that a poll, or the last checkpoint, leads to."""
    if not isinstance(outcome, PollError):
        return 0
    passing = StateError.exit_status
    return passing if outcome.exit_status == passing else PollError.exit_status


def _plan(sources: Sequence[Source]) -> str:
    """The first few sources and how often each is polled."""
    each = [f"{source.name} every {source.schedule.interval_secs:g} s" for source in sources[:3]]
    more = f" and {len(sources) - 3} more" if len(sources) > 3 else ""
    return ", ".join(each) + more + (f"; {len(sources)} sources" if len(sources) > 1 else "")


def _say_nothing_new(poller: Poller, summary: Summary) -> None:
    """A one-shot run that delivered nothing: somebody may wonder why."""
    if not poller.log.isEnabledFor(logging.INFO):
        return
    if summary.events:
        pages, events = counted(summary.pages, "page"), counted(summary.events, "event")
        more = "; more in the next poll" if summary.more else ""
        poller.log.info("%s, %s, none of them new%s", pages, events, more)
        return
    from helr.vendors import hints

    poller.log.info("no events: %s", hints.no_events(poller.source, poller.progress.request()))


def _tell(source_log: Log, error: Exception) -> None:
    """Say what the machine lacks, or tell a defect with its traceback."""
    from helr import shortages

    lacking = shortages.advice(error)
    if lacking:
        source_log.error("%s", lacking)
    else:
        source_log.error("internal error, please report it: %r", error, exc_info=error)


def within(seconds: float, work: Callable[[], None]) -> None:
    """Do it in a thread of its own, which is left behind if it takes longer; where there is no
    thread to be had, in this one."""
    thread = threading.Thread(target=work, daemon=True)
    try:
        thread.start()
        thread.join(seconds)
    except RuntimeError:
        work()
