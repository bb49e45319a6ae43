"""Lines over `max_line_bytes`: cut to a smaller valid line, left out, or the poll fails.

A cut line contains whole members of its event, unchanged and in their order. The members with the
event's id and time come first, then every other that fits; an object that does not fit keeps those
of its members that do. `meta.truncated` is the size in bytes that the line would have had.

A line is read as Latin-1: one character is one byte, and JSON's structure is ASCII.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from helr.errors import PollError
from helr.log import excerpt, for_source
from helr.model import Source
from helr.page.json_fallback import dig, members
from helr.timestamps import rfc3339

_DEPTH = 8  # levels of nested objects that are searched for members that fit
_SHARE = 8  # meta.id and ts may each take an eighth of a cut line


class LineTooLongError(PollError):
    """A line is over `max_line_bytes` and `max_line_bytes_behavior` is `fail`."""


def enforce(
    source: Source, lines: list[bytes], limit: int, times: Iterable[str], received: float
) -> None:
    """Apply the source's setting to lines longer than `limit`; one left out becomes b"".

    Raises LineTooLongError.
    """
    paths = _id_paths(source)
    first = frozenset([*paths, *times])
    long = [index for index, line in enumerate(lines) if len(line) > limit]
    longest = max((lines[index] for index in long), key=len, default=b"")
    name = _name(longest, paths)
    behavior = source.max_line_bytes_behavior
    if behavior == "fail":
        raise LineTooLongError(
            f"{name} makes a line of {len(longest)} bytes, more than max_line_bytes ({limit})",
            do="raise it and the shipper's limit, or set max_line_bytes_behavior to "
            "truncate or skip",
            source=source.name,
        )
    for index in long:
        line = lines[index]
        lines[index] = cut(line, limit, first, received) if behavior == "truncate" else b""
    skipped = sum(not lines[index] for index in long)
    told = [
        f"{count} {what}"
        for count, what in ((len(long) - skipped, "cut"), (skipped, "left out"))
        if count
    ]
    for_source(source.name, source.label_key, source.label_value).warning(
        "lines over max_line_bytes (%d): %s; the longest is %d bytes (%s)",
        limit,
        ", ".join(told),
        len(longest),
        name,
        fields={"truncated": len(long) - skipped, "skipped": skipped},
    )


def cut(line: bytes, limit: int, first: frozenset[str], received: float) -> bytes:
    """A valid line of at most `limit` bytes, b"" if not even an empty event fits.

    `first`: paths of the members that are kept first. `received` replaces a very long ts.
    """
    text = line.decode("latin-1")
    endpoint, event, meta, label, ts = (
        (text[start:end], begin) for _, start, begin, end in members(text, 0)
    )
    notes = [text[start:end] for _, start, _, end in members(text, meta[1])]
    notes = [note for note in notes if len(note) <= limit // _SHARE]
    said = ",".join([*notes, f'"truncated":{len(line)}'])
    stamp = ts[0] if len(ts[0]) <= limit // _SHARE else f'"ts":"{rfc3339(received)}"'
    head = "{" + endpoint[0] + ',"event":'
    tail = ',"meta":{' + said + "}," + label[0] + "," + stamp + "}\n"
    room = limit - len(head) - len(tail)
    if room < 2:
        return b""
    try:
        kept = _fit(text, event[1], room, frozenset(map(_latin, first)), _DEPTH)
    except RecursionError:
        kept = "{}"
    return (head + kept + tail).encode("latin-1")


def _fit(text: str, at: int, room: int, first: frozenset[str], depth: int) -> str:
    """The object at `at` with those members that fit into `room` bytes, including braces."""
    room -= 2
    kept: dict[int, str] = {}
    heads = {path.partition(".")[0] for path in first}
    found = list(enumerate(members(text, at)))
    found.sort(key=lambda each: (each[1][0] not in first, each[1][0] not in heads))
    for index, (name, start, begin, end) in found:
        comma = bool(kept)
        piece = text[start:end]
        if len(piece) + comma > room and text[begin] == "{" and depth:
            inner = frozenset(
                rest for head, _, rest in (path.partition(".") for path in first) if head == name
            )
            part = _fit(text, begin, room - comma - (begin - start), inner, depth - 1)
            piece = text[start:begin] + part if len(part) > 2 else piece
        if len(piece) + comma <= room:
            kept[index] = piece
            room -= len(piece) + comma
    return "{" + ",".join(kept[index] for index in sorted(kept)) + "}"


def _latin(path: str) -> str:
    return path.encode("utf-8", "surrogatepass").decode("latin-1")


def _id_paths(source: Source) -> list[str]:
    found = list(source.dedupe.id_paths) if source.dedupe else []
    return [*found, *([source.transform.id_field] if source.transform.id_field else []), "id"]


def _name(line: bytes, paths: Iterable[str]) -> str:
    """The event's id, by which it can be found."""
    try:
        event = json.loads(line)["event"]
    except (ValueError, RecursionError, KeyError):
        return "an event"
    ids = (dig(event, path) for path in paths)
    found = next((value for value in ids if isinstance(value, (str, int, float))), None)
    return "an event without id" if found is None else f"event {excerpt(str(found), 64)}"
