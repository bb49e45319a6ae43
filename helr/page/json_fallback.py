"""The slow way to read a page: a page that msgspec rejects and `json` accepts is sliced unchanged.

msgspec (0.22) rejects escaped lone surrogates and deep nesting that Python's json module accepts;
such a page is still delivered byte for byte. If json rejects it too, the user is told why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

# How a body may end that is cut inside a number, a literal or an escape.
_CUT = re.compile(r"-|\.|[eE][+-]?|t|tr|tru|f|fa|fal|fals|n|nu|nul|\\?u?[0-9a-fA-F]{0,4}")
_SPACE = re.compile(r"[ \t\r\n]*")
_WINDOWS = (1 << 10, 1 << 16)


class NotAPageError(ValueError):
    """Not a page of event objects.

    `subject`: what is wrong, `found`: how it is wrong. `advice`: what to do. `cut`: it may be the
    beginning of a page.
    """

    def __init__(
        self, found: str, advice: str, *, subject: str = "the body", cut: bool = False
    ) -> None:
        super().__init__(f"{subject} {found}")
        self.found = found
        self.advice = advice
        self.cut = cut
        self.no_events = False  # it is JSON, but has no array of events where one was expected


_NOT_JSON = "check `url`, and what responds there"
_BROKEN = (
    "tell the API's vendor, and set on_parse_error: skip_event to set aside the broken events and"
    " deliver the rest"
)
_EARLY = "if it persists, lower `limit`, and check any proxy in between"
_ELSEWHERE = "set response_events_path to the path of the events"
_BESIDE = (
    "check response_events_path, or set on_parse_error: skip_event to set aside such elements and"
    " deliver the rest"
)


def _no_constant(name: str) -> Any:
    raise NotAPageError(f"is not JSON ({name} is not a JSON number)", _BROKEN)


def _number(text: str) -> int | float:
    """A float above Python's 4,300 digits; the number is delivered as it is written anyway."""
    try:
        return int(text)
    except ValueError:
        return float(text)


_json = json.JSONDecoder(parse_constant=_no_constant, parse_int=_number)


def load(body: bytes | bytearray) -> Any:
    """The whole body decoded (numbers of any length). Raises NotAPageError."""
    text = body.decode("utf-8", "surrogatepass")
    if not text.strip():
        raise NotAPageError("is empty", _NOT_JSON, cut=True)
    try:
        return _json.decode(text)
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        cut = _cut(text, error)
        what = "is incomplete JSON" if cut else "is not JSON"
        said = error.msg.lower().removesuffix(" at")  # Python's words
        place = f"{said} at byte {len(text[: error.pos].encode('utf-8', 'replace'))}"
        advice = _BROKEN if text.lstrip()[:1] in ("{", "[") else _NOT_JSON
        raise NotAPageError(f"{what} ({place})", _EARLY if cut else advice, cut=cut) from None


def _too_deep() -> NotAPageError:
    return NotAPageError(
        "is nested too deeply for a JSON parser",
        "tell the API's vendor, and set on_parse_error: skip_event to set aside such events and"
        " deliver the rest",
    )


def _cut(text: str, error: json.JSONDecodeError) -> bool:
    """Whether the only fault of the text is that it ends too early."""
    rest = text[error.pos : error.pos + 12].rstrip()
    ends = error.pos + 12 >= len(text) and _CUT.fullmatch(rest) is not None
    return not rest or ends or error.msg.startswith("Unterminated")


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
    """The events as they are written in the body, and decoded. Raises NotAPageError."""
    text = body.decode("utf-8", "surrogatepass")
    where, found = _find(whole, keys)
    for number, event in enumerate(found):
        if not isinstance(event, dict):
            element = f"{where or 'the array'}[{number}]"
            raise NotAPageError(f"is {kind(event)}, not an event", _BESIDE, subject=element)
    try:
        return _slices(text, where), found
    except RecursionError:
        raise _too_deep() from None


def _slices(text: str, where: str) -> list[bytes]:
    start = 0
    for key in where.split(".") if where else ():
        start = [begin for name, _, begin, _ in members(text, start) if name == key][-1]
    return [text[begin:end].encode("utf-8", "surrogatepass") for begin, end in _items(text, start)]


def _find(whole: Any, keys: Sequence[str]) -> tuple[str, list[Any]]:
    if isinstance(whole, list):
        return "", whole
    if not isinstance(whole, dict):
        raise NotAPageError(f"is {kind(whole)}, not a page of events", _NOT_JSON)
    for key in keys:
        found = dig(whole, key)
        if isinstance(found, list):
            return key, found
        if found is not None and len(keys) == 1:
            what = f"is {kind(found)}, not an array of events"
            raise NotAPageError(what, _ELSEWHERE, subject=key)
    raise no_events(keys)


def no_events(keys: Sequence[str]) -> NotAPageError:
    error = NotAPageError(f"has no array of events at {', '.join(keys)}", _ELSEWHERE)
    error.no_events = True
    return error


def not_utf8() -> NotAPageError:
    return NotAPageError("is not UTF-8", "set on_invalid_utf8 to replace or escape")


def cut_short() -> NotAPageError:
    return NotAPageError("is incomplete JSON", _EARLY, cut=True)


def string(text: str) -> str:
    """A decoded JSON string; if it is invalid, the text between its quotes."""
    try:
        return str(_json.decode(text))
    except ValueError:
        return text[1:-1]


def kind(value: Any) -> str:
    """The kind of a value as messages call it: `null`, `a string` …"""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    kinds = ((str, "a string"), ((int, float), "a number"), (list, "an array"), (dict, "an object"))
    return next(name for kind, name in kinds if isinstance(value, kind))


def end_of(text: str, at: int) -> int:
    """Where the value that starts at `at` ends; -1 if there is none. json counts the lines before
    an error, so it gets only a part of the text if that is enough."""
    for size in (*_WINDOWS, len(text)):
        part = text[at : at + size]
        try:
            end = _json.raw_decode(part)[1]
            if end < len(part) or at + size >= len(text):
                return at + end
        except json.JSONDecodeError as error:
            if error.pos < len(part) - 16 and not error.msg.startswith("Unterminated"):
                return -1
        except (ValueError, RecursionError):
            return -1
    return -1


def skip(text: str, at: int) -> int:
    """The next place that is not white space."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


def members(text: str, at: int) -> Iterator[tuple[str, int, int, int]]:
    """For each member of the object that starts at `at` (known to be valid): its name, where it
    starts, and where its value starts and ends."""
    at = skip(text, skip(text, at) + 1)
    while text[at] != "}":
        name, colon = _json.raw_decode(text, at)
        begin = skip(text, skip(text, colon) + 1)
        _, end = _json.raw_decode(text, begin)
        yield name, at, begin, end
        at = skip(text, end)
        if text[at] == ",":
            at = skip(text, at + 1)


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each element of the array that starts at `at` (known to be valid)."""
    at = skip(text, skip(text, at) + 1)
    while text[at] != "]":
        _, end = _json.raw_decode(text, at)
        yield at, end
        at = skip(text, end)
        if text[at] == ",":
            at = skip(text, at + 1)
