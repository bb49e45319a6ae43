"""helr.engine.dedupe: exact ids, first in first out, an event without an id always delivered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.engine.dedupe import Seen, keys

ids = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.integers(-3, 3),
    st.booleans(),
    st.just([1]),
    st.just("x" * 200),
    st.just("\ud800"),
)


@pytest.mark.parametrize("value", [None, "", [], {}, True, False])
def test_what_is_no_id(value: Any) -> None:
    assert keys([value, "a"]) == [None, "a"]


@pytest.mark.parametrize("text", ["1700000000.1234567", "9007199254740993.0", "1e300", "1e400"])
def test_a_number_that_a_float_does_not_hold_is_no_id(text: str) -> None:
    """Another number may be read as the same float; an event lost is worse than one repeated."""
    assert keys([float(text)]) == [None]


def test_a_number_is_not_the_text_of_it() -> None:
    assert len(set(keys([1, "1", 1.5, "1.5", "\0n1"]))) == 5


@pytest.mark.parametrize("value", ["x" * 5000, "a\nb", "é", "\ud800", 10**300])
def test_an_unusual_id_becomes_a_short_printable_key(value: Any) -> None:
    (key,) = keys([value])
    assert key is not None
    assert len(key) < 80
    assert "\n" not in key
    key.encode()


@given(st.lists(ids))
def test_the_quick_way_and_the_slow_way_agree(values: list[Any]) -> None:
    assert keys(values) == [keys([value])[0] for value in values]


def reference(capacity: int, pages: list[list[str | None]]) -> list[list[int]]:
    """What `fresh` must answer, in the plainest way."""
    kept: list[str] = []
    answers = []
    for page in pages:
        answer, here = [], set[str]()
        for index, key in enumerate(page):
            if key is None or (key not in kept and key not in here):
                answer.append(index)
                if key is not None:
                    here.add(key)
        kept += [page[i] for i in answer if page[i] is not None]  # type: ignore[misc]
        kept = kept[-capacity:]
        answers.append(answer)
    return answers


@given(
    st.integers(1, 8),
    st.lists(st.lists(st.one_of(st.none(), st.sampled_from("abcdefghijkl")), max_size=6)),
)
def test_first_in_first_out_at_capacity(capacity: int, pages: list[list[str | None]]) -> None:
    seen = Seen(capacity)
    answers = []
    for page in pages:
        answer = seen.fresh(page)
        seen.add(page if answer is None else [page[index] for index in answer])
        answer = list(range(len(page))) if answer is None else answer
        answers.append(answer)
        assert len(seen) <= capacity
    assert answers == reference(capacity, pages)


def test_ids_read_from_the_state_keep_their_order() -> None:
    seen = Seen(2, ["a", "b", "c"])
    assert list(seen.ids) == ["b", "c"]
    seen.add(["d"])
    assert seen.fresh(["b", "c", "d"]) == [0]


@given(st.integers(3, 40), st.integers(1, 7), st.integers(1, 60))
def test_of_a_newest_first_list_the_newest_are_remembered(
    capacity: int, size: int, total: int
) -> None:
    """The next chain's lookback begins at the newest events: forgetting those would repeat them."""
    seen = Seen(capacity)
    newest_first = [str(number) for number in reversed(range(total))]
    for start in range(0, total, size):
        page = newest_first[start : start + size]
        seen.add(page, at=float(page[0]))
    spared = min(max(capacity - 2 * size, 0), total)
    assert seen.fresh(newest_first[:spared]) == ([] if spared else None)
    assert len(seen) == min(capacity, total)


def test_the_page_just_delivered_is_remembered_whatever_its_age() -> None:
    seen = Seen(4, ["a", "b", "c", "d"])
    seen.add(["old-1", "old-2"], at=-5.0)
    assert seen.fresh(["old-1", "old-2"]) == []
    assert len(seen) == 4


def test_an_id_means_the_same_event_only_with_its_time() -> None:
    seen = Seen(10)
    first = seen.timed(["a", None, "b"], [1, 2, 3.5])
    seen.add(first)
    assert seen.fresh(seen.timed(["a", None, "b"], [1, 2, 3.5])) == [1]
    assert seen.fresh(seen.timed(["a", "b"], [2, 3.5])) == [0]


def test_ids_that_were_remembered_without_a_time_are_known_with_any() -> None:
    seen = Seen(10, ["old", "new\1" + "7"])
    assert seen.fresh(seen.timed(["old", "new", "new", "other"], [1, 7, 8, 9])) == [2, 3]
