"""From events to lines: `{"endpoint":…,"event":{…},"meta":{},"source":…,"ts":…}`, in this order.

Everything between an event's braces is copied unchanged; only raw line breaks, which JSON allows
between tokens, are removed. A line over `max_line_bytes` is cut to a smaller valid line, left out,
or fails the poll, as configured.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import repeat
from typing import Any

import msgspec

from helr.model import Source
from helr.page.page import Page
from helr.timestamps import instant, rfc3339

log = logging.getLogger("helr")

TIME_FIELDS = ("published", "timestamp", "ts", "created_at", "date_create")
_SECONDS = [b':%02dZ"}\n' % second for second in range(60)]
_json = msgspec.json.encode
_json_lines = msgspec.json.Encoder().encode_lines


class Lines:
    """Builds the lines of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        own = source.transform.timestamp_field
        known = source.incremental_from
        first = (known.event_timestamp_path,) if known else ()
        self.time_fields = (own,) if own else tuple(dict.fromkeys((*first, *TIME_FIELDS)))
        self._id_field = source.transform.id_field
        meta = b"}" if self._id_field else b',"meta":{}'
        label = _json(source.label_key) + b":" + _json(source.label_value or source.name)
        self._tail = meta + b"," + label + b',"ts":'
        self._minutes = _Minutes(self._tail)

    @property
    def paths(self) -> tuple[str, ...]:
        """The event fields a line needs."""
        return self.time_fields + ((self._id_field,) if self._id_field else ())

    def build(self, page: Page, keep: Sequence[int] | None = None) -> tuple[Iterable[bytes], int]:
        """One line for each event (of those whose index is in `keep`), in the page's order, and
        how many there are. They are generated one by one: a page's lines are never in memory all
        at once, unless `max_line_bytes` is set.

        A line that `max_line_bytes` leaves out is b"". Raises LineTooLongError.
        """
        raws = _picked(page.raws, keep)
        if page.breaks:
            raws = [bytes(raw).replace(b"\n", b"").replace(b"\r", b"") for raw in raws]
        columns = [repeat(b'{"endpoint":' + _json(page.path) + b',"event":'), raws]
        if self._id_field:
            columns += _meta_ids(_picked(page.column(self._id_field), keep))
        lines = map(b"".join, zip(*columns, self._tails(page, keep)))  # noqa: B905 - some repeat
        limit = self.source.max_line_bytes
        return self._limited(list(lines), limit, page) if limit else (lines, len(raws))

    def _limited(self, lines: list[bytes], limit: int, page: Page) -> tuple[Iterable[bytes], int]:
        if max(map(len, lines), default=0) > limit:
            from helr.lines import truncate

            truncate.enforce(self.source, lines, limit, self.time_fields, page.received)
        return lines, len(lines) - lines.count(b"")

    def _tails(self, page: Page, keep: Sequence[int] | None) -> list[bytes]:
        """The end of each line, with its `ts`: from the first time field that has a value."""
        found = [path for path in self.time_fields if page.has(path)]
        if len(found) == 1 and (seconds := page.seconds(found[0])):
            minutes, ends = self._minutes, _SECONDS
            return [minutes[at // 60] + ends[at % 60] for at in _picked(seconds, keep)]
        now = _json(rfc3339(page.received))
        columns = [_picked(page.column(path), keep) for path in found]
        if not columns:
            return [self._tail + now + b"}\n"] * len(page.raws if keep is None else keep)
        stamps = (
            next((stamp for value in values if (stamp := self._stamp(value))), now)
            for values in zip(*columns, strict=True)
        )
        return [self._tail + stamp + b"}\n" for stamp in stamps]

    def _stamp(self, value: Any) -> bytes | None:
        if type(value) is str and value:
            return _json(value) if value.isascii() else _json_text(value)
        at = instant(value)
        return None if at is None else _json(rfc3339(at))


class _Minutes(dict[int, bytes]):
    """A line's tail up to the minute of its `ts`, by Unix minute: many events share one."""

    def __init__(self, tail: bytes) -> None:
        self._tail = tail

    def __missing__(self, minute: int) -> bytes:
        if len(self) > 20_000:
            self.clear()
        text = self[minute] = self._tail + b'"' + rfc3339(minute * 60)[:16].encode()
        return text


def _picked(column: Sequence[Any], keep: Sequence[int] | None) -> Sequence[Any]:
    return column if keep is None else [column[index] for index in keep]


def _meta_ids(ids: Sequence[Any]) -> list[Iterable[bytes]]:
    """The beginning of `meta`, and the rest of it for each event."""
    if set(map(type, ids)) == {str}:
        with suppress(UnicodeEncodeError):
            return [repeat(b',"meta":{"id":'), _json_lines(ids).splitlines()]
    return [repeat(b',"meta":{'), map(_meta_id, ids)]


def _meta_id(value: Any) -> bytes:
    if value is None or isinstance(value, (bool, dict, list)):
        return b""
    if isinstance(value, int):
        return b'"id":%d' % value
    return b'"id":' + (_json_text(value) if isinstance(value, str) else _json(value))


def _json_text(text: str) -> bytes:
    try:
        return _json(text)
    except UnicodeEncodeError:  # an escaped lone surrogate: msgspec cannot write it back
        import json

        return json.dumps(text).encode()
