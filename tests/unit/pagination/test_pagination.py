"""What the kinds share: one is opened by its name, and a token is a text that can be sent back."""

from __future__ import annotations

from typing import Any

import pytest

from helr.model import Pagination
from helr.pagination import BadTokenError, open_pagination, token_in
from helr.pagination.cursor import Cursor
from helr.pagination.none import SinglePage


def test_a_kind_is_named_by_the_strategy() -> None:
    options = {"cursor_param": "c", "cursor_path": "next"}
    assert isinstance(open_pagination(Pagination("cursor", options=options)), Cursor)
    assert isinstance(open_pagination(Pagination()), SinglePage)


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ("abc", "abc"),
        (" é\U0001f600", " é\U0001f600"),
        ("0", "0"),
        (0, "0"),
        (17, "17"),
        (None, None),
        (False, None),
        ("", None),
    ],
)
def test_a_token(value: Any, token: str | None) -> None:
    assert token_in(value, "the cursor", "pagination.cursor_path") == token


@pytest.mark.parametrize("value", [True, 1.5, [], {}, ["a"], "half \ud83d"])
def test_what_cannot_be_sent_back(value: Any) -> None:
    with pytest.raises(BadTokenError, match=r"^the cursor ") as caught:
        token_in(value, "the cursor", "pagination.cursor_path")
    assert caught.value.do == "check pagination.cursor_path"
