"""Where a chain ends, and what a feed keeps."""

from __future__ import annotations

from typing import Any

import pytest

from helr.messages import Request
from helr.model import Pagination
from helr.pagination import LAST, Answer, BadTokenError, Keep, More, Next, open_pagination

CURSOR = {"cursor_param": "after", "cursor_path": "next"}


def following(events: int = 5, token: str | None = "t", next_: Any = "n", **keys: Any) -> Next:
    more = keys.pop("more", None)
    pagination = open_pagination(Pagination("cursor", options=CURSOR, **keys))
    assert set(pagination.body_paths) == {"next", *({"more"} if "more_path" in keys else ())}
    return pagination.next(token, Answer({"next": next_, "more": more}, {}, "https://h/", events))


def test_without_any_of_it_the_kind_is_as_it_was() -> None:
    made = open_pagination(Pagination("cursor", options=CURSOR))
    assert type(made).__name__ == "Cursor"


@pytest.mark.parametrize("flag", [True, 1, "true", "yes", "MORE", [1]])
def test_a_flag_that_says_more(flag: Any) -> None:
    assert following(more_path="more", more=flag) == More("n")


@pytest.mark.parametrize("flag", [False, 0, None, "", "false", "FALSE", "0", "no"])
def test_a_flag_that_says_no_more(flag: Any) -> None:
    assert following(more_path="more", more=flag) == LAST


@pytest.mark.parametrize(
    ("value", "flag", "after"),
    [
        ("MORE", "MORE", More("n")),
        ("MORE", "DONE", LAST),
        ("false", False, More("n")),  # `done: false`
        ("false", True, LAST),
        ("1", 1, More("n")),
    ],
)
def test_a_word_that_says_more(value: str, flag: Any, after: Next) -> None:
    assert following(more_path="more", more_value=value, more=flag) == after


def test_an_empty_page_and_a_short_one() -> None:
    assert following(0, end="empty_page") == LAST
    assert following(1, end="empty_page") == More("n")
    assert following(9, end="short_page", limit=10) == LAST
    assert following(10, end="short_page", limit=10) == More("n")
    assert following(0) == More("n"), "only where the config says so"


def test_a_feed_keeps_what_led_on() -> None:
    kept = following(0, keep=True)
    assert (type(kept), kept) == (Keep, Keep("n"))
    assert isinstance(following(3, keep=True), More)
    assert isinstance(following(3, keep=True, more_path="more", more=False), Keep)
    kept = following(3, token="old", next_=None, keep=True)
    assert (type(kept), kept) == (Keep, Keep("old", named=False))
    assert following(0, token=None, next_=None, keep=True) == LAST


def paged(strategy: str, **keys: Any) -> Any:
    options = {f"{strategy.removeprefix('page_')}_param": "p", "limit_param": "n"}
    if strategy == "page_offset":
        options = {"page_param": "p", "limit_param": "n"}
    return open_pagination(Pagination(strategy, options=options, limit=10, **keys))


@pytest.mark.parametrize(
    ("strategy", "first", "second"), [("page_offset", "1", "2"), ("offset", "0", "10")]
)
def test_pages_by_number(strategy: str, first: str, second: str) -> None:
    pagination = paged(strategy)
    asked = pagination.apply(Request("https://h/", (("q", "1"), ("n", "99"))), None)
    assert (asked.params, asked.token) == ((("q", "1"), ("n", "10"), ("p", first)), None)
    after = pagination.next(None, Answer({}, {}, "", 10))
    assert after == More(second)
    asked = pagination.apply(Request("https://h/"), second)
    assert (asked.params, asked.token) == ((("n", "10"), ("p", second)), second)
    assert pagination.next(second, Answer({}, {}, "", 9)) == LAST
    greedy = paged(strategy, end="empty_page")
    assert isinstance(greedy.next(second, Answer({}, {}, "", 9)), More)
    assert greedy.next(second, Answer({}, {}, "", 0)) == LAST


def test_an_offset_counts_what_came_and_not_what_was_asked_for() -> None:
    assert paged("offset", end="empty_page").next("40", Answer({}, {}, "", 7)) == More("47")


def test_the_last_id() -> None:
    keys = {"id_path": "id", "id_param": "after"}
    pagination = open_pagination(Pagination("last_id", options=keys))
    assert pagination.event_paths == ("id",)
    assert pagination.next(None, Answer({}, {}, "", 2, {"id": "b"})) == More("b")
    assert pagination.next("b", Answer({}, {}, "", 0, {"id": None})) == LAST
    with pytest.raises(BadTokenError, match="the last event has no id"):
        pagination.next("b", Answer({}, {}, "", 2, {"id": None}))
    asked = pagination.apply(Request("https://h/"), "b")
    assert (asked.params, asked.token) == ((("after", "b"),), "b")
