"""The slow way to read a page: what msgspec refuses and `json` accepts is sliced unchanged.

msgspec (0.22) refuses escaped lone surrogates and deep nesting that Python's json module takes;
such a page is still delivered byte for byte. What json refuses too is described for the user.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

_SPACE = re.compile(r"[ \t\r\n]*")


class NotJsonError(ValueError):
    """No JSON; `truncated`: it may be the beginning of some."""

    def __init__(self, message: str, truncated: bool = False) -> None:
        super().__init__(message)
        self.truncated = truncated


class NotAPageError(ValueError):
    """JSON, but no page of event objects."""


def _no_constant(name: str) -> Any:
    raise NotJsonError(f"the body is not JSON ({name} is no JSON number)")


def _number(text: str) -> int | float:
    """Huge whole numbers become floats: only their spelling is delivered, and that is untouched."""
    if len(text) <= 25 and text.lstrip("-").isdigit():
        return int(text)
    return float(text)


_json = json.JSONDecoder(parse_constant=_no_constant, parse_int=_number, parse_float=_number)


def load(body: bytes | bytearray) -> Any:
    """The whole body decoded (numbers of any length). Raises NotJsonError."""
    text = body.decode("utf-8", "surrogatepass")
    if not text.strip():
        raise NotJsonError("the body is empty", truncated=True)
    try:
        return _json.decode(text)
    except RecursionError:
        raise NotJsonError("the body is nested too deeply") from None
    except json.JSONDecodeError as error:
        at_end = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        what = "the body is JSON cut short" if at_end else "the body is not JSON"
        place = f"{error.msg.lower()} at byte {len(text[: error.pos].encode('utf-8', 'replace'))}"
        raise NotJsonError(f"{what} ({place})", truncated=at_end) from None


def dig(value: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for key in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def events(
    body: bytes | bytearray, whole: Any, keys: Sequence[str]
) -> tuple[list[bytes], list[Any]]:
    """The events as they stand in the body, and decoded. Raises NotAPageError."""
    text = body.decode("utf-8", "surrogatepass")
    where, found = _find(whole, keys)
    for number, event in enumerate(found):
        if not isinstance(event, dict):
            kind = _kind(event)
            raise NotAPageError(f"element {number} of {where or 'the array'} is {kind}, no object")
    start = 0
    for key in where.split(".") if where else ():
        start = [begin for name, _, begin, _ in members(text, start) if name == key][-1]
    raws = [text[begin:end].encode("utf-8", "surrogatepass") for begin, end in _items(text, start)]
    return raws, found


def _find(whole: Any, keys: Sequence[str]) -> tuple[str, list[Any]]:
    if isinstance(whole, list):
        return "", whole
    if not isinstance(whole, dict):
        raise NotAPageError(f"the body is {_kind(whole)}, no page of events")
    for key in keys:
        found = dig(whole, key)
        if isinstance(found, list):
            return key, found
        if found is not None and len(keys) == 1:
            raise NotAPageError(f"{key} is {_kind(found)}, no array of events")
    raise NotAPageError(
        f"the body has no array of events at {', '.join(keys)}; set response_events_path"
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    kinds = ((str, "a string"), ((int, float), "a number"), (list, "an array"), (dict, "an object"))
    return next(name for kind, name in kinds if isinstance(value, kind))


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def members(text: str, at: int) -> Iterator[tuple[str, int, int, int]]:
    """Of each member of the object that starts at `at` (known to be valid): its name, where it
    starts, and where its value starts and ends."""
    at = _skip(text, _skip(text, at) + 1)
    while text[at] != "}":
        name, colon = _json.raw_decode(text, at)
        begin = _skip(text, _skip(text, colon) + 1)
        _, end = _json.raw_decode(text, begin)
        yield name, at, begin, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each element of the array that starts at `at` (known to be valid)."""
    at = _skip(text, _skip(text, at) + 1)
    while text[at] != "]":
        _, end = _json.raw_decode(text, at)
        yield at, end
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
