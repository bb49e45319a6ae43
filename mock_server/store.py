"""The audit log itself: events in order of time, pages newest first, cursors as positions.

A cursor is the position of the last event returned, not an offset, so newer events do not shift
it. It contains nothing else, so `oldest`, `latest` and filters must be sent again.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from mock_server.events import Event

Key = tuple[int, int]  # time in Unix seconds, order of arrival
TOP: Key = (2**62, 0)


@dataclass(frozen=True, slots=True)
class Filter:
    """The filters of a request. Times are inclusive Unix seconds; None and empty mean any."""

    oldest: int | None = None
    latest: int | None = None
    actions: frozenset[str] = frozenset()
    actor: str = ""
    entity: str = ""

    @property
    def only_times(self) -> bool:
        return not (self.actions or self.actor or self.entity)

    def takes(self, event: Event) -> bool:
        """Whether action, actor and entity match; times are ignored."""
        return (
            (not self.actions or event.action in self.actions)
            and (not self.actor or event.actor == self.actor)
            and (not self.entity or event.entity == self.entity)
        )


class Store:
    """All events, ascending by (time, order of arrival)."""

    def __init__(self) -> None:
        self._keys: list[Key] = []
        self._events: list[Event] = []
        self._raws: list[bytes] = []
        self._arrived = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Event) -> None:
        """Insert an event at its time, above earlier arrivals of the same second."""
        key = (event.time, self._arrived)
        self._arrived += 1
        at = len(self._keys)
        if self._keys and key < self._keys[-1]:
            at = bisect_left(self._keys, key)
        self._keys.insert(at, key)
        self._events.insert(at, event)
        self._raws.insert(at, event.raw)

    def span(self) -> tuple[int, int] | None:
        """Times of the oldest and the newest event, None when there is none."""
        return (self._keys[0][0], self._keys[-1][0]) if self._keys else None

    def newest_first(self, wanted: Filter) -> Iterator[Event]:
        """Every matching event."""
        low, high = self._bounds(TOP, wanted)
        return (e for e in self._events[low:high][::-1] if wanted.takes(e))

    def page(self, below: Key, wanted: Filter, limit: int) -> tuple[list[bytes], Key | None]:
        """At most `limit` events below a position, newest first.

        Returns their bytes, and the position of the last one if more follow, else None.
        """
        low, high = self._bounds(below, wanted)
        if wanted.only_times:
            cut = max(low, high - limit)
            return self._raws[cut:high][::-1], self._keys[cut] if cut > low else None
        found: list[int] = []
        for index in range(high - 1, low - 1, -1):
            if wanted.takes(self._events[index]):
                if len(found) == limit:
                    return [self._raws[i] for i in found], self._keys[found[-1]]
                found.append(index)
        return [self._raws[i] for i in found], None

    def _bounds(self, below: Key, wanted: Filter) -> tuple[int, int]:
        high = bisect_left(self._keys, below)
        if wanted.latest is not None:
            high = min(high, bisect_right(self._keys, (wanted.latest, 2**62)))
        low = 0 if wanted.oldest is None else bisect_left(self._keys, (wanted.oldest, -1))
        return low, max(low, high)


class Cursors:
    """Creates and reads cursors. They are not tied to a process, unless they have a lifetime."""

    def __init__(self) -> None:
        self._generation = 0
        self._issued: dict[str, float] = {}
        self._extra = 0
        self.last = ""

    def make(self, key: Key, now: float, fresh: bool = False) -> str:
        """The cursor of a position; `fresh` makes it unlike any other of the same position."""
        self._extra += fresh
        extra = self._extra if fresh else 0
        text = f"{key[0]}:{key[1]}:{self._generation}:{extra}"
        cursor = base64.urlsafe_b64encode(f"{text}:{_check(text)}".encode()).decode()
        self._issued[cursor] = now
        self.last = cursor
        return cursor

    def read(self, cursor: str, now: float, lifetime: float | None) -> Key | None:
        """The cursor's position, None when it is invalid or expired."""
        try:
            plain = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
            text, check = plain.rsplit(":", 1)
            time, arrived, generation, _ = (int(part) for part in text.split(":"))
        except ValueError:
            return None
        if check != _check(text) or generation != self._generation:
            return None
        if lifetime is not None and now - self._issued.get(cursor, 0) > lifetime:
            return None
        return (time, arrived)

    def expire(self) -> None:
        """Make every cursor issued so far invalid."""
        self._generation += 1


def _check(text: str) -> str:
    return blake2b(text.encode(), digest_size=4).hexdigest()
