"""The good events of a page with broken ones: `on_parse_error: skip_event`.

A page's array is cut at its commas without being parsed, and each element is decoded on its own; an
element that is not a JSON object in UTF-8 is set aside. The rest of the body must be valid JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from helr.page import json_fallback
from helr.page.page import Reject

# A string (to the end of the text if it is not terminated), or a delimiter.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{},]', re.DOTALL)
_FIRST = re.compile(r'\{[ \t\r\n]*("[^"\\]*")')  # how an event begins
_LAST = re.compile(r"\}[ \t\r\n]*\]")  # how an array of them ends
_ENDS = 20  # places to try for the end of an array
_BETWEEN = re.compile(r"\}[ \t\r\n]*,[ \t\r\n]*\{")
_lenient = json.JSONDecoder(strict=False)  # NaN and control characters do not matter here
_OPENING, _CLOSING = "[{", "]}"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


def events(
    body: bytes | bytearray, keys: Sequence[str]
) -> tuple[list[bytes], list[Any], Any, list[Reject]]:
    """The events as they are written in the body, the same events decoded, the rest of the body
    decoded (with an empty array in their place), and the rejects. Raises NotAPageError."""
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    where, start = _find(text, keys)
    spans, around = _cut(text, start)
    raws, decoded, rejects = list[bytes](), list[Any](), list[Reject]()
    for number, (begin, stop) in enumerate(spans):
        element = text[begin:stop]
        event, why = _decode(element)
        if why:
            rejects.append(Reject(f"{where or 'the array'}[{number}]", why, element))
        else:
            raws.append(element.encode("utf-8", "surrogatepass"))
            decoded.append(event)
    return raws, decoded, around, rejects


def _cut(text: str, start: int) -> tuple[list[tuple[int, int]], Any]:
    """Where the elements of the array at `start` are, and the rest of the body, decoded.

    A string that ends too early, too late or never (`"say "hi""`, `"C:\\dir\\"`) swaps strings and
    structure after it, so the end of the array is not found; it is then assumed to be at a place
    after which the rest of the body is valid JSON. Raises NotAPageError.
    """
    try:
        end, spans = _elements(text, start)
        around = _load(text[:start] + "[]" + text[end:])
    except json_fallback.NotAPageError:
        ends = [match.end() for match in _LAST.finditer(text, start)][-_ENDS:]
        for end in ends:
            with suppress(json_fallback.NotAPageError):
                around = _load(text[:start] + "[]" + text[end:])
                return list(_one_by_one(text, start + 1, end - 1)), around
        raise
    for number, (begin, stop) in enumerate(spans):
        if _misquoted(text[begin:stop]):
            return spans[:number] + list(_one_by_one(text, begin, end - 1)), around
    return spans, around


def _one_by_one(text: str, begin: int, stop: int) -> Iterator[tuple[int, int]]:
    """The elements between two places. The end of a broken element cannot be found from the element
    itself: it ends where the next one begins like the events of this API, with the same key."""
    first = _FIRST.search(text, begin, stop)
    key = re.escape(first[1]) if first else "(?!)"
    following = re.compile(r"\}[ \t\r\n]*,[ \t\r\n]*(?=\{[ \t\r\n]*" + key + ")")
    begin = json_fallback.skip(text, begin)
    while begin < stop:
        end = json_fallback.end_of(text, begin)
        comma = json_fallback.skip(text, end)
        if end < 0 or comma > stop or text[comma : comma + 1] not in (",", "]"):
            match = following.search(text, begin, stop)
            end = match.start() + 1 if match else stop
            comma = json_fallback.skip(text, end)
        yield _trimmed(text, begin, min(end, stop))
        begin = json_fallback.skip(text, comma + 1)


def _misquoted(element: str) -> bool:
    """Whether a string in it ends too early or too late, so that it contains the next element."""
    try:
        _lenient.decode(element)
    except json.JSONDecodeError:
        strings = (token[0] for token in _TOKEN.finditer(element) if token[0][0] == '"')
        return any(map(_BETWEEN.search, strings))
    except (ValueError, RecursionError):
        pass
    return False


def _decode(element: str) -> tuple[Any, str]:
    """The event, or why the element is not an event."""
    try:
        found = _load(element)
    except json_fallback.NotAPageError as error:
        return None, error.found
    if not isinstance(found, dict):
        return None, f"is {json_fallback.kind(found)}, not an event"
    return found, ""


def _load(text: str) -> Any:
    """Decode JSON. Raises NotAPageError."""
    if _NOT_UTF8.search(text):
        raise json_fallback.not_utf8()
    return json_fallback.load(text.encode("utf-8", "surrogatepass"))


def _find(text: str, keys: Sequence[str]) -> tuple[str, int]:
    """The key that leads to an array, and where that array begins. Raises NotAPageError."""
    at = json_fallback.skip(text, 0)
    if text[at : at + 1] == "[":
        return "", at
    error = json_fallback.no_events(keys)
    for key in keys:
        try:
            begin = _value_at(text, at, key)
        except json_fallback.NotAPageError as cut_short:  # nothing can be found after the cut
            error = cut_short
            continue
        if begin >= 0 and text[begin : begin + 1] == "[":
            return key, begin
    raise error


def _value_at(text: str, at: int, path: str) -> int:
    """Where the value at a dotted path starts; -1 if there is none. Raises NotAPageError."""
    for name in path.split("."):
        at = next((value for found, value in _members(text, at) if found == name), -1)
        if at < 0:
            break
    return at


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The name of each member of the object at `at`, and where its value starts. The text after the
    last member that is consumed may be broken."""
    if text[at : at + 1] != "{":
        return
    walk, end = _walk(text, at), at + 1
    while end == at + 1 or text[end - 1] == ",":
        name = _TOKEN.match(text, json_fallback.skip(text, end))
        if name and name[0][0] == '"':
            colon = json_fallback.skip(text, name.end())
            if text[colon : colon + 1] == ":":
                yield json_fallback.string(name[0]), json_fallback.skip(text, colon + 1)
        *_, end = next(walk)


def _elements(text: str, at: int) -> tuple[int, list[tuple[int, int]]]:
    """Where the array or object that starts at `at` ends, and where each of its elements is."""
    spans, end = list[tuple[int, int]](), at
    for begin, stop, end in _walk(text, at):
        if stop > begin or text[end - 1] == "," or spans:
            spans.append((begin, stop))
    return end, spans


def _walk(text: str, at: int) -> Iterator[tuple[int, int, int]]:
    """For each element of the array or object that starts at `at`: its start, its end, and the
    place after its comma. An empty array or object has one, empty element."""
    depth, begin = 0, at + 1
    for token in _TOKEN.finditer(text, at):
        sign = token[0]
        if sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
        if depth == 0 or (depth == 1 and sign == ","):
            yield (*_trimmed(text, begin, token.start()), token.end())
            begin = token.end()
            if depth == 0:
                return
    raise json_fallback.cut_short()


def _trimmed(text: str, begin: int, stop: int) -> tuple[int, int]:
    begin = min(json_fallback.skip(text, begin), stop)
    return begin, begin + len(text[begin:stop].rstrip(" \t\r\n"))
