"""What an answer means in the API's own words; pages without their array; refused tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest

from helr.errors import PollError
from helr.messages import Request, Response
from helr.model import ErrorRule, Pagination, Source
from helr.page.api_error import ApiError, BadPageError, TokenRefusedError
from helr.page.decoder import Decoder
from helr.page.error_rules import meaning
from helr.page.page import Page
from helr.pagination import Keep, More, open_pagination
from tests.unit.support import QUICK

URL = "https://api.example.com/logs"
RULES = (
    ErrorRule("success", "error", falsy=True),
    ErrorRule("code", "refused_token", ("AF20031", "7")),
    ErrorRule("busy", "retry"),
    ErrorRule("error.reason", "rate_limited", ("slow",)),
    ErrorRule("kind", "empty", ("activities",)),
)


def decode(
    body: Any,
    status: int = 200,
    token: str | None = None,
    rules: tuple[ErrorRule, ...] = RULES,
    **pagination: Any,
) -> Page:
    options = {"cursor_param": "c", "cursor_path": "next"}
    source = Source(
        "s",
        URL,
        QUICK,
        pagination=Pagination("cursor", options=options, **pagination),
        response_events_path="items",
        error_rules=rules,
    )
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(Request(URL, token=token), URL, "/logs", status, {}, data, 1_700_000_000.0)
    return Decoder(source, open_pagination(source.pagination), ["id"])(response)


@pytest.mark.parametrize("value", [False, 0, "", "false", "0", "no", [], {}])
def test_falsy(value: Any) -> None:
    assert meaning((ErrorRule("a", "error", falsy=True),), {"a": value}.get) == "error"
    assert meaning((ErrorRule("a", "error"),), {"a": value}.get) == ""


@pytest.mark.parametrize("value", [True, 1, "x", "true", [0], {"a": 1}, -1, 0.5])
def test_truthy(value: Any) -> None:
    assert meaning((ErrorRule("a", "error"),), {"a": value}.get) == "error"
    assert meaning((ErrorRule("a", "error", falsy=True),), {"a": value}.get) == ""


@pytest.mark.parametrize("found", [{}, {"a": None}])
def test_what_is_absent_matches_nothing(found: dict[str, Any]) -> None:
    for rule in (
        ErrorRule("a", "x"),
        ErrorRule("a", "x", falsy=True),
        ErrorRule("a", "x", ("None",)),
    ):
        assert meaning((rule,), found.get) == ""


def test_the_first_rule_counts_and_values_are_compared_as_json_spells_them() -> None:
    rules = (ErrorRule("a", "one", ("true",)), ErrorRule("a", "two"))
    assert meaning(rules, {"a": True}.get) == "one"
    assert meaning(rules, {"a": 1}.get) == "two"


@pytest.mark.parametrize("events", [[], [{"id": 1}]])
def test_an_error_in_a_200(events: list[Any]) -> None:
    with pytest.raises(ApiError, match="HTTP 200") as caught:
        decode({"success": False, "items": events})
    assert not caught.value.retryable
    assert decode({"success": True, "items": events}).raws is not None


def test_it_is_an_error_without_a_word_about_it() -> None:
    with pytest.raises(ApiError, match="the body is an error according to error_rules"):
        decode({"success": False, "items": []})


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_refused_token_in_the_apis_own_words(status: int) -> None:
    for code in ("AF20031", 7):
        with pytest.raises(TokenRefusedError):
            decode({"code": code}, status, token="t")
    with pytest.raises(ApiError) as caught:
        decode({"code": "AF20031"}, status)
    assert not isinstance(caught.value, TokenRefusedError), "no token was sent"


def test_another_try_and_a_rate_limit() -> None:
    with pytest.raises(ApiError) as caught:
        decode({"busy": "yes", "items": []})
    assert caught.value.retryable
    with pytest.raises(ApiError) as caught:
        decode({"error": {"reason": "slow"}}, 403)
    assert caught.value.limited


def test_a_page_without_its_events_that_leads_on_is_an_empty_one() -> None:
    page = decode({"next": "n"}, rules=())
    assert (list(page.raws), page.token) == ([], "n")
    page = decode({"next": "n", "items": None}, rules=())
    assert (list(page.raws), page.token) == ([], "n")


def test_a_page_without_its_events_is_empty_where_the_config_says_so() -> None:
    page = decode({"kind": "activities"})
    assert (list(page.raws), page.token) == ([], None)
    assert decode({"kind": "activities", "items": [{"id": 1}]}).column("id") == [1]
    with pytest.raises(BadPageError, match="has no array of events at items"):
        decode({"kind": "other"})
    page = decode({"kind": "activities"}, 404)
    assert (list(page.raws), page.token) == ([], None)


def test_in_a_feed_only_a_token_in_the_answer_makes_it_a_page() -> None:
    feed = {"token": "t", "rules": (), "keep": True}
    with pytest.raises(BadPageError, match="has no array of events"):
        decode({"status": "maintenance"}, **feed)
    assert decode({"next": "n"}, **feed).token == "n"


@pytest.mark.parametrize(("status", "body"), [(204, b""), (404, b'{"kind":"activities"}')])
def test_a_feed_keeps_its_token_when_the_status_alone_is_an_empty_page(
    status: int, body: bytes
) -> None:
    page = decode(body, status, token="t", keep=True)
    assert (list(page.raws), page.next) == ([], Keep("t", named=False))


def test_what_was_set_aside_counts_for_a_short_page() -> None:
    options = {"offset_param": "o", "limit_param": "l"}
    source = Source(
        "s",
        URL,
        QUICK,
        pagination=Pagination("offset", options=options, limit=2),
        on_parse_error="skip_event",
    )
    data = b'{"items":[{"id":1},null]}'
    response = Response(Request(URL), URL, "/logs", 200, {}, data, 1_700_000_000.0)
    page = Decoder(source, open_pagination(source.pagination), ["id"])(response)
    assert (len(page.raws), page.next) == (1, More("2"))


def test_a_page_without_its_events_that_looks_like_an_error_is_one() -> None:
    with pytest.raises(PollError, match="internal"):
        decode({"next": "n", "error": {"code": "internal"}}, rules=())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "Invalid value for pageToken"}}),
        (400, {"error": "page token expired"}),
        (400, {"message": "The provided page_token is no longer valid"}),
        (409, {"error_summary": "reset/..", "error": {"code": "bad_cursor"}}),
        (400, {"code": 300, "message": "The next page token is invalid or expired."}),
        (422, {"message": "continuation token not found"}),
        (400, {"errorSummary": "invalid offset"}),
        (200, {"error": "invalid_cursor"}),
        (404, {"message": "stream_position not found"}),
    ],
)
def test_a_refused_token_in_other_words(status: int, body: Any) -> None:
    with pytest.raises(TokenRefusedError):
        decode(body, status, token="t", rules=())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {"error": "invalid token"}),
        (400, {"error": "invalid_token"}),
        (400, {"message": "the access token expired"}),
        (400, {"message": "invalid limit"}),
        (500, {"message": "invalid cursor"}),
    ],
)
def test_other_refusals_leave_the_token_alone(status: int, body: Any) -> None:
    with pytest.raises(ApiError) as caught:
        decode(body, status, token="t", rules=())
    assert not isinstance(caught.value, TokenRefusedError)
