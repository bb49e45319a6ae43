"""What an error answer becomes: a refused token, a rate limit, or an error with the API's words."""

from __future__ import annotations

import json

import pytest

from helr.page.api_error import ApiError, TokenRefusedError, api_error, is_error
from tests.unit.support import URL, make_source, respond

SOURCE = make_source()
INVALID_CURSOR = '{"ok":false,"error":"invalid_cursor"}'


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, INVALID_CURSOR),
        (200, INVALID_CURSOR),
        (422, '{"message":"The pagination cursor has expired"}'),
        (404, "cursor not found"),
        (410, ""),  # gone, whatever the body says
    ],
)
def test_a_refused_token(status: int, body: str) -> None:
    error = api_error(SOURCE, respond(body, status, token="c"))
    assert isinstance(error, TokenRefusedError)
    assert (error.final, error.status, error.where, error.source) == (True, status, URL, "s")
    assert "the cursor was refused" in error.what


@pytest.mark.parametrize(
    ("status", "body", "token"),
    [
        (400, INVALID_CURSOR, None),  # none was sent
        (400, '{"error":"invalid_arguments"}', "c"),
        (401, INVALID_CURSOR, "c"),
        (500, INVALID_CURSOR, "c"),
    ],
)
def test_an_error_that_is_not_about_the_token(status: int, body: str, token: str | None) -> None:
    error = api_error(SOURCE, respond(body, status, token))
    assert type(error) is ApiError
    assert error.what.startswith(f"HTTP {status}")
    assert error.server_fault == (status >= 500)


def test_it_says_the_apis_code_and_words() -> None:
    body = json.dumps({"error": "missing_scope", "message": "needs auditlogs:read"})
    error = api_error(SOURCE, respond(body, 403))
    assert error.code == "missing_scope"
    assert "missing_scope" in error.what
    assert "needs auditlogs:read" in error.what


@pytest.mark.parametrize(("status", "limited"), [(429, True), (403, False), (500, False)])
def test_a_rate_limit(status: int, limited: bool) -> None:
    assert api_error(SOURCE, respond("{}", status)).limited == limited


def test_an_error_in_a_200_says_that_the_body_is_one() -> None:
    error = api_error(SOURCE, respond('{"ok":false}', 200))
    assert error.what.startswith("HTTP 200")
    assert "error" in str(error).removeprefix("s: ")
    assert error.do


@pytest.mark.parametrize(
    ("body", "token", "error"),
    [
        ('{"ok":false,"error":"x"}', None, True),
        (INVALID_CURSOR, "c", True),
        ('{"entries":[],"warning":"invalid cursor"}', None, False),
        ('{"entries":[]}', "c", False),
        ("[]", "c", False),
        ("", "c", False),
    ],
)
def test_an_empty_page_that_is_an_error(body: str, token: str | None, error: bool) -> None:
    assert is_error(respond(body, token=token)) == error
