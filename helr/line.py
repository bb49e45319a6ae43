"""Events become lines: `{"endpoint":…,"event":{…},"meta":{},"source":…,"ts":…}`, in this order.

What stands between an event's braces is copied as it came; only raw line breaks, which JSON
allows between tokens, are removed. A line over `max_line_bytes` is cut to a smaller valid line,
left out, or fails the poll, as the source says.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import repeat
from typing import Any

import msgspec

from helr.config.model import Source
from helr.errors import PollError
from helr.page import Page
from helr.times import instant, rfc3339

log = logging.getLogger("helr")

TIME_FIELDS = ("published", "timestamp", "ts", "created_at", "date_create")
_SECONDS = [b':%02dZ"' % second for second in range(60)]
_LAST_SECOND = 100_000_000_000  # a greater number is milliseconds
_json = msgspec.json.encode
_json_lines = msgspec.json.Encoder().encode_lines


class LineTooLongError(PollError):
    """A line is over `max_line_bytes` and `max_line_bytes_behavior` is `fail`."""


class Lines:
    """Builds the lines of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        own = source.transform.timestamp_field
        self.time_fields = (own,) if own else TIME_FIELDS
        self._id_field = source.transform.id_field
        self._label = _json(source.label_key) + b":" + _json(source.label_value or source.name)
        self._minutes = _Minutes()

    @property
    def paths(self) -> tuple[str, ...]:
        """The event fields a line needs."""
        return self.time_fields + ((self._id_field,) if self._id_field else ())

    def build(self, page: Page, keep: Sequence[int] | None = None) -> list[bytes]:
        """One line for each event (of those whose index is in `keep`), in the page's order.

        b"" stands for one that `max_line_bytes` leaves out. Raises LineTooLongError.
        """
        pick = (lambda column: column) if keep is None else (lambda c: [c[i] for i in keep])
        raws = pick(page.raws)
        if page.breaks:
            raws = [bytes(raw).replace(b"\n", b"").replace(b"\r", b"") for raw in raws]
        stamps = self._stamps([pick(page.fields[path]) for path in self.time_fields], page.received)
        head = b'{"endpoint":' + _json(page.path) + b',"event":'
        tail = b"}," + self._label + b',"ts":'
        opening: bytes = b',"meta":{'
        ids: Iterable[bytes] = repeat(b"")
        if self._id_field:
            opening, ids = _meta_ids(pick(page.fields[self._id_field]))
        parts = zip(repeat(head), raws, repeat(opening), ids, repeat(tail), stamps, repeat(b"}\n"))
        lines = list(map(b"".join, parts))
        limit = self.source.max_line_bytes
        if limit and lines and max(map(len, lines)) > limit:
            from helr import longline

            longline.enforce(self.source, lines, limit, self.time_fields, page.received)
        return lines

    def _stamps(self, columns: list[list[Any]], received: float) -> list[bytes]:
        """`ts` of each event as JSON, from the first of its time fields that holds one."""
        now = _json(rfc3339(received))
        filled = [column for column in columns if column.count(None) < len(column)]
        if len(filled) == 1:
            column = filled[0]
            if set(map(type, column)) == {int} and 0 < min(column) <= max(column) <= _LAST_SECOND:
                minutes, seconds = self._minutes, _SECONDS
                return [minutes[value // 60] + seconds[value % 60] for value in column]
            return [self._stamp(value) or now for value in column]
        return [
            next((stamp for value in values if (stamp := self._stamp(value))), now)
            for values in zip(*columns, strict=True)
        ]

    def _stamp(self, value: Any) -> bytes | None:
        if type(value) is str and value:
            return _json(value) if value.isascii() else _json_text(value)
        at = instant(value)
        return None if at is None else _json(rfc3339(at))


class _Minutes(dict[int, bytes]):
    """`"2018-03-16T15:32` for a Unix minute, kept: events of one minute are many."""

    def __missing__(self, minute: int) -> bytes:
        if len(self) > 100_000:
            self.clear()
        text = self[minute] = b'"' + rfc3339(minute * 60)[:16].encode()
        return text


def _meta_ids(ids: list[Any]) -> tuple[bytes, Iterable[bytes]]:
    """How `meta` begins, and how it goes on for each event."""
    if set(map(type, ids)) == {str}:
        with suppress(UnicodeEncodeError):
            return b',"meta":{"id":', _json_lines(ids).splitlines()
    return b',"meta":{', map(_meta_id, ids)


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
