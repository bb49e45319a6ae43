"""Event times: read as instants to compare them, written as RFC 3339 or in their original format.

A time is a number (Unix seconds; above 1e11 milliseconds, above 1e14 microseconds, above
1e17 nanoseconds), a string of such a number, or an ISO 8601 string. A time without an offset
is UTC. Anything else is not a time.
"""

from __future__ import annotations

import re
import time
from typing import Any

_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_NUMBER = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*(Z|z|[+-]\d\d(?::?\d\d)?)?)?\Z",
    re.ASCII,
)
EARLIEST = -62135596800  # 0001-01-01T00:00:00Z …
LATEST = 253402300799  # … to 9999-12-31T23:59:59Z: the range of RFC 3339


def instant(value: Any) -> float | None:
    """An event's time in Unix seconds, or None if the value is not a time."""
    kind = type(value)
    if kind is int or kind is float:
        return _scaled(value)
    if kind is not str:
        return None
    if _NUMBER.match(value):
        return _scaled(float(value) if "." in value else int(value)) if len(value) < 40 else None
    return _iso(value)


def _scaled(number: float) -> float | None:
    if EARLIEST <= number <= 1e11:
        return number
    size = abs(number)
    for above, scale in _SCALES:
        if size > above:
            number = number / scale if size < 1e25 else LATEST + 1
            break
    return number if EARLIEST <= number <= LATEST else None


def _iso(text: str) -> float | None:
    match = _ISO.match(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    import calendar

    if not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(max(year, 1), month)[1]):
        return None
    if year < 1 or hour > 24 or minute > 59 or second > 60:
        return None
    whole = calendar.timegm((year, month, day, hour, minute, second))
    fraction = float(f"0.{match[7]}") if match[7] else 0
    return whole + fraction - _offset(match[8] or "Z")


def _offset(zone: str) -> int:
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def rfc3339(seconds: float) -> str:
    """`2018-03-16T15:32:23Z`, with a fraction only when there is one (to the microsecond)."""
    whole = int(seconds // 1)
    micros = round((seconds - whole) * 1e6)
    if micros == 1_000_000:
        whole, micros = whole + 1, 0
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
    if len(stamp) < 19:  # %Y is not padded below the year 1000 everywhere
        stamp = stamp.rjust(19, "0")
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{stamp}{fraction}Z"


def spelling(text: str) -> str:
    """The name of a time's format or unit."""
    if not _NUMBER.match(text):
        return "ISO 8601"
    units = ("nanoseconds", "microseconds", "milliseconds")
    scales = zip(_SCALES, units, strict=True)
    return next((unit for (above, _), unit in scales if abs(float(text)) > above), "Unix seconds")


def spell(value: Any) -> str:
    """A time as it is sent back: strings unchanged, whole numbers without exponent or point."""
    if type(value) is float and value.is_integer():
        return str(int(value))
    return str(value)


def earlier(spelling: str, seconds: float) -> str:
    """The time that many seconds earlier, in the same format (number or ISO 8601)."""
    if not seconds:
        return spelling
    at = instant(spelling)
    if at is None:
        return spelling
    if not _NUMBER.match(spelling):
        return rfc3339(at - seconds)
    number = float(spelling) if "." in spelling else int(spelling)
    scale = next((scale for above, scale in _SCALES if abs(number) > above), 1)
    back = int(seconds * scale) if isinstance(number, int) else seconds * scale
    return spell(number - back)


def spell_duration(secs: float) -> str:
    """`1.5 s`, `5 min`, `2.0 h`, `30 days`"""
    if secs < 120:
        return f"{secs:.1f} s"
    if secs < 7_200:
        return f"{secs / 60:.0f} min"
    return f"{secs / 3600:.1f} h" if secs < 100 * 3600 else f"{secs / 86_400:.0f} days"
