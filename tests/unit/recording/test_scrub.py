"""Secrets in URLs, headers and bodies are hidden, and nothing else is changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from helr.credentials import hidden_in_urls
from helr.log import secret
from helr.messages import Request
from helr.recording import folder, scrub

SECRET = "scrub-test-s3cret/+"


@pytest.mark.parametrize(
    ("given_url", "kept"),
    [
        ("https://u:p@h.example/a?limit=2", "https://h.example/a?limit=2"),
        ("https://h/a?api_key=1&b=%20&token=x#f", "https://h/a?api_key=***&b=%20&token=***#f"),
        ("https://h/a?%74oken=x", "https://h/a?%74oken=***"),
        ("https://h/a;session_id=9", "https://h/a;session_id=***"),
        ('<https://h/?key=a>; rel="next"', '<https://h/?key=***>; rel="next"'),
        ("no URL, a=b@c", "no URL, a=b@c"),
    ],
)
def test_credentials_are_hidden_by_their_names(given_url: str, kept: str) -> None:
    assert hidden_in_urls(given_url) == kept


def test_the_query_is_the_url_s_and_the_parameters() -> None:
    request = Request("https://h/a?x=1&token=t", (("limit", "2"), ("q", "a b")))
    assert scrub.query(request) == "x=1&token=***&limit=2&q=a+b"
    assert scrub.query(Request("https://h/a")) == ""


def test_headers_that_hold_credentials_or_describe_the_encoded_body() -> None:
    plain = {"Date": "now", "Content-Length": "7", "set-cookie": "a=b", "X-Api-Key": "k"}
    hidden = {"Date": "now", "Content-Length": "7", "set-cookie": "***", "X-Api-Key": "***"}
    assert scrub.headers(plain) == hidden
    assert scrub.headers({"Content-Encoding": "gzip", "Content-Length": "7"}) == {}
    several = HTTPHeaderDict([("Link", "<a>; rel=next"), ("Link", "<b>; rel=self"), ("X", "1")])
    assert scrub.headers(several) == {"Link": "<a>; rel=next, <b>; rel=self", "X": "1"}


@given(st.binary())
def test_a_body_without_secrets_is_kept_whatever_its_bytes(body: bytes) -> None:
    secret(SECRET)
    assert scrub.body(bytearray(body)) == body


@given(st.binary(), st.binary())
def test_a_secret_between_any_bytes_is_replaced(before: bytes, after: bytes) -> None:
    secret(SECRET)
    whole = scrub.body(before + SECRET.encode() + after)
    assert SECRET.encode() not in whole
    assert whole == before + b"***" + after


def test_a_folder_s_name_is_ascii_and_leads_nowhere() -> None:
    assert folder("rec", "a.b/../ü-_9") == "rec/a_b_____-_9"
