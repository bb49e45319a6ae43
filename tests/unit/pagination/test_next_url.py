"""The address of the next page, from the body or a header."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.messages import Request
from helr.pagination import LAST, Answer, BadTokenError, More
from helr.pagination.next_url import NextUrl

HERE = "https://api.example.com/v1/logs?limit=2"
BODY = NextUrl(next_url_path="@odata.nextLink")


def following(value: Any, url: str = HERE) -> Any:
    return BODY.next(None, Answer({"@odata.nextLink": value}, {}, url, 2))


@pytest.mark.parametrize(
    ("address", "whole"),
    [
        ("https://api.example.com/v1/logs?page=2", "https://api.example.com/v1/logs?page=2"),
        ("https://API.example.com:443/v1/x", "https://API.example.com:443/v1/x"),
        ("/v2/logs?a=%2F&a=2", "https://api.example.com/v2/logs?a=%2F&a=2"),
        ("?page=2", "https://api.example.com/v1/logs?page=2"),
        (" more ", "https://api.example.com/v1/more"),
    ],
)
def test_an_address_is_resolved_and_kept_as_it_is_spelled(address: str, whole: str) -> None:
    assert following(address) == More(whole)


@pytest.mark.parametrize("nothing", [None, "", False])
def test_the_last_page(nothing: Any) -> None:
    assert following(nothing) == LAST


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example.com/v1/logs",
        "http://api.example.com/v1/logs",
        "https://api.example.com:8443/v1/logs",
        "//evil.example.com/",
        "https://api.example.com.evil.example.com/",
        "javascript:alert(1)",
    ],
)
def test_another_origin_is_refused(address: str) -> None:
    with pytest.raises(BadTokenError, match="has a different origin and was not followed") as error:
        following(address)
    assert error.value.do == (
        "check pagination.next_url_path, or put the correct origin into `url`"
    )


@pytest.mark.parametrize("address", ["https://[::1", "https://api.example.com:x/", 1.5, {}])
def test_what_is_not_an_address(address: Any) -> None:
    with pytest.raises(BadTokenError):
        following(address)


def test_a_header() -> None:
    pagination = NextUrl(next_url_header="NextPageUri")
    assert pagination.body_paths == ()
    answer = Answer({}, {"NextPageUri": "/v1/logs?page=2"}, HERE, 2)
    assert pagination.next(None, answer) == More("https://api.example.com/v1/logs?page=2")
    assert pagination.next(None, Answer({}, {}, HERE, 2)) == LAST


def test_nothing_but_the_address_is_sent() -> None:
    request = Request(HERE, (("limit", "2"), ("since", "5")), {"Accept": "*/*"})
    sent = BODY.apply(request, "https://api.example.com/v1/logs?page=2")
    assert sent == Request(
        "https://api.example.com/v1/logs?page=2",
        headers={"Accept": "*/*"},
        token="https://api.example.com/v1/logs?page=2",
    )


def test_credentials_are_not_kept_with_the_address_and_are_sent_with_it() -> None:
    url = "https://bob:hush@api.example.com/v1/logs?access_token=s3cret&limit=2"
    found = following("/v1/logs?access_token=s3cret&page=2", url)
    assert found == More("https://api.example.com/v1/logs?page=2")
    request = Request("https://api.example.com/v1/logs", (("access_token", "s3cret"), ("a", "b")))
    sent = BODY.apply(request, found.token)
    assert (sent.url, sent.params) == (found.token, (("access_token", "s3cret"),))


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://x@api.example.com#a@evil.example.com/z", "api.example.com"),
        ("https://evil.example.com#@api.example.com/", "evil.example.com"),
        ("https://api.example.com@evil.example.com/z", "evil.example.com"),
        ("https://evil.example.com\\@api.example.com/z", "api.example.com"),
        ("/p?after=2024@zone/eu#@evil.example.com", "api.example.com"),
    ],
)
def test_what_is_requested_is_what_was_checked(address: str, host: str) -> None:
    if host != "api.example.com":
        with pytest.raises(BadTokenError):
            following(address)
        return
    found = urlsplit(following(address).token)
    assert (found.netloc, found.fragment) == (host, "")


def test_a_base_with_a_port_and_an_at_sign_in_its_query() -> None:
    base = "http://audit:8080/p?after=2023@zone/eu"
    assert following("/p?after=2024@zone/eu", base) == More(
        "http://audit:8080/p?after=2024@zone/eu"
    )


def test_a_saved_address_of_another_origin_is_not_requested() -> None:
    for token in ("https://old.example.com/v1/logs?page=2", "http://api.example.com/", "x"):
        with pytest.raises(BadTokenError, match="does not have the origin of `url`"):
            BODY.apply(Request("https://api.example.com/v1/logs"), token)


def test_a_credential_is_recognized_in_another_spelling_of_its_name() -> None:
    found = following("?apikey=S3&page=2", "https://api.example.com/v1/logs?apiKey=S3")
    assert found == More("https://api.example.com/v1/logs?page=2")
    sent = BODY.apply(Request("https://api.example.com/", (("apiKey", "S3"),)), found.token)
    assert sent.params == (("apiKey", "S3"),)


@given(st.text(max_size=60))
def test_any_text_is_an_address_of_this_origin_or_an_error(text: str) -> None:
    try:
        found = following(text)
    except BadTokenError:
        return
    assert found == LAST or found.token.lower().startswith("https://api.example.com")
