"""Which configurations are refused, and what of a URL may be shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr import credentials, secrets
from helr.credentials import is_plain, is_secret_name, register_secrets, secrets_of
from helr.http.plain_http import problem
from helr.model import Auth
from helr.secrets import redact
from helr.urls import safe_url, user_info_secrets
from tests.unit.http.support import make_source

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
    assert safe_url("http://intranet:8080/v1/users/a@b.com?x") == (
        "http://intranet:8080/v1/users/a@b.com"
    )


def test_a_server_cannot_make_secrets_with_its_urls() -> None:
    for number in range(100):
        safe_url(f"https://api.example.com:delivered{number}/x@h/")
    assert not secrets._known


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
        *(
            "PRIVATE-TOKEN",
            "X-Hub-Signature-256",
            "X-Signature-Ed25519",
            "AWSAccessKeyId",
            "token2",
        ),
        *("X-Amz-Credential", "dbPassword", "secretkey", "subscription-key", "PHPSESSID"),
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
        *("$skiptoken", "syncToken", "idempotency_key", "X-Cache-Key", "bypass", "hotkey"),
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
        ("http://b.ob:plan/ted@h/x", {"plan/ted", "plan", "ted"}),
        ("http://b.ob:plan?ted@h/x", {"plan?ted", "plan", "ted"}),
        ("http://bob@x.com:plan#ted@h/x", {"plan#ted", "plan", "ted"}),
        ("http://bob:planted@h:8443/users/a@b.com/x", {"planted"}),
        ("http://bob:pla@n?ted@h/x", {"pla@n?ted", "pla", "ted", "n"}),
        ("http://bob:pla@n&t/ed@h/x", {"pla@n&t/ed", "pla", "n&t", "ed"}),
        ("https://bob:planted@h.example/x?user=a@b.com", {"planted"}),
        ("http://intranet/v1/users/a@b.com", set()),
        ("http://intranet:8080/v1?user=a@b.com", set()),
    ],
)
def test_passwords_in_urls_good_and_bad(url: str, secrets: set[str]) -> None:
    assert set(user_info_secrets(url)) == secrets


def test_all_before_the_host_of_a_proxy_is_its_login() -> None:
    found = user_info_secrets("http://b.ob:12/plan#ted@proxy:3128", proxy=True)
    assert {"12/plan#ted", "plan", "ted"} <= set(found)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "https_proxy", "All_Proxy", "ftp_proxy"])
def test_proxies_of_any_spelling_are_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://b.ob:pl4nted/x@proxy:3128")
    register_secrets(make_source("https://h.example/x"))
    assert "pl4nted" not in redact("pl4nted/x, or pl4nted alone")


@pytest.mark.parametrize(
    "value",
    [
        "Bearer Pl4nted-value",
        "Token token=Pl4nted-value",
        'GenieKey key="Pl4nted-value", a=b',
        "d=Pl4nted-value; lang=en",
        "Basic " + base64.b64encode(b"bob:Pl4nted-value").decode(),
    ],
)
def test_what_is_secret_in_a_header_is_known_alone(value: str) -> None:
    register_secrets(make_source("https://h.example/x", headers={"Authorization": value}))
    assert redact("no Pl4nted-value here") == "no *** here"


def test_a_short_password_is_known_as_a_header_spells_it() -> None:
    register_secrets(make_source("https://bob:s3cr%40t@h.example/x"))
    login = base64.b64encode(b"bob:s3cr@t").decode()
    assert redact(f"Authorization: Basic {login}") == "Authorization: Basic ***"


@pytest.mark.parametrize(
    "value",
    [
        *("1521214343", "true", "production", "us-east-1", "EU", "x", "10.0.0.1:8080"),
        *("2026-01-02T03:04:05Z", "ops@acme.com", "acme.okta.com", "acme-corp", "/etc/ssl/x.pem"),
    ],
)
def test_what_a_variable_holds_and_is_plainly_no_secret(value: str) -> None:
    assert is_plain(value)


@pytest.mark.parametrize(
    "value",
    [
        *("xoxp-1234567", "Zq9SECRETvalue77", "hunter2hunter2", "Summer2024"),
        *("/aB3dEfGhIjKlMnOp+qrs", "correct-horse-battery-staple", "7f3a9c1e5b2d4f6a8c0e"),
    ],
)
def test_what_a_variable_holds_and_may_be_a_secret(value: str) -> None:
    assert not is_plain(value)


@pytest.mark.parametrize(
    "value",
    ["AcmeCorp", "acme-2024", "acme_corp.prod2", "5f3a9c1e-1111-2222-3333-444455556666", "v1.0"],
)
def test_names_and_ids_in_an_address_are_no_secrets(value: str) -> None:
    assert is_plain(value, in_address=True)


@pytest.mark.parametrize(
    ("variable", "plain"),
    [("ORG_ID", True), ("TENANT", True), ("API_KEY", False), ("SLACK_TOKEN", False)],
)
def test_a_variable_tells_by_its_name_too(variable: str, plain: bool) -> None:
    assert is_plain("Zq9SECRETvalue77", variable) == plain


def test_a_secret_looks_like_one_in_an_address_too() -> None:
    assert not is_plain("bot123456:ABC-x9Yz", in_address=True)


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


fragments = st.sampled_from(
    [
        *credentials._SIGNS,
        "Signature",
        "Credential",
        "AuthToken",
        "limit",
        "X",
        "-",
        "_",
        "2",
        "user",
    ]
)


@given(st.lists(fragments | st.text(max_size=6), max_size=5).map("".join))
def test_the_short_look_at_a_name_passes_over_no_secret(name: str) -> None:
    assert credentials.is_secret_name(name) == credentials._is_secret_by_words(name)
