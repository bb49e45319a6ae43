"""Drops events whose id was delivered before: first in, first out, at most `capacity` ids.

An event without an id (absent, null, empty, not a string or a finite number, or a number that a
float does not hold exactly) is always delivered.
Ids are compared exactly; very long or unprintable ones by their BLAKE2 digest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, cast

_LONGEST = 64  # characters; a longer id is kept as a digest, so that state stays bounded


def keys(ids: Sequence[Any]) -> list[str | None]:
    """What stands for each id in memory and in the state file; None for no id."""
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


class Seen:
    """The ids delivered, oldest first."""

    def __init__(self, capacity: int, ids: Iterable[str] = ()) -> None:
        self.capacity = capacity
        self._all_new: tuple[object, set[str]] = None, set()  # keys that need no second look
        self._order: deque[str] = deque()
        self._ids: set[str] = set()
        self.add(ids)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> Iterable[str]:
        """Oldest first."""
        return self._order

    def fresh(self, keys: Sequence[str | None]) -> list[int] | None:
        """Indexes of the events to deliver: not seen before, nor earlier in the same page.

        None when that is all of them.
        """
        # two sets meet in the order of their hashes, which is kind to the processor's caches
        seen, here = self._ids, set(keys)
        if len(here) == len(keys) and None not in here and seen.isdisjoint(here):
            self._all_new = keys, cast("set[str]", here)
            return None
        here.clear()
        keep = []
        for index, key in enumerate(keys):
            if key is None:
                keep.append(index)
            elif key not in seen and key not in here:
                here.add(key)
                keep.append(index)
        return keep if len(keep) < len(keys) else None

    def add(self, keys: Iterable[str | None]) -> None:
        """Remember delivered ids, forgetting the oldest beyond the capacity."""
        known_new, here = self._all_new
        self._all_new = None, set()
        if keys is known_new:
            self._order.extend(cast("list[str]", keys))
            self._ids |= here
        else:
            new = self._new(keys)
            self._order.extend(new)
            self._ids.update(new)
        forget = self._order.popleft
        self._ids.difference_update([forget() for _ in range(len(self._order) - self.capacity)])

    def _new(self, keys: Iterable[str | None]) -> Iterable[str]:
        new = {key: None for key in keys if key is not None}
        for known in self._ids.intersection(new):
            del new[known]
        return new
