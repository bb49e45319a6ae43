"""A small body can cost a lot of memory: 11 MB of `{},{},…` become 780 MB of objects.

So the values in a body are bounded (`max_response_values`) before any is made. Each has a comma, a
bracket or a brace of its own. Counting them takes as long as a tenth of decoding, so samples at
random places tell first whether there is anything to count: what they miss is small.
"""

from __future__ import annotations

import random

_SIGNS = (b",", b"[", b"{")
_SAMPLES, _SAMPLE_BYTES = 192, 256
_DOUBT = 2  # times as many as the samples show may be there


def values_over(body: bytes | bytearray, limit: int) -> int:
    """How many values the body holds, when that is more than `limit`; else 0."""
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
