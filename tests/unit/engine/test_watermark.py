"""helr.engine.watermark: instants of a page, and the events at its edge."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.engine.watermark import Edge, digests, packed, read, unpacked
from helr.log import for_source

LOG = for_source("s")
NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("values", "greatest", "spelled"),
    [
        ([5, 7, 6], 7, "7"),
        ([5.5, 7], 7, "7"),
        (["2018-03-16T15:32:23Z", "2018-03-16T15:32:24+00"], 1521214344, "2018-03-16T15:32:24+00"),
        (["1521214343", "99"], 1521214343, "1521214343"),
        ([1521214343000, 1521214344000], 1521214344, "1521214344000"),
        ([None, 3, "x"], 3, "3"),
        ([NOW + 5000, 3], 3, "3"),
        ([None], None, None),
        ([NOW + 1], None, None),
    ],
)
def test_the_greatest_time_that_has_come(
    values: list[Any], greatest: float | None, spelled: str | None
) -> None:
    times = read(LOG, values, NOW)
    assert (times.greatest, times.spelled) == (greatest, spelled)
    assert len(times.instants) == len(values)


def test_a_missing_time_is_told_with_the_first_of_them(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "helr"):
        read(LOG, [1, "soon", None], NOW)
    assert "2 of 3 events have no usable time (the first: 'soon' at index 1)" in caplog.text


def test_a_time_in_the_future_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "helr"):
        read(LOG, [1, NOW + 5000], NOW)
    assert "1 event dated in the future (up to 2027-01-15T09:23:20Z)" in caplog.text


def test_a_clock_a_little_behind_is_not_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "helr"):
        assert read(LOG, [1, NOW + 2], NOW).greatest == 1
    assert not caplog.text


events = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12)


@given(events, st.integers(0, 9))
def test_what_was_marked_at_the_edge_is_known_when_it_comes_again(
    page: list[tuple[int, int]], floor: int
) -> None:
    raws = [b"%d-%d" % event for event in page]
    times = read(LOG, [at for _, at in page], NOW) if page else None
    edge = Edge()
    if times:
        edge.add(unpacked(packed(edge.marks_from(floor, raws, times))))
        again = edge.repeats(raws, times)
        assert again == {index for index, (_, at) in enumerate(page) if at >= floor}
        edge.forget(floor + 1)
        marked = zip(digests(raws), page, strict=True)
        kept = {(at, mark) for mark, (_, at) in marked if at > floor}
        assert {(at, mark) for at, marks in edge.marks.items() for mark in marks} == kept


def test_an_event_of_the_same_second_but_other_bytes_is_new() -> None:
    edge = Edge({5: set(digests([b"old"]))})
    assert edge.repeats([b"old", b"new"], read(LOG, [5, 5], NOW)) == {0}


def test_equal_events_are_as_many_as_come() -> None:
    edge, same = Edge(), [b"failed login"] * 3
    edge.add(unpacked(packed(edge.marks_from(5, same[:2], read(LOG, [5, 5], NOW)))))
    assert edge.repeats(same[:2], read(LOG, [5, 5], NOW)) == {0, 1}
    assert edge.repeats(same, read(LOG, [5, 5, 5], NOW)) == {0, 1}, "the third is new"


def test_an_api_may_compare_whole_seconds_only() -> None:
    """Events at 5.9 and 5.1: asked from second 5 on, both come again and both are known."""
    raws, times = [b"late", b"early"], read(LOG, [5.9, 5.1], NOW)
    edge = Edge()
    edge.add(edge.marks_from(5, raws, times))
    assert edge.repeats(raws, times) == {0, 1}
    assert (times.greatest, times.spelled) == (5.9, "5.9")


@given(st.lists(st.integers(1, 2 * NOW), min_size=1))
def test_whole_seconds_read_the_quick_way_say_the_same(values: list[int]) -> None:
    assert read(LOG, values, NOW, whole=True) == read(LOG, values, NOW)


def test_marks_kept_one_by_one_are_read_with_those_kept_together() -> None:
    one, two, three = digests([b"1", b"2", b"3"])
    rows = [("edge", one, 5.0), ("cursor", b"x", 0.0), ("edge", two + three, 5.0)]
    assert unpacked(rows) == {5.0: {one, two, three}}
