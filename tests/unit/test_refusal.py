"""helr.refusal: the vendor's own words, however it spells them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.refusal import Words, is_error, words


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ({"ok": False, "error": "invalid_auth"}, "invalid_auth", None),
        (
            {"error": {"code": 400, "message": "Bad time", "status": "INVALID_ARGUMENT"}},
            "INVALID_ARGUMENT",
            "Bad time",
        ),
        ({"errorCode": "E0000011", "errorSummary": "Invalid token"}, "E0000011", "Invalid token"),
        ({"message": "Bad credentials", "status": "401"}, "401", "Bad credentials"),
        ({"error": "invalid_grant", "error_description": "expired"}, "invalid_grant", "expired"),
        ({"title": "Out of range", "detail": "too old", "status": 400}, None, "too old"),
        ({"errors": [{"code": "AUTH-1", "detail": "no scope"}]}, "AUTH-1", "no scope"),
        ({"success": False, "errors": [{"code": 1000, "message": "no"}]}, "1000", "no"),
        ({"stat": "FAIL", "code": 40002, "message": "Invalid request"}, "40002", "Invalid request"),
        ({"fail": [{"errors": [{"code": "err_x", "message": "no"}]}]}, "err_x", "no"),
        ({"errors": ["not authorized to read this"]}, None, "not authorized to read this"),
        ({"error": "rate limit exceeded"}, None, "rate limit exceeded"),
        ({"error_summary": "reset/.", "error": {".tag": "reset"}}, "reset", "reset/."),
        ({"errors": [{"message": "no", "extensions": {"code": "X"}}], "data": None}, None, "no"),
        ([{"message": "Session expired", "errorCode": "INVALID_SESSION_ID"}], None, None),
        ("plain text", None, "plain text"),
        (None, None, None),
        ({"error": True}, None, None),
    ],
)
def test_each_spelling(body: Any, code: str | None, sentence: str | None) -> None:
    if isinstance(body, list):  # Salesforce: an array of errors
        code, sentence = "INVALID_SESSION_ID", "Session expired"
    assert words(body, 400) == Words(code, sentence)


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 401}},
        {"success": False},
        {"status": "error", "message": "suspended"},
        {"errors": [{"message": "no"}], "data": None},
        {"stat": "FAIL"},
        {"fail": [{}]},
        {"error": True},
        {"ok": False},
    ],
)
def test_what_is_an_error(body: Any) -> None:
    assert is_error(body)


@pytest.mark.parametrize("body", [[], {}, {"events": []}, {"error": None, "errors": []}, "x", None])
def test_what_is_none(body: Any) -> None:
    assert not is_error(body)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "code", "message", "status", "detail"]), inner
        )
    ),
)


@given(json)
def test_any_body_gives_words_of_one_line(body: Any) -> None:
    said = str(words(body, 400))
    assert not set(said) & set(map(chr, range(32)))
    assert len(said) < 500
    is_error(body)
