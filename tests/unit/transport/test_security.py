"""Which configurations are refused, and what of a URL may be shown."""

from __future__ import annotations

import pytest

from helr.config.model import Auth
from helr.transport.security import (
    is_plain,
    is_secret_name,
    problem,
    safe_url,
    secrets_of,
    user_info_secrets,
)
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
    assert set(secrets_of(source)) == {"p", "a", "Bearer b", "b", "c", "d"}


@pytest.mark.parametrize(
    "name",
    [
        "accessToken",
        "DD-APPLICATION-KEY",
        "DD-API-KEY",
        "hapikey",
        "appKey",
        "code",
        "pin",
        "sid",
        "X-Auth-Key",
        "jwt",
        "x-functions-key",
        "X-AuthToken",
        "X-Session",
        "X-Access-Key-Id",
        "client_assertion",
        "X-Amz-Signature",
        "Session",
        "clientSecret",
        "X-JWT",
        "refreshToken",
    ],
)
def test_names_of_credentials_as_they_are_in_the_world(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "nextPageToken",
        "page_token",
        "sortKey",
        "country_code",
        "limit",
        "Accept",
        "monkey",
        "keys",
        "oldest",
        "X-Request-Id",
        "author",
        "passed",
        "tokenized",
    ],
)
def test_names_that_hold_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://api.example.com/x", set()),
        ("https://api.example.com:8443/users/a@b.com", set()),
        ("http://localhost:80/a@b", set()),
        ("https://bob:planted@h.example/x", {"planted"}),
        ("https://planted@h.example/x", {"planted"}),
        ("http://bob:pla%2Fnted@h/x", {"pla%2Fnted", "pla/nted"}),
        ("http://bob:plan#ted@h/x", {"plan#ted", "plan", "ted"}),
        ("http://bob:12/planted@127.0.0.1:1/x", {"12/planted", "12", "planted"}),
        ("bob:planted@h/x", {"planted"}),
        ("http://us:planted@[::1/x", {"planted"}),
        ("//us:planted@h", {"planted"}),
        ("http://a@b:planted@h", {"planted"}),
    ],
)
def test_passwords_in_urls_good_and_bad(url: str, secrets: set[str]) -> None:
    assert set(user_info_secrets(url)) == secrets


@pytest.mark.parametrize("value", ["1521214343", "true", "production", "us-east", "EU", "x"])
def test_what_a_variable_holds_and_is_plainly_no_secret(value: str) -> None:
    assert is_plain(value)


@pytest.mark.parametrize("value", ["xoxp-1234567", "Zq9SECRETvalue77", "hunter2hunter2"])
def test_what_a_variable_holds_and_may_be_a_secret(value: str) -> None:
    assert not is_plain(value)


def test_plain_http_to_this_machine_is_judged_by_its_first_hop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = make_source("http://127.0.0.1:8080/x", auth=BEARER)
    monkeypatch.setenv("HTTP_PROXY", "http://bob:planted@proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://bob:planted@proxy.example:3128")
    told = problem(source)
    assert told
    assert "NO_PROXY" in told
    assert "planted" not in told
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert problem(source) is None
