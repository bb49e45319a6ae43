"""A source's state as JSON: what `helr state export` writes and a recording begins with.

The Rust helr's format, `{"key": "value"}` for a source, plus two lists: `ids` (delivered ids,
oldest first) and `marks` ([kind, hex, time]); see helr/state/records.py.
"""

from __future__ import annotations

import json
from typing import Any

from helr.errors import UnusableError
from helr.json_values import is_torn
from helr.numbers import number, whole
from helr.state import SourceState, records
from helr.timestamps import EARLIEST, LATEST, instant
from helr.urls import bare_url

HELD = (records.RETRY_AFTER, records.BREAKER)


def dump(state: SourceState) -> dict[str, Any]:
    """The whole state of a source. Raises StateError."""
    stored, ids = state.load(), state.ids()
    whole: dict[str, Any] = {k: v for k, v in stored.values.items() if k not in records.LISTS}
    if ids:
        whole["ids"] = ids
    if stored.marks:
        whole["marks"] = sorted([kind, mark.hex(), at] for kind, mark, at in stored.marks)
    return whole


def lists(name: str, values: dict[str, Any]) -> tuple[list[str], list[tuple[str, bytes, float]]]:
    """The ids and marks in the output of `dump`. Raises UnusableError."""
    ids = values.get("ids", [])
    if not isinstance(ids, list) or not all(isinstance(id_, str) for id_ in ids):
        raise UnusableError(
            "ids must be a list of strings, as written by `helr state export`", where=name
        )
    if any(not id_ or "\n" in id_ or is_torn(id_) for id_ in ids):
        what = "an id is empty, or contains a line break or an unpaired surrogate"
        raise UnusableError(what, where=name)
    try:
        marks = [_mark(*mark) for mark in values.get("marks", [])]
    except (TypeError, ValueError):
        raise UnusableError("marks are not as written by `helr state export`", where=name) from None
    return ids, marks


def _mark(kind: Any, mark: Any, at: Any) -> tuple[str, bytes, float]:
    found = number(at, EARLIEST, LATEST)
    if not isinstance(kind, str) or is_torn(kind) or isinstance(at, str) or found is None:
        raise ValueError
    return kind, bytes.fromhex(mark), float(found)


def check(where: str, key: str, value: Any, state_key: str | None) -> None:
    """Refuse a value that a poll could not use. Raises UnusableError.

    `where`: the beginning of the message. `state_key`: the key of the source's watermark.
    """
    if not isinstance(value, str):
        raise UnusableError(f"must be a string, not {json.dumps(value)[:80]}", where=where)
    if is_torn(key + value):
        raise UnusableError("the value contains an unpaired surrogate", where=where)
    if key == state_key and value and instant(value) is None:
        raise UnusableError(
            f"{value[:80]!r} is not a time",
            where=where,
            do="give Unix seconds (1521214343) or ISO 8601 (2018-03-16T15:32:23Z), as in the API's "
            "events",
        )
    if key == records.LOOKBACK_FROM and value and instant(value) is None:
        raise UnusableError(f"{value[:80]!r} is not a time in Unix seconds", where=where)
    if key in (records.RESETS, records.SUCCESS) and value and whole(value) is None:
        raise UnusableError(f"{value[:80]!r} is not an integer", where=where)
    if key == records.API and value and not _is_address(value):
        raise UnusableError("not a URL without user and query, as written by helr", where=where)
    if key in (records.CHAIN, *HELD) and value:
        _check_object(where, value)
    if key == records.CHAIN and value:
        _check_chain(where, value)


def _is_address(value: str) -> bool:
    return value.startswith(("http://", "https://")) and bare_url(value) == value


def _check_object(where: str, value: str) -> None:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UnusableError(f"not a JSON object as written by helr: {value[:80]!r}", where=where)


def _check_chain(where: str, value: str) -> None:
    try:
        records.read_chain(value)
    except ValueError:
        raise UnusableError(
            f"not a chain as written by helr: {value[:80]!r}", where=where
        ) from None
