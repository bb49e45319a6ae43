"""helr.page.refusal: the vendor's own message, in any format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.page.refusal import Words, is_error, said, words


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
        ({"Error": {"Code": "AccessDenied", "Message": "not yours"}}, "AccessDenied", "not yours"),
        (
            {"fault": {"faultstring": "Bad key", "detail": {"errorcode": "oauth.v2.BadKey"}}},
            "oauth.v2.BadKey",
            "Bad key",
        ),
        ({"errorMessages": ["the date is odd", "two"], "errors": {}}, None, "the date is odd"),
        ({"errcode": 40013, "errmsg": "no such app"}, "40013", "no such app"),
        ({"detail": [{"type": "missing", "msg": "since is required"}]}, "missing", None),
        ({"meta": {"errors": [{"code": 3, "message": "no scope"}]}}, "3", "no scope"),
        ({"error-code": "E7", "error-message": "no"}, "E7", "no"),
        ("plain text", None, "plain text"),
        (None, None, None),
        ({"error": True}, None, None),
    ],
)
def test_each_spelling(body: Any, code: str | None, sentence: str | None) -> None:
    if isinstance(body, dict) and "detail" in body and code == "missing":
        sentence = "since is required"  # FastAPI
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
        {"OK": False},
        {"success": "false", "data": []},
        {"Error": {"Code": "AccessDenied"}},
        {"meta": {"errors": [{"code": 3}]}, "data": []},
        {"errcode": 40013},
        {"errors": {"since": ["is too old"]}},
        {"isError": True},
        {"status": 401, "message": "no"},
        {"statusCode": "403"},
        {"response": {"status": "FAILED"}},
    ],
)
def test_what_is_an_error(body: Any) -> None:
    assert is_error(body)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"events": []},
        {"error": None, "errors": []},
        {"error": {"code": 0, "message": "OK"}},
        {"error": "none", "errors": {}, "errcode": 0},
        {"errorCode": "0", "success": True},
        {"status": 200, "code": 0, "message": "success"},
        "x",
        None,
    ],
)
def test_what_is_none(body: Any) -> None:
    assert not is_error(body)


@pytest.mark.parametrize("body", [{"result": "failure"}, {"code": 404}, {"state": "failed"}])
def test_beside_an_empty_array_what_may_echo_a_filter_is_no_error(body: Any) -> None:
    assert is_error(body)
    assert not is_error({**body, "events": []}, with_events=True)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"This address is not on the allow list", "This address is not on the allow list"),
        (b"<?xml version='1.0'?><E><C>Denied</C><M>No</M></E>", "Denied No"),
        (b"<html><head><title>\n413 Too Large</title></head><p>nginx", "413 Too Large"),
        (b"<html><title>403 Forbidden</title>", None),
        (b"Forbidden", None),
        (b"<!DOCTYPE html><p>Sign in", None),
        (b'\xef\xbb\xbf{"message": "not now"}', "not now"),
        (b'{"junk": "\xff", "message": "not now"}', "not now"),
        (b"\x1f\x8b\x08 packed", None),
        (b'{"message": "cut sho', None),
        (b"", None),
    ],
)
def test_words_of_a_body_in_any_form(body: bytes, sentence: str | None) -> None:
    assert said(body, 403) == Words(None, sentence)


@given(st.binary(max_size=80))
def test_any_bytes_give_words_of_one_line(body: bytes) -> None:
    assert not set(str(said(body, 400))) & set(map(chr, range(32)))


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
