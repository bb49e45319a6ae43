"""A cursor from the body to a query parameter."""

from __future__ import annotations

from typing import Any

import pytest

from helr.messages import Request
from helr.pagination import LAST, Answer, BadTokenError, More
from helr.pagination.cursor import Cursor

CURSOR = Cursor("after", "meta.next")


def following(value: Any) -> Any:
    return CURSOR.next("before", Answer({"meta.next": value}, {}, "https://h/logs", 9))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("abc", More("abc")), (12, More("12")), (0, More("0"))]
    + [(nothing, LAST) for nothing in ("", None, False)],
)
def test_what_a_page_names(value: Any, expected: Any) -> None:
    assert following(value) == expected


def test_a_bare_array_has_no_cursor() -> None:
    assert CURSOR.next(None, Answer({}, {}, "https://h/logs", 9)) == LAST


@pytest.mark.parametrize("value", [True, 1.5, [], {}, "\ud800"])
def test_what_cannot_be_sent_back(value: Any) -> None:
    with pytest.raises(BadTokenError, match="the next cursor") as caught:
        following(value)
    assert caught.value.do == "check pagination.cursor_path"


def test_it_is_sent_once() -> None:
    request = Request("https://h/logs", (("limit", "5"), ("after", "old")))
    sent = CURSOR.apply(request, "a&b")
    assert sent.params == (("limit", "5"), ("after", "a&b"))
    assert sent.token == "a&b"
