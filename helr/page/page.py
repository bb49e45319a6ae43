"""What a response becomes: its events as untouched bytes, the few fields needed of them, and how
the chain continues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from helr.messages import Response
from helr.pagination import LAST, Next

_LAST_SECOND = 100_000_000_000  # a greater number is milliseconds


class Reject(msgspec.Struct, frozen=True):
    """An element that is not an event. `place`: `entries[3]`. `why`: `is null, not an event`."""

    place: str
    why: str
    text: str


class Page(msgspec.Struct):
    """One page, which is left (`with page:`) when its memory is not needed any more.

    `raws` are bytes-like; `fields[path]` has one value (or None) per event, and may be missing for
    a path that no event has. `next`: what follows. `received`: Unix seconds. `size`: bytes.
    """

    response: Response
    raws: Sequence[Any] = ()
    fields: dict[str, list[Any]] = {}
    next: Next = LAST
    size: int = 0
    breaks: bool = False  # whether raw line breaks are in the body
    rejects: Sequence[Reject] = ()  # with on_parse_error: skip_event
    next_signs: Sequence[str] = ()  # looked for only where the decoder is told to
    _seconds: dict[str, list[int] | None] = {}

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.response.release()

    @property
    def received(self) -> float:
        return self.response.received

    @property
    def path(self) -> str:
        return self.response.path

    @property
    def token(self) -> str | None:
        """What leads to the next page, or to what comes later; None at the end of a chain."""
        return getattr(self.next, "token", None)

    def column(self, path: str) -> list[Any]:
        """One value (or None) per event."""
        return self.fields.get(path) or [None] * len(self.raws)

    def has(self, path: str) -> bool:
        """Whether any event has a value there."""
        column = self.fields.get(path, [])
        return column.count(None) < len(column)

    def seconds(self, path: str) -> list[int] | None:
        """The column when every event has whole Unix seconds there: most pages are so."""
        if path not in self._seconds:
            column = self.column(path)
            whole = set(map(type, column)) == {int}
            whole = whole and 0 < min(column) <= max(column) <= _LAST_SECOND
            self._seconds[path] = column if whole else None
        return self._seconds[path]
