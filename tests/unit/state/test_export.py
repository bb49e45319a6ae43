"""An export holds all of a state, and what an import may not bring in is refused."""

from __future__ import annotations

from typing import Any

import pytest

from helr.errors import UnusableError
from helr.state import export
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint

MARKS = [("edge", b"\1\2", 5.5), ("cursor", b"\xff", 0.0)]


def test_what_is_dumped_is_what_was_committed() -> None:
    state = MemoryStore().source("s")
    assert export.dump(state) == {}
    values: dict[str, str | None] = {"cursor": "c", "ids": "a key of the Rust helr's"}
    state.commit([Checkpoint(values=values, ids=["b", "a"], capacity=9, marks=list(MARKS))])
    dumped = export.dump(state)
    assert dumped == {
        "cursor": "c",
        "ids": ["b", "a"],
        "marks": [["cursor", "ff", 0.0], ["edge", "0102", 5.5]],
    }
    ids, marks = export.lists("s", dumped)
    assert (ids, sorted(marks)) == (["b", "a"], sorted(MARKS))
    assert export.lists("s", {}) == ([], [])


@pytest.mark.parametrize(
    "values",
    [
        {"ids": "a"},
        {"ids": ["a", 5]},
        {"ids": [""]},
        {"ids": ["a\nb"]},
        {"ids": ["\ud800"]},
        {"marks": 5},
        {"marks": [["edge", "ff"]]},
        {"marks": [["edge", "no hex", 1]]},
        {"marks": [[5, "ff", 1]]},
        {"marks": [["edge", "ff", "1"]]},
        {"marks": [["edge", "ff", 1e300]]},
    ],
)
def test_lists_that_no_export_has(values: dict[str, Any]) -> None:
    with pytest.raises(UnusableError, match=r"^s: "):
        export.lists("s", values)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cursor", "any text, '\u00e9' too"),
        ("since", "1521214343"),
        ("since", "2018-03-16T15:32:23Z"),
        ("since", ""),
        ("lookback_from", "1521214343.5"),
        ("resets", "2"),
        ("success", "1700000000"),
        ("url", "https://api.example/logs"),
        ("hold", '{"since": 1, "until": 2}'),
        ("chain", "{}"),
    ],
)
def test_a_value_that_a_poll_understands(key: str, value: str) -> None:
    export.check("s", key, value, "since")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cursor", 5),
        ("cursor", None),
        ("cursor", "\udfff"),
        ("since", "yesterday"),
        ("lookback_from", "soon"),
        ("resets", "-1"),
        ("success", "1.5"),
        ("url", "https://api.example/logs?key=x"),
        ("url", "https://bob:pw@api.example/"),
        ("url", "api.example"),
        ("hold", "[]"),
        ("breaker", "{"),
        ("chain", '{"greatest": 1.5}'),
    ],
)
def test_one_that_it_would_not(key: str, value: Any) -> None:
    with pytest.raises(UnusableError, match=r"^s: "):
        export.check("s", key, value, "since")


def test_the_watermarks_key_is_the_configured_one() -> None:
    export.check("s", "since", "yesterday", "oldest_ts")  # another program's key
