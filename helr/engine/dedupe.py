"""Drops events whose id was delivered before; at most `capacity` ids are remembered.

If an event's time is known, its id identifies it only together with the time.
An event without an id (absent, null, empty, not a string or a finite number, or a number that a
float cannot represent exactly) is always delivered.
Ids are compared exactly; very long or unprintable ones by their BLAKE2 digest.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any, cast

TIME_FOLLOWS = "\1"  # separates an id from its event's time
_JOINED = 96  # ids of small pages that are kept together
_LONGEST = 64  # characters; a longer id is kept as a digest, so that state stays bounded


def composite_keys(columns: Sequence[Sequence[Any]]) -> list[str | None]:
    """The keys of ids of several parts, given column by column; None if no part exists."""
    if len(columns) == 1:
        return keys(columns[0])
    return [_joined(list(map(_key, parts))) for parts in zip(*columns, strict=True)]


def _joined(parts: list[str | None]) -> str | None:
    if not any(parts):
        return None
    return _key("\x1f".join((part or "").replace("\0", "\x1e") for part in parts))


def keys(ids: Sequence[Any]) -> list[str | None]:
    """The key of each id, in memory and in the state file; None for no id."""
    try:
        joined = "\n".join(ids)
        plain = joined.isascii() and "\0" not in joined and joined.count("\n") == len(ids) - 1
        if plain and all(ids) and max(map(len, ids), default=0) <= _LONGEST:
            return list(ids)
    except TypeError:
        pass
    return [_key(value) for value in ids]


def _key(value: Any) -> str | None:
    if isinstance(value, str):
        if not value:
            return None
        if len(value) <= _LONGEST and value.isascii() and not {"\0", "\n"} & set(value):
            return value
        return "\0s" + blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = repr(value)
        if isinstance(value, float) and _rounded(value, text):
            return None
        if len(text) > _LONGEST:
            text = blake2b(text.encode(), digest_size=16).hexdigest()
        return "\0n" + text
    return None


def _rounded(value: float, text: str) -> bool:
    """Whether another number could have been read as the same float."""
    digits = text.partition("e")[0].replace(".", "").strip("-0")
    return not abs(value) < 2**53 or len(digits) > 16


def key_of_bytes(text: str) -> str:
    """The key of an element that has no id, because it is not an event."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    return "\0r" + digest.hexdigest()


class Seen:
    """The delivered ids: those of the oldest events are forgotten first.

    A page's ids are ordered by its greatest event time, so that the newest events, which the next
    chain may repeat, are remembered longest, in whatever order the API returns them. Without times,
    the order is first in, first out.
    """

    def __init__(self, capacity: int, ids: Iterable[str] = ()) -> None:
        self.capacity = capacity
        self._all_new: tuple[object, set[str]] = None, set()  # keys known to be new
        self._pages: list[tuple[float, int, deque[str]]] = []  # sorted: time, arrival, ids
        self._arrivals = 0
        self._ids: set[str] = set()
        self.add(ids)
        self._older = any(TIME_FOLLOWS not in key for key in self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Iterable[str]:
        """In the order in which they will be forgotten."""
        return chain.from_iterable(ids for *_, ids in self._pages)

    def timed(
        self, keys: Sequence[str | None], instants: Sequence[float | None]
    ) -> list[str | None]:
        """The keys with the times of their events (Unix seconds), except those that helr 0.1
        remembered without one."""
        if not self._older and None not in keys:
            return [f"{key}{TIME_FOLLOWS}{at}" for key, at in zip(keys, instants, strict=True)]
        return [
            key if key is None or key in self._ids else f"{key}{TIME_FOLLOWS}{at}"
            for key, at in zip(keys, instants, strict=True)
        ]

    def fresh(
        self, keys: Sequence[str | None], same: Callable[[int, int], bool] | None = None
    ) -> list[int] | None:
        """Indexes of the events to deliver: not seen before, nor earlier in the same page.

        `same`: whether two events of the page with the same key are the same event; without it,
        they are.

        None if that is all of them.
        """
        # two sets are compared in the order of their hashes, which suits the processor's caches
        seen, here = self._ids, set(keys)
        if len(here) == len(keys) and None not in here and seen.isdisjoint(here):
            self._all_new = keys, cast("set[str]", here)
            return None
        first: dict[str, int] = {}
        keep = []
        for index, key in enumerate(keys):
            if key is None or (key not in seen and key not in first):
                keep.append(index)
                if key is not None:
                    first[key] = index
            elif same and key in first and not same(first[key], index):
                keep.append(index)
        return keep if len(keep) < len(keys) else None

    def add(self, keys: Iterable[str | None], at: float | None = None) -> None:
        """Remember delivered ids, forgetting the oldest beyond the capacity.

        `at`: the greatest event time of their page (Unix seconds), None if it has none.
        """
        known_new, here = self._all_new
        self._all_new = None, set()
        if keys is known_new:
            new = deque(cast("list[str]", keys))
            self._ids |= here
        else:
            new = deque(self._new(keys))
            self._ids.update(new)
        if new:
            self._forget(self._place(new, at))

    def _place(self, new: deque[str], at: float | None) -> deque[str]:
        """Insert ids among the others by their time; consecutive small pages are joined."""
        newest = self._pages[-1] if self._pages else (0.0, 0, deque[str]())
        at = newest[0] if at is None else at
        if at >= newest[0] and 0 < len(newest[2]) <= _JOINED - len(new):
            newest[2].extend(new)
            self._pages[-1] = (at, newest[1], newest[2])
            return newest[2]
        self._arrivals += 1
        insort(self._pages, (at, self._arrivals, new))
        return new

    def _forget(self, last: deque[str]) -> None:
        """Forget ids beyond the capacity; those just delivered, `last`, are forgotten last, because
        a crash may repeat them."""
        while (over := len(self._ids) - self.capacity) > 0:
            index = int(self._pages[0][2] is last and len(self._pages) > 1)
            ids = self._pages[index][2]
            self._ids.difference_update([ids.popleft() for _ in range(min(over, len(ids)))])
            if not ids:
                del self._pages[index]

    def _new(self, keys: Iterable[str | None]) -> Iterable[str]:
        new = {key: None for key in keys if key is not None}
        for known in self._ids.intersection(new):
            del new[known]
        return new
