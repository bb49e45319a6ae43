"""Numbers from outside (the state, a header, a command line): within bounds, or not accepted.

Python accepts more than is wanted (infinities, NaN, `1_000`, digits of other scripts), and raises
an error of its own for more than 4,300 digits.
"""

from __future__ import annotations

import re
from typing import Any

_TEXT = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?\Z")


def number(value: Any, least: float, most: float) -> float | None:
    """A number, or a string with one, from `least` to `most`; None for anything else."""
    if isinstance(value, str):
        if not _TEXT.match(value):
            return None
        value = float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if least <= value <= most else None  # false for NaN


def whole(value: Any, most: int = 2**53, *, least: int = 0) -> int | None:
    """The same for a whole number from `least` to `most`; None for anything else."""
    found = number(value, least, most)
    return int(found) if found is not None and found == int(found) else None
