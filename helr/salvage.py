"""The good events of a page that is not all good: `on_parse_error: skip_event`.

A page's array is cut at its commas without being understood, each element is decoded for itself,
and what is not a JSON object in UTF-8 is set aside. What surrounds the array must still be JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from helr import slowpage
from helr.rejects import Reject

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)  # a string, or what cuts
_OPENING, _CLOSING = "[{", "]}"
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


def events(
    body: bytes | bytearray, keys: Sequence[str]
) -> tuple[list[bytes], list[Any], Any, list[Reject]]:
    """The events as they are in the body, the same decoded, what surrounds them decoded (with an
    empty array in their place), and what was set aside. Raises NotAPageError."""
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    where, start = _find(text, keys)
    end, spans = _elements(text, start)
    around = _load(text[:start] + "[]" + text[end:])
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


def _decode(element: str) -> tuple[Any, str]:
    """The event, or why the element is none."""
    try:
        found = _load(element)
    except slowpage.NotAPageError as error:
        return None, str(error).replace("the body ", "", 1)
    if not isinstance(found, dict):
        return None, f"is {slowpage.kind(found)}, not an event"
    return found, ""


def _load(text: str) -> Any:
    """JSON decoded. Raises NotAPageError."""
    if _NOT_UTF8.search(text):
        raise slowpage.not_utf8()
    return slowpage.load(text.encode("utf-8", "surrogatepass"))


def _find(text: str, keys: Sequence[str]) -> tuple[str, int]:
    """Which of the keys leads to an array, and where that begins. Raises NotAPageError."""
    at = slowpage.skip(text, 0)
    if text[at : at + 1] == "[":
        return "", at
    for key in keys:
        begin = at
        for name in key.split("."):
            begin = next((at for found, at in _members(text, begin) if found == name), -1)
            if begin < 0:
                break
        if begin >= 0 and text[begin] == "[":
            return key, begin
    raise slowpage.no_events(keys)


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The name of each member of the object at `at`, and where its value starts."""
    if text[at : at + 1] != "{":
        return
    for begin, stop in _elements(text, at)[1]:
        name = _TOKEN.match(text, begin)
        if name is None or name[0][0] != '"':
            continue
        colon = slowpage.skip(text, name.end())
        value = slowpage.skip(text, colon + 1)
        if text[colon : colon + 1] == ":" and value < stop:
            yield slowpage.string(name[0]), value


def _elements(text: str, at: int) -> tuple[int, list[tuple[int, int]]]:
    """Where the array or object that starts at `at` ends, and where each of its elements is."""
    spans, depth, begin = list[tuple[int, int]](), 0, at + 1
    for token in _TOKEN.finditer(text, at):
        sign = token[0]
        if sign in _OPENING:
            depth += 1
        elif sign in _CLOSING:
            depth -= 1
        if depth == 0 or (depth == 1 and sign == ","):
            stop = token.start()
            if not spans and depth == 0 and not text[begin:stop].strip():
                return token.end(), spans
            spans.append(_trimmed(text, begin, stop))
            begin = token.end()
            if depth == 0:
                return begin, spans
    raise slowpage.cut_short()


def _trimmed(text: str, begin: int, stop: int) -> tuple[int, int]:
    begin = min(slowpage.skip(text, begin), stop)
    return begin, begin + len(text[begin:stop].rstrip(" \t\r\n"))
