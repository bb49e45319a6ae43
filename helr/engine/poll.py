"""One visit to a source: at most `max_pages` pages, each fetched, decoded, cleared of duplicates,
written, delivered and only then checkpointed. The only place that knows this order.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import msgspec

from helr.clock import Clock
from helr.engine.position import Fresh, Move, Progress
from helr.engine.rejects import Rejects
from helr.http import Transport
from helr.http.messages import Request
from helr.lines.envelope import Lines
from helr.log import for_source
from helr.model import Source
from helr.output import Batch, Output
from helr.page.decoder import BadPageError, CursorRefusedError, Decoder, Page
from helr.pagination import open_paginator
from helr.state import Checkpoint, Store
from helr.urls import safe_url


class Summary(msgspec.Struct):
    """What one poll did. `more`: the chain goes on in the next poll.

    `reached`: the time of the last event so far, which tells how far back it has come.
    """

    pages: int = 0
    bytes: int = 0
    events: int = 0
    delivered: int = 0
    more: bool = False
    reached: float | None = None


class Poller:
    """One source and what its polls need. The position in memory is the one written; the one in
    the state is delivered and settled. Raises StateError when the state cannot be read."""

    def __init__(
        self, source: Source, transport: Transport, output: Output, store: Store, clock: Clock
    ) -> None:
        self.source = source
        self.transport = transport
        self.output = output
        self.store = store
        self.clock = clock
        self.lines = Lines(source)
        self.paginator = open_paginator(source.pagination)
        self._generation = store.generation()
        self.progress = self._load()
        paths = [*self.progress.paths, *self.lines.paths]
        self.decode = Decoder(source, self.paginator.cursor_path, paths)
        self.log = for_source(source.name, source.label_key, source.label_value)
        kept = f"{store.path}.rejected" if store.path else None
        self.rejects = Rejects(source.name, kept, self.log)
        self.summary = Summary()  # of the poll under way

    def _load(self) -> Progress:
        name = self.source.name
        stored = self.store.load(name)
        return Progress(self.source, self.paginator, stored, lambda: self.store.ids(name))

    def poll(self) -> Summary:
        """Raises PollError (StateError, HeldError … among them), OutputGoneError, Stopped.

        Whatever is raised, the position is that of the last delivered page.
        """
        self._same_state()
        self.output.ready(self.source.name)
        self.transport.check_held()
        summary, deadline = Summary(), self._deadline()
        self.summary = summary
        while True:
            try:
                refused = self._page(summary, deadline)
            except CursorRefusedError as error:
                refused = error
            except BadPageError as error:
                if self.source.on_parse_error != "skip":
                    raise
                self.log.warning("%s: skipped; it is asked for again", error)
                return summary
            self.output.ready(self.source.name)
            if refused:
                return self._refused(refused, summary)
            delay = self.source.resilience.rate_limit.page_delay_secs
            if self._over(summary, deadline, max(delay, self.transport.pause()[0])):
                if summary.more:
                    self._record(Move(self.progress.position, Checkpoint(values=self._success())))
                return summary
            self.clock.sleep(delay)

    def _same_state(self) -> None:
        """Where the state file was deleted, write all anew; where it was replaced, obey the new."""
        generation = self.store.generation()
        if generation == self._generation:
            return
        self.output.restate(self.source.name, None)
        self.store.accept(self.source.name)
        there = self.store.load(self.source.name)
        if there.values or there.marks:
            self.log.warning("the state file was replaced: going on from what it says")
            self.progress = self._load()
        else:
            self.log.warning("the state file was deleted: writing it anew")
            self.output.restate(self.source.name, self.progress.everything())
        self._generation = generation

    def _page(self, summary: Summary, deadline: float | None) -> CursorRefusedError | None:
        """One page, whose memory is free again when this returns; see `_deliver`."""
        new = self.progress.position.watermark is None or not self.progress.told.saw_an_end
        self.decode.looks_for_more = new  # later pages say no more about the config
        request = self.progress.request()
        page = self.transport.fetch(request, self.decode, deadline=deadline)
        return self._deliver(request, page, summary)

    def _deliver(self, request: Request, page: Page, summary: Summary) -> CursorRefusedError | None:
        """Deliver and checkpoint a page; an error when its next cursor leads in a circle."""
        try:
            fresh = self.progress.fresh(page)
            lines, count = self.lines.build(page, fresh.keep)
            if page.rejects:
                lines = self._set_aside(page, fresh, lines)
            move = self.progress.after(request, page, fresh)
            loops = self.progress.loops(page)
            if page.cursor is None:  # the chain's end is the poll's: one commit for both
                move.checkpoint.values |= self._success()
            self.output.deliver(Batch(self.source.name, lines, fresh.keys, move.checkpoint))
            self.progress.adopt(move)
        finally:
            page.release()
        summary.pages += 1
        summary.bytes += page.size
        summary.events += len(page.raws)
        summary.delivered += count
        if fresh.times:
            summary.reached = fresh.times.reached
        return self._circle() if loops else None

    def _set_aside(self, page: Page, fresh: Fresh, lines: Iterable[bytes]) -> Iterable[bytes]:
        """Keep what is not an event; an empty line is nothing, but its key is remembered."""
        if rejects := self.progress.fresh_rejects(page, fresh):
            self.rejects.keep(rejects, safe_url(self.source.url), page.received)
        return chain(lines, [b""] * len(rejects)) if self.source.dedupe else lines

    def _circle(self) -> CursorRefusedError:
        return CursorRefusedError(
            f"{self.source.name}: {safe_url(self.source.url)}: the API gave a next cursor that it "
            "has already given in this chain, which would never end: check "
            "pagination.cursor_param, which the API may not know; with on_cursor_error: reset the "
            "next poll starts from the first page",
            200,
            None,
        )

    def _refused(self, error: CursorRefusedError, summary: Summary) -> Summary:
        """`reset`: start over at the next poll, which is a warning; `fail`: nothing changes."""
        if self.source.on_cursor_error != "reset":
            raise error
        self.log.warning("%s: that is set, so it does; the watermark stands", error)
        self._record(self.progress.reset())
        self.output.ready(self.source.name)
        return summary

    def _record(self, move: Move) -> None:
        self.output.deliver(Batch(self.source.name, [], [], move.checkpoint))
        self.progress.adopt(move)

    def _success(self) -> dict[str, str | None]:
        """The time of the last success, which `helr status` tells."""
        return {"success": str(int(self.clock.now()))}

    def _deadline(self) -> float | None:
        seconds = self.source.resilience.timeouts.poll_tick_secs
        return None if seconds is None else self.clock.monotonic() + seconds

    def _over(self, summary: Summary, deadline: float | None, delay: float) -> bool:
        """Whether the poll ends here: the chain does, or a limit of the poll is reached.

        `delay`: seconds before the next page.
        """
        summary.more = self.progress.position.cursor is not None
        most, next_at = self.source.max_bytes, self.clock.monotonic() + delay
        limit = (
            ("max_pages" if summary.pages >= self.source.pagination.max_pages else None)
            or ("max_bytes" if most is not None and summary.bytes >= most else None)
            or ("poll_tick_secs" if deadline and next_at >= deadline else None)
        )
        if summary.more and limit:
            self.log.debug("%s reached; the next poll goes on from here", limit)
        return not summary.more or limit is not None
