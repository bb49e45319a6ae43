"""What in a source's configuration is recognised as a credential."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr import credentials
from helr.credentials import is_plain, is_secret_name, register_secrets, secrets_of
from helr.secrets import redact
from tests.unit.http.support import make_source


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
