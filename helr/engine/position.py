"""The position of one source, in memory: its point, the edge, delivered ids, resets.

Pure bookkeeping: it says what to request next, which events of a page are fresh, and what the page
changes: a value (`Advance`) with the one checkpoint that records it. Nothing changes here until
`adopt` is called, after the page was delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import floor

import msgspec

from helr.engine import dedupe, watermark
from helr.engine.mismatches import Mismatches
from helr.engine.request import first_request, next_request, start_of
from helr.errors import DamagedStateError, StateError
from helr.log import for_source
from helr.messages import Request
from helr.model import Source
from helr.numbers import whole
from helr.page.page import Page, Reject
from helr.pagination import BadTokenError, Keep, More, Pagination
from helr.state import provenance, records
from helr.state.records import Chain, Checkpoint, Stored, read_chain
from helr.timestamps import earlier, instant

_STUCK = 2  # resets in a row without a finished chain before a warning


class Point(msgspec.Struct):
    """The watermark, and the token and chain of an unfinished chain.

    `since`: an instant before the watermark, from which the next chain's lookback counts; None if
    that is the watermark itself.
    """

    watermark: str | None = None
    token: str | None = None
    chain: Chain | None = None
    since: float | None = None

    def start(self, lookback_secs: float) -> str | None:
        """The watermark minus the lookback, in the watermark's spelling."""
        at = instant(self.watermark)
        if self.watermark is None or not lookback_secs or at is None:
            return self.watermark
        behind = max(at - self.since, 0) if self.since is not None else 0
        return earlier(self.watermark, lookback_secs + behind) or self.watermark


class Fresh(msgspec.Struct):
    """What was not delivered before of a page.

    `keep`: indexes of those events, None for all. `keys`: the key of each of them and of each of
    the `rejects`, empty without dedupe. `times`: of all the page's events.
    """

    keep: list[int] | None
    keys: list[str | None]
    times: watermark.Times | None
    rejects: Sequence[Reject] = ()


class Advance(msgspec.Struct):
    """What a page, or a reset, changes once it is delivered, and the checkpoint that records it.

    `edge`: new marks at the watermark's edge, `edge_below`: older ones are forgotten. `ended`: the
    poll ends with it. `circles`: the page's token was already returned in this chain.
    """

    point: Point
    checkpoint: Checkpoint
    ended: bool = True
    circles: bool = False
    resets: int = 0
    edge: watermark.Marks = {}
    edge_below: float | None = None


class Position:
    """`ids`: reads the delivered ids; called only when they are first needed."""

    def __init__(
        self, source: Source, pagination: Pagination, stored: Stored, ids: Callable[[], list[str]]
    ) -> None:
        self.source = source
        self.pagination = pagination
        self._log = for_source(source.name, source.label_key, source.label_value)
        self._incremental = source.incremental_from
        self._load_ids = ids
        self._seen: dedupe.Seen | None = None
        self._capacity = source.dedupe.capacity if source.dedupe else 0
        self._warned = False
        self.mismatches = Mismatches(source, self._log)
        values = stored.values
        self._api = values.get(records.API)  # where all this comes from; the Rust helr records none
        if warning := provenance.another(source, values):
            self._log.warning("%s", warning)
        self._trouble: StateError | None = None  # only of this source: its polls report it
        self.point = Point(
            values.get(self._incremental.state_key) if self._incremental else None,
            values.get(pagination.state_key),
            self._chain(values.get(records.CHAIN)),
            instant(values.get(records.LOOKBACK_FROM)),
        )
        self.resets = whole(values.get(records.RESETS), 1000) or 0
        self.edge = watermark.Edge(watermark.unpacked(stored.marks))
        self.tokens = {mark for kind, mark, _ in stored.marks if kind == records.TOKEN_MARK}

    def _chain(self, text: str | None) -> Chain | None:
        try:
            return read_chain(text) if text else None
        except ValueError:
            self._trouble = DamagedStateError(
                "the chain in the state was not written by helr",
                do=f"run `helr state reset {self.source.name}` to start over",
                source=self.source.name,
            )
            return None

    @property
    def paths(self) -> list[str]:
        """The event fields that this needs from a page."""
        incremental, unique = self._incremental, self.source.dedupe
        return ([incremental.event_timestamp_path] if incremental else []) + (
            list(unique.id_paths) if unique else []
        )

    @property
    def is_new(self) -> bool:
        """Whether a response may still reveal a mismatch with the configuration."""
        return self.point.watermark is None or not self.mismatches.saw_an_end

    # -- what to request

    def next_request(self) -> Request:
        """Raises StateError if helr did not write the state."""
        if self._trouble:
            raise self._trouble
        try:
            return self._next_request()
        except BadTokenError as error:
            name = self.source.name
            raise DamagedStateError(str(error), do=error.do, source=name) from None

    def _next_request(self) -> Request:
        point = self.point
        if point.token is None:
            lookback = self._incremental.lookback_secs if self._incremental else 0
            return first_request(self.source, self.pagination, point.start(lookback))
        if point.chain is None:
            self._log.info(
                "the cursor in the state has no chain record (the Rust helr wrote it); continuing "
                "with it, without the start of its chain"
            )
            point.chain = Chain()
        return next_request(self.source, self.pagination, point.token, point.chain.start)

    # -- what is fresh

    def fresh(self, page: Page) -> Fresh:
        """What to deliver of the page."""
        times = self._times(page) if page.raws else None
        keep = self._beyond_the_edge(page, times)
        keys, ids = list[str | None](), list[str | None]()
        if self.source.dedupe and page.raws and keep != []:
            ids = self._keys(page, times)
            keep, keys = self._unseen(page, ids, keep)
        self.mismatches.look(page, ids)
        rejects = list(page.rejects)
        if self.source.dedupe and rejects:
            rejects, more = self._unseen_rejects(rejects)
            keys = [*keys, *more]
        return Fresh(keep, keys, times, rejects)

    def _beyond_the_edge(self, page: Page, times: watermark.Times | None) -> list[int] | None:
        repeats = self.edge.repeats(page.raws, times) if times else set[int]()
        return [i for i in range(len(page.raws)) if i not in repeats] if repeats else None

    def _unseen(
        self, page: Page, ids: list[str | None], keep: list[int] | None
    ) -> tuple[list[int] | None, list[str | None]]:
        """The rest of `keep`, and its keys."""
        places = range(len(page.raws)) if keep is None else keep
        keys = ids if keep is None else [ids[index] for index in keep]

        def same(one: int, other: int) -> bool:
            return self.mismatches.same(page, places[one], places[other], keys[one] or "")

        new = self.seen.fresh(keys, same)
        if new is None:
            return keep, keys
        return [places[index] for index in new], [keys[index] for index in new]

    def _unseen_rejects(self, rejects: list[Reject]) -> tuple[list[Reject], list[str | None]]:
        """What was set aside for the first time; its keys are remembered like those of events."""
        keys: list[str | None] = [dedupe.key_of_bytes(reject.text) for reject in rejects]
        new = self.seen.fresh(keys, lambda one, other: False)  # identical ones on a page are kept
        if new is None:
            return rejects, keys
        return [rejects[index] for index in new], [keys[index] for index in new]

    def _keys(self, page: Page, times: watermark.Times | None) -> list[str | None]:
        """What identifies each event: its id, and its time if known: ids that are unique only
        together with the time are common, and the id alone would lose events."""
        assert self.source.dedupe
        paths = self.source.dedupe.id_paths
        keys = dedupe.composite_keys([page.column(path) for path in paths])
        if not times or not self._incremental or self._incremental.event_timestamp_path in paths:
            return keys
        return self.seen.timed(keys, times.instants)

    @property
    def seen(self) -> dedupe.Seen:
        if self._seen is None:
            # the newest: an id that was forgotten and delivered again may be there twice
            self._seen = dedupe.Seen(self._capacity, self._load_ids()[-self._capacity :])
        return self._seen

    def _times(self, page: Page) -> watermark.Times | None:
        if not self._incremental:
            return None
        path = self._incremental.event_timestamp_path
        values, plain = page.column(path), page.seconds(path) is not None
        return watermark.read(self._log, values, page.received, whole=plain)

    # -- what a page changes

    def after(self, page: Page, fresh: Fresh) -> Advance:
        """What the page changes once it is delivered."""
        chain = self._continued(page, fresh.times)
        circles = self._circles(page)
        point = self.point if circles else self._moved(page, chain)
        advance = self._advance(point, finished=isinstance(page.next, Keep))
        advance.circles = circles
        advance.ended = not isinstance(page.next, More)
        if isinstance(page.next, Keep):
            advance.checkpoint.forget = [(records.TOKEN_MARK, None)]
        checkpoint = advance.checkpoint
        checkpoint.ids = fresh.keys
        if fresh.times:
            self._mark_edge(advance, page, fresh.times)
        self._name_api(checkpoint)
        if advance.ended and not circles:  # the chain's end is the poll's: one commit for both
            checkpoint.values[records.SUCCESS] = str(int(page.received))
        return advance

    def _continued(self, page: Page, times: watermark.Times | None) -> Chain:
        """The chain with this page."""
        before = self.point.chain
        chain = msgspec.structs.replace(before or self._begun(page, times))
        chain.events += len(page.raws)
        if times and times.after(chain.greatest):
            chain.greatest, chain.spelled = times.greatest, times.spelled
        if times and times.reached is not None:
            chain.reached = times.reached
        self._warn_capacity(chain)
        return chain

    def _begun(self, page: Page, times: watermark.Times | None) -> Chain:
        feed = self.source.pagination.keep  # which accepts no start beside its token
        start = None if feed else start_of(self.source, page.response.request)
        return Chain(start, began=page.received, first=times.greatest if times else None)

    def _circles(self, page: Page) -> bool:
        """Whether the page's next token was already returned in this chain."""
        token = page.token
        if isinstance(page.next, Keep):
            return page.next.named and token == self.point.token and bool(page.raws)
        return token is not None and (token == self.point.token or _short(token) in self.tokens)

    def _moved(self, page: Page, chain: Chain) -> Point:
        if isinstance(page.next, Keep):  # a feed: its list has ended, and its token is kept
            return Point(_later(self.point.watermark, chain), page.token, Chain())
        if page.token is None:
            return self._finished(chain)
        return Point(self.point.watermark, page.token, chain, self.point.since)

    def _finished(self, chain: Chain) -> Point:
        """Where the next chain begins. Events that the API added while this chain was read may be
        older than its last page. So with lookback_secs, the next chain looks back from what the API
        can have returned when this one began, if reading it all again repeats nothing."""
        mark = _later(self.point.watermark, chain)
        at, incremental = instant(mark), self._incremental
        if at is None or incremental is None or not incremental.lookback_secs:
            return Point(mark)
        since = chain.began
        if self.source.dedupe and chain.events <= self._capacity:
            known = (instant(self.point.watermark), chain.first)
            since = max((each for each in known if each is not None), default=chain.began)
        return Point(mark, since=since if since is not None and since < at else None)

    def _advance(self, point: Point, *, finished: bool = False) -> Advance:
        """An advance to another point, with a checkpoint that records only that. `finished`: it is
        the end of a list, although there is a token."""
        before, changes = self.point, dict[str, str | None]()
        checkpoint = Checkpoint(values=changes, capacity=self._capacity)
        if point.token != before.token:
            changes[self.pagination.state_key] = point.token
            if point.token is None:
                checkpoint.forget = [(records.TOKEN_MARK, None)]
            else:
                checkpoint.marks = [(records.TOKEN_MARK, _short(point.token), 0)]
        if point.chain != before.chain:
            changes[records.CHAIN] = point.chain.dump() if point.chain else None
        if self._incremental and point.watermark != before.watermark:
            changes[self._incremental.state_key] = point.watermark
        if point.since != before.since:
            changes[records.LOOKBACK_FROM] = None if point.since is None else f"{point.since:.6f}"
        resets = 0 if finished or point.token is None else self.resets
        if resets != self.resets:
            changes[records.RESETS] = None
        return Advance(point, checkpoint, resets=resets)

    def _mark_edge(self, advance: Advance, page: Page, times: watermark.Times) -> None:
        """Remember the events at or past the edge. Those now behind it are forgotten at the end of
        the chain, because its next pages may repeat them."""
        checkpoint = advance.checkpoint
        chain = None if advance.ended else advance.point.chain
        checkpoint.at = times.latest if times.greatest is None else times.greatest
        edge = _second(chain.greatest if chain else instant(advance.point.watermark))
        since = floor(page.received) if edge is None else edge
        advance.edge = self.edge.marks_from(since, page.raws, times)
        checkpoint.marks = checkpoint.marks + watermark.packed(advance.edge)
        if edge is not None and not chain and self.edge.behind(edge):
            advance.edge_below = edge
            checkpoint.forget = [*checkpoint.forget, (records.EDGE_MARK, edge)]

    def _name_api(self, checkpoint: Checkpoint) -> None:
        """The first checkpoint that changes anything records its API, and so does the first page
        from another API."""
        moves = self._api or checkpoint.values or checkpoint.marks or checkpoint.ids
        now = provenance.address(self.source)
        if (self._incremental or self.source.dedupe) and moves and now != self._api:
            checkpoint.values[records.API] = now

    def reset(self) -> Advance:
        """The token was refused: token and chain are dropped, the watermark is kept."""
        advance = self._advance(Point(self.point.watermark, since=self.point.since))
        advance.resets = self.resets + 1
        advance.checkpoint.values[records.RESETS] = str(advance.resets)
        if advance.resets >= _STUCK:
            self._log.warning(
                "%d cursor resets in a row without finishing a chain: cursors expire before the "
                "chain has been read; raise query_params.limit or pagination.max_pages",
                advance.resets,
            )
        return advance

    def adopt(self, advance: Advance) -> None:
        """The advance was delivered: it is the source's position now."""
        before, self.point = self.point.token, advance.point
        checkpoint = advance.checkpoint
        if checkpoint.ids:
            self.seen.add(checkpoint.ids, checkpoint.at)
        if advance.ended:
            self.tokens.clear()
        if advance.point.token is not None and advance.point.token != before:
            self.tokens.add(_short(advance.point.token))
        if advance.edge_below is not None:
            self.edge.forget(advance.edge_below)
        self.edge.add(advance.edge)
        self._api = checkpoint.values.get(records.API, self._api)
        self.resets = advance.resets

    def everything(self) -> Checkpoint:
        """One checkpoint of all this, for a state file that was lost."""
        here, self.point = self.point, Point()
        checkpoint = self._advance(here).checkpoint
        self.point = here
        checkpoint.ids = list(self.seen.ids) if self.source.dedupe else []
        checkpoint.marks = watermark.packed(self.edge.marks)
        checkpoint.marks += [(records.TOKEN_MARK, mark, 0) for mark in self.tokens]
        if self.resets:
            checkpoint.values[records.RESETS] = str(self.resets)
        if self._api:
            checkpoint.values[records.API] = self._api
        return checkpoint

    def _warn_capacity(self, chain: Chain) -> None:
        if self.source.dedupe and chain.events > self._capacity and not self._warned:
            self._warned = True
            self._log.warning(
                "a chain of more than %d events is longer than dedupe.capacity: after a reset, "
                "or with lookback_secs, events may be delivered twice; set capacity to %d or more",
                self._capacity,
                2 * chain.events,
            )


def _later(mark: str | None, chain: Chain) -> str | None:
    """The watermark of a finished chain: it never moves back."""
    before = instant(mark)
    if chain.greatest is None or (before is not None and before >= chain.greatest):
        return mark
    return chain.spelled


def _second(at: float | None) -> float | None:
    return None if at is None else floor(at)


def _short(token: str) -> bytes:
    return blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest()
