"""How far one source has come, in memory: its position, the edge, delivered ids, resets.

Pure bookkeeping: a page goes in, what of it is fresh comes out, and the checkpoint that records
the page. Nothing here changes before `adopt` is told that the page was delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import floor

import msgspec

from helr.engine import dedupe, watermark
from helr.engine.mismatches import Told
from helr.engine.rejects import Reject
from helr.errors import DamagedStateError, StateError
from helr.http.messages import Request
from helr.log import for_source
from helr.model import Source
from helr.numbers import whole
from helr.page.decoder import Page
from helr.pagination import Chain, Paginator, Position, next_request, read_chain, start_of
from helr.state import Checkpoint, Stored, provenance
from helr.timestamps import instant

_STUCK = 2  # resets in a row without a finished chain that are worth a warning


class Fresh(msgspec.Struct):
    """What a page holds that was not delivered before.

    `keep`: indexes of those events, None for all. `keys`: their ids, empty without dedupe.
    """

    keep: list[int] | None
    keys: list[str | None]
    times: watermark.Times | None


class Move(msgspec.Struct):
    """A page's effect: the position after it and the checkpoint that records it.

    `edge`: the checkpoint's marks of the edge, as `watermark.Edge` keeps them.
    """

    position: Position
    checkpoint: Checkpoint
    keys: Sequence[str | None] = ()
    edge: watermark.Marks = {}


class Progress:
    """`ids`: reads the delivered ids, asked for only when they are first needed."""

    def __init__(
        self, source: Source, paginator: Paginator, stored: Stored, ids: Callable[[], list[str]]
    ) -> None:
        self.source = source
        self.paginator = paginator
        self._log = for_source(source.name, source.label_key, source.label_value)
        self._incremental = source.incremental_from
        self._load_ids = ids
        self._seen: dedupe.Seen | None = None
        self._warned = False
        self.told = Told(source, self._log)
        values = stored.values
        self._url = values.get(provenance.KEY)  # of the API that all this comes from
        if warning := provenance.another(source, values):
            self._log.warning("%s", warning)
        self._trouble: StateError | None = None  # this source's alone: its polls tell it
        self.position = Position(
            values.get(self._incremental.state_key) if self._incremental else None,
            values.get(paginator.state_key) if paginator.cursor_path else None,
            self._chain(values.get("chain")),
            instant(values.get("lookback_from")),
        )
        self.resets = whole(values.get("resets"), 1000) or 0
        self.edge = watermark.Edge(watermark.unpacked(stored.marks))
        self.cursors = {mark for kind, mark, _ in stored.marks if kind == "cursor"}

    def _chain(self, text: str | None) -> Chain | None:
        try:
            return read_chain(text) if text else None
        except ValueError:
            name = self.source.name
            self._trouble = DamagedStateError(
                f"{name}: the chain in the state is not as helr writes it: "
                f"`helr state reset {name}` starts over"
            )
            return None

    @property
    def paths(self) -> list[str]:
        """The event fields this needs of a page."""
        incremental, unique = self._incremental, self.source.dedupe
        return ([incremental.event_timestamp_path] if incremental else []) + (
            list(unique.id_paths) if unique else []
        )

    def request(self) -> Request:
        """What is asked next. A cursor that Helr left has no chain: it goes on without a start.

        Raises StateError when the state is not as helr writes it.
        """
        if self._trouble:
            raise self._trouble
        if self.position.cursor and not self.position.chain:
            self._log.info(
                "the cursor in the state has no chain record (Helr wrote it): going on with it, "
                "without the start of its chain"
            )
            self.position.chain = Chain()
        return next_request(self.source, self.paginator, self.position)

    def loops(self, page: Page) -> bool:
        """Whether the page names a next cursor that this chain has already been given."""
        return page.cursor is not None and (
            page.cursor == self.position.cursor or _short(page.cursor) in self.cursors
        )

    def fresh(self, page: Page) -> Fresh:
        if not page.raws:
            self.told.findings(page, [])
            return Fresh(None, [], None)
        times = self._times(page)
        keep, keys = None, list[str | None]()
        ids: list[str | None] = []
        if times and (repeats := self.edge.repeats(page.raws, times)):
            keep = [index for index in range(len(page.raws)) if index not in repeats]
        if self.source.dedupe and keep != []:
            ids = keys = self._keys(page, times)
            keys = keys if keep is None else [keys[index] for index in keep]
            places = range(len(page.raws)) if keep is None else keep

            def same(one: int, other: int) -> bool:
                return self.told.same(page, places[one], places[other], keys[one] or "")

            if (new := self.seen.fresh(keys, same)) is not None:
                keep = new if keep is None else [keep[index] for index in new]
                keys = [keys[index] for index in new]
        self.told.findings(page, ids)
        return Fresh(keep, keys, times)

    def _keys(self, page: Page, times: watermark.Times | None) -> list[str | None]:
        """What identifies each event: its id, and its time where that is known, as ids that are
        unique only together with the time are common, and a wrong one would lose events."""
        assert self.source.dedupe
        paths = self.source.dedupe.id_paths
        keys = dedupe.composite_keys([page.column(path) for path in paths])
        if not times or not self._incremental or self._incremental.event_timestamp_path in paths:
            return keys
        return self.seen.timed(keys, times.instants)

    def fresh_rejects(self, page: Page, fresh: Fresh) -> list[Reject]:
        """What was set aside for the first time, whose keys are remembered as those of events."""
        if not self.source.dedupe:
            return list(page.rejects)
        keys = [dedupe.key_of_bytes(reject.text) for reject in page.rejects]
        new = self.seen.fresh(keys, lambda one, other: False)  # several of a page are alike
        indexes = range(len(keys)) if new is None else new
        fresh.keys = [*fresh.keys, *(keys[index] for index in indexes)]
        return [page.rejects[index] for index in indexes]

    @property
    def seen(self) -> dedupe.Seen:
        if self._seen is None:
            capacity = self.source.dedupe.capacity if self.source.dedupe else 0
            # the newest: an id that was forgotten and came again may stand there twice
            self._seen = dedupe.Seen(capacity, self._load_ids()[-capacity:])
        return self._seen

    def _times(self, page: Page) -> watermark.Times | None:
        if not self._incremental:
            return None
        path = self._incremental.event_timestamp_path
        values, whole = page.column(path), page.seconds(path) is not None
        return watermark.read(self._log, values, page.received, whole=whole)

    def after(self, request: Request, page: Page, fresh: Fresh) -> Move:
        """What the page changes once it is delivered."""
        chain = msgspec.structs.replace(
            self.position.chain or Chain(start_of(self.source, request))
        )
        chain.events += len(page.raws)
        times = fresh.times
        if not self.position.chain:
            chain.began, chain.first = page.received, times.greatest if times else None
        if times and times.after(chain.greatest):
            chain.greatest, chain.spelled = times.greatest, times.spelled
        if times and times.reached is not None:
            chain.reached = times.reached
        self._warn_capacity(chain)
        mark = self.position.watermark
        if self.loops(page):
            position = self.position  # the cursor is refused: what stands, stands
        elif page.cursor is not None:
            position = Position(mark, page.cursor, chain, self.position.since)
        else:
            position = self._finished(chain)
        move = Move(position, self._checkpoint(position), fresh.keys)
        if times:
            move.checkpoint.at = times.latest if times.greatest is None else times.greatest
            self._mark_edge(move, page, times)
        self._name_api(move.checkpoint, fresh)
        return move

    def _finished(self, chain: Chain) -> Position:
        """Where the next chain begins. What came late while this one was read may be older than
        all that it read last: with lookback_secs, the next one looks back from what this one's
        API can have shown when it began, if reading it all again repeats nothing."""
        mark = _later(self.position.watermark, chain)
        at, incremental = instant(mark), self._incremental
        if at is None or incremental is None or not incremental.lookback_secs:
            return Position(mark)
        since = chain.began
        if self.source.dedupe and chain.events <= self.source.dedupe.capacity:
            known = (instant(self.position.watermark), chain.first)
            since = max((each for each in known if each is not None), default=chain.began)
        return Position(mark, since=since if since is not None and since < at else None)

    def _checkpoint(self, position: Position) -> Checkpoint:
        before, changes = self.position, dict[str, str | None]()
        capacity = self.source.dedupe.capacity if self.source.dedupe else 0
        checkpoint = Checkpoint(values=changes, capacity=capacity)
        if position.cursor != before.cursor:
            changes[self.paginator.state_key] = position.cursor
            if position.cursor is None:
                checkpoint.forget.append(("cursor", None))
            else:
                checkpoint.marks.append(("cursor", _short(position.cursor), 0))
        if position.chain != before.chain:
            changes["chain"] = _as_text(position.chain)
        if self._incremental and position.watermark != before.watermark:
            changes[self._incremental.state_key] = position.watermark
        if position.since != before.since:
            changes["lookback_from"] = None if position.since is None else f"{position.since:.6f}"
        if self.resets and position.cursor is None:
            changes["resets"] = None
        return checkpoint

    def _mark_edge(self, move: Move, page: Page, times: watermark.Times) -> None:
        """Remember the events at or past the edge. Those that fell behind it are forgotten at the
        end of the chain: its next pages may bring them again."""
        chain = move.position.chain
        edge = _second(chain.greatest if chain else instant(move.position.watermark))
        since = floor(page.received) if edge is None else edge
        move.edge = self.edge.reaches(since, page.raws, times)
        move.checkpoint.marks += watermark.packed(move.edge)
        if edge is not None and not chain and self.edge.behind(edge):
            move.checkpoint.forget.append(("edge", edge))

    def _name_api(self, checkpoint: Checkpoint, fresh: Fresh) -> None:
        """The first checkpoint that moves something says where it comes from, and so does the
        first page from another API."""
        moves = self._url or checkpoint.values or checkpoint.marks or fresh.keys
        now = provenance.address(self.source)
        if (self._incremental or self.source.dedupe) and moves and now != self._url:
            checkpoint.values[provenance.KEY] = now

    def reset(self) -> Move:
        """The cursor was refused: cursor and chain go, the watermark stays."""
        move = Move(Position(self.position.watermark, since=self.position.since), Checkpoint())
        move.checkpoint = self._checkpoint(move.position)
        move.checkpoint.values["resets"] = str(self.resets + 1)
        if self.resets + 1 >= _STUCK:
            self._log.warning(
                "%d cursor resets in a row without finishing a chain: cursors expire faster "
                "than the chain is read: raise query_params.limit or pagination.max_pages",
                self.resets + 1,
            )
        return move

    def adopt(self, move: Move) -> None:
        """The move was delivered: it is where the source stands now."""
        self.position = move.position
        if move.keys:
            self.seen.add(move.keys, move.checkpoint.at)
        for kind, below in move.checkpoint.forget:
            if kind == "cursor":
                self.cursors.clear()
            elif below is not None:
                self.edge.forget(below)
        self.cursors |= {mark for kind, mark, _ in move.checkpoint.marks if kind == "cursor"}
        self.edge.add(move.edge)
        self._url = move.checkpoint.values.get(provenance.KEY, self._url)
        if "resets" in move.checkpoint.values:
            self.resets = int(move.checkpoint.values["resets"] or 0)

    def everything(self) -> Checkpoint:
        """One checkpoint that says all of this, for a state file that was lost."""
        position, self.position = self.position, Position()
        checkpoint = self._checkpoint(position)
        self.position = position
        checkpoint.ids = list(self.seen.ids) if self.source.dedupe else []
        checkpoint.marks = watermark.packed(self.edge.marks)
        checkpoint.marks += [("cursor", mark, 0) for mark in self.cursors]
        if self.resets:
            checkpoint.values["resets"] = str(self.resets)
        if self._url:
            checkpoint.values[provenance.KEY] = self._url
        return checkpoint

    def _warn_capacity(self, chain: Chain) -> None:
        unique = self.source.dedupe
        if unique and chain.events > unique.capacity and not self._warned:
            self._warned = True
            self._log.warning(
                "a chain of more than %d events is longer than dedupe.capacity: after a reset "
                "or with lookback_secs, events may come twice: set capacity to %d or more",
                unique.capacity,
                2 * chain.events,
            )


def _later(mark: str | None, chain: Chain) -> str | None:
    """The watermark of a finished chain: it never moves back."""
    before = instant(mark)
    if chain.greatest is None or (before is not None and before >= chain.greatest):
        return mark
    return chain.spelled


def _as_text(chain: Chain | None) -> str | None:
    return msgspec.json.encode(chain).decode() if chain else None


def _second(at: float | None) -> float | None:
    return None if at is None else floor(at)


def _short(cursor: str) -> bytes:
    return blake2b(cursor.encode("utf-8", "surrogatepass"), digest_size=8).digest()
