"""One visit to a source: at most `max_pages` pages, each fetched, decoded, cleared of duplicates,
written, delivered and only then checkpointed. The only place that knows this order.
"""

from __future__ import annotations

from typing import NamedTuple

from helr.clock import Clock
from helr.engine.events import Delivered, Observer, Summary
from helr.engine.position import Fresh, Position
from helr.engine.rejects import Rejects
from helr.http.retry import Retry
from helr.lines.envelope import Lines
from helr.log import for_source
from helr.messages import Request
from helr.model import Source
from helr.output import Lane
from helr.page.api_error import BadPageError, TokenRefusedError
from helr.page.decoder import Decoder
from helr.page.page import Page
from helr.pagination import More
from helr.state import SourceState
from helr.state.records import SUCCESS, Checkpoint
from helr.urls import safe_url


class Budget:
    """How much one poll may do, and what it has done so far."""

    def __init__(self, source: Source, clock: Clock) -> None:
        seconds = source.resilience.timeouts.poll_tick_secs
        self.deadline = None if seconds is None else clock.monotonic() + seconds
        self.summary = Summary()
        self._source = source
        self._clock = clock

    def spend(self, page: Page, fresh: Fresh, delivered: int) -> None:
        """Count a page that was delivered."""
        done = self.summary
        self.summary = Summary(
            pages=done.pages + 1,
            bytes=done.bytes + page.size,
            events=done.events + len(page.raws),
            delivered=done.delivered + delivered,
            more=isinstance(page.next, More),
            reached=fresh.times.reached if fresh.times else done.reached,
        )

    def exhausted(self, wait: float) -> str | None:
        """The limit that ends the poll before another page, `wait` seconds from now."""
        done, most = self.summary, self._source.max_bytes
        if done.pages >= self._source.pagination.max_pages:
            return "max_pages"
        if most is not None and done.bytes >= most:
            return "max_bytes"
        late = self.deadline is not None and self._clock.monotonic() + wait >= self.deadline
        return "poll_tick_secs" if late else None


class Parts(NamedTuple):
    """What fetches a source's next page and makes lines of it; it writes nothing."""

    retry: Retry
    decode: Decoder
    position: Position
    lines: Lines


class Poller:
    """One source and what its polls need; helr/engine/assemble.py makes it. The position in memory
    is the one delivered; the one in the state is also settled."""

    def __init__(
        self,
        source: Source,
        parts: Parts,
        state: SourceState,
        lane: Lane,
        rejects: Rejects,
        observe: Observer,
    ) -> None:
        self.source = source
        self.retry, self.decode, self.position, self.lines = parts
        self.state = state
        self.lane = lane
        self.rejects = rejects
        self.observe = observe
        self.clock = self.retry.client.clock
        self.log = for_source(source.name, source.label_key, source.label_value)
        self._stale = False  # whether the position is not yet that of the current state

    def poll(self) -> Summary:
        """Raises PollError (StateError, HeldError … among them), OutputGoneError, Stopped.

        After any of them, the position is that of the last delivered page.
        """
        self._follow_state()
        self.lane.ready()
        self.retry.check_held()
        budget = Budget(self.source, self.clock)
        try:
            self._poll(budget)
        except TokenRefusedError as error:
            self._start_over(error)
        except BadPageError as error:
            if self.source.on_parse_error != "skip":
                raise
            skipped = "skipping this page, which the next poll requests again: %s"
            self.log.warning(skipped, error.text)
        return budget.summary

    def _poll(self, budget: Budget) -> None:
        while True:
            with self._fetch(self.position.next_request(), budget) as page:
                fresh = self.position.fresh(page)
                lines, count = self.lines.build(page, fresh.keep)
                self.rejects.keep(fresh.rejects, page)
                advance = self.position.after(page, fresh)
                self.lane.deliver(lines, advance.checkpoint)
                self.position.adopt(advance)
            budget.spend(page, fresh, count)
            self.observe(Delivered(self.source, budget.summary))
            self.lane.ready()
            if advance.circles:
                raise self._circle()
            ended = advance.ended
            del page, fresh, lines, advance  # or it is in memory beside the next page
            delay = self.source.resilience.rate_limit.page_delay_secs
            limit = budget.exhausted(max(delay, self.retry.client.pace.wait()[0]))
            if ended:
                return None
            if limit:
                return self._pause(limit)
            self.clock.sleep(delay)

    def _fetch(self, request: Request, budget: Budget) -> Page:
        for attempt in self.retry.attempts(until=budget.deadline):
            with attempt:
                return self.decode(attempt.send(request), looks_for_more=self.position.is_new)
        raise AssertionError("an attempt that fails for good raises")

    def _pause(self, limit: str) -> None:
        """The poll ends before its chain."""
        self.log.debug("%s reached; the next poll continues from here", limit)
        self.lane.record(Checkpoint(values={SUCCESS: str(int(self.clock.now()))}))

    def _circle(self) -> TokenRefusedError:
        return TokenRefusedError(
            "the API returned a next cursor that it had already returned in this chain; it may not "
            "know the parameter that the cursor is sent in",
            200,
            None,
            where=safe_url(self.source.url),
            do="check pagination; with on_cursor_error: reset, the next poll starts from the first "
            "page",
            source=self.source.name,
        )

    def _start_over(self, error: TokenRefusedError) -> None:
        """`reset`: start over at the next poll, which is a warning; `fail`: nothing changes."""
        if self.source.on_cursor_error != "reset":
            raise error
        self.log.warning(
            "%s: %s; restarting from the first page and keeping the watermark "
            "(on_cursor_error: reset)",
            error.where,
            error.what,
        )
        advance = self.position.reset()
        self.lane.record(advance.checkpoint)
        self.position.adopt(advance)
        self.lane.ready()

    def _follow_state(self) -> None:
        """Where the state file was deleted, write all of it again; where it was replaced, obey the
        new one."""
        if self.state.is_current() and not self._stale:
            return
        self._stale = True  # until all of it is done, as any step may fail
        self.lane.rebase(None)
        self.state.accept()
        there = self.state.load()
        if there.values or there.marks:
            self.log.warning("the state file was replaced: continuing from what it says")
            position = self.position
            self.position = Position(self.source, position.pagination, there, self.state.ids)
        else:
            self.log.warning("the state file was deleted: writing it again")
            checkpoint = self.position.everything()
            checkpoint.values |= self.retry.held_back()
            self.lane.rebase(checkpoint)
        self._stale = False
