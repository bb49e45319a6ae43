"""Which configurations are refused, and what of a URL may be shown."""

from __future__ import annotations

import pytest

from helr.config.model import Auth
from helr.transport.security import is_secret_name, problem, safe_url, secrets_of
from tests.unit.transport.support import make_source

BEARER = Auth("bearer", {"token_env": "TOKEN"})


@pytest.mark.parametrize(
    ("url", "changes", "refused"),
    [
        ("https://api.example.com/x", {"auth": BEARER}, False),
        ("http://api.example.com/x", {"auth": BEARER}, True),
        ("HTTP://api.example.com/x", {"auth": BEARER}, True),
        ("http://api.example.com/x", {"auth": BEARER, "allow_insecure": True}, False),
        ("http://api.example.com/x", {}, False),
        ("http://user:pass@api.example.com/x", {}, True),
        ("http://api.example.com/x?api_key=abc", {}, True),
        ("http://api.example.com/x", {"query_params": {"token": "abc"}}, True),
        ("http://api.example.com/x", {"headers": {"X-Api-Key": "abc"}}, True),
        ("http://api.example.com/x", {"headers": {"Accept": "abc"}}, False),
        ("http://127.0.0.1:8080/x", {"auth": BEARER}, False),
        ("http://127.9.9.9/x", {"auth": BEARER}, False),
        ("http://[::1]:8080/x", {"auth": BEARER}, False),
        ("http://localhost/x", {"auth": BEARER}, False),
        ("http://localhost.example.com/x", {"auth": BEARER}, True),
        ("http://127.0.0.1.example.com/x", {"auth": BEARER}, True),
        ("http://0.0.0.0/x", {"auth": BEARER}, True),
        ("ftp://api.example.com/x", {}, True),
        ("api.example.com/x", {}, True),
        ("https:///x", {}, True),
        ("https://x:99999/", {}, True),
    ],
)
def test_credentials_do_not_travel_in_the_open(
    url: str, changes: dict[str, object], refused: bool
) -> None:
    told = problem(make_source(url, **changes))
    assert bool(told) == refused
    assert "pass" not in (told or "")
    assert "abc" not in (told or "")


def test_what_is_shown_of_a_url() -> None:
    url = "https://bob:planted@api.example.com:8443/v1/logs?limit=2&api_key=planted#planted"
    assert safe_url(url) == "https://api.example.com:8443/v1/logs"
    assert "planted" not in safe_url("http://bob:planted@[bad/x?y=planted")


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "api_key",
        "X-Api-Key",
        "apikey",
        "Authorization",
        "Cookie",
        "key",
        "client_secret",
        "password",
        "sig",
        "X-Amz-Signature",
        "Ocp-Apim-Subscription-Key",
    ],
)
def test_names_of_credentials(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "limit",
        "oldest",
        "cursor",
        "sort_key",
        "page_token",
        "x-page-token",
        "monkey",
        "author",
        "Accept",
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert not is_secret_name(name)


def test_the_credentials_of_a_configuration() -> None:
    source = make_source(
        "https://u:p@x/?token=a&limit=1",
        headers={"Authorization": "Bearer b", "Accept": "no"},
        query_params={"api_key": "c", "limit": "no"},
        first_request_query_params={"password": "d"},
    )
    assert set(secrets_of(source)) == {"u", "p", "a", "Bearer b", "b", "c", "d"}
