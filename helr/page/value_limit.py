"""A small body can take a lot of memory: 11 MB of `{},{},…` become 780 MB of objects.

So the number of values in a body is limited (`max_response_values`) before any is decoded. Each
value has a comma, a bracket or a brace of its own. Counting them takes a tenth of the time of
decoding, so samples at random places show first whether counting is worthwhile; what they miss is
small.
"""

from __future__ import annotations

import random

_SIGNS = (b",", b"[", b"{")
_SAMPLES, _SAMPLE_BYTES = 192, 256
_DOUBT = 2  # there may be as many times more values than the samples show


def values_over(body: bytes | bytearray, limit: int) -> int:
    """How many values the body contains if that is more than `limit`; otherwise 0."""
    size = len(body)
    if size < limit or _estimated(body, size) * _DOUBT < limit:
        return 0
    found = _count(body)
    return found if found > limit else 0


def _estimated(body: bytes | bytearray, size: int) -> float:
    step = size // _SAMPLES
    starts = (at + int(random.random() * step) for at in range(0, size, step or 1))  # noqa: S311
    return sum(_count(body[at : at + _SAMPLE_BYTES]) for at in starts) / _SAMPLE_BYTES * step


def _count(part: bytes | bytearray) -> int:
    return sum(part.count(sign) for sign in _SIGNS)
