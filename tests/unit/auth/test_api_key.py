"""A key in a header of its own."""

from __future__ import annotations

import pytest

from helr.auth import SecretError, open_auth
from helr.log import redact
from helr.messages import Request
from helr.model import Auth
from tests.unit.auth.support import URL, sent_headers


def test_the_key_goes_into_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", " key-never-shown-7\n")
    auth = open_auth(Auth("api_key", {"header": "X-Api-Key", "key_env": "KEY"}))
    assert auth.check() is None
    assert sent_headers(auth) == {"X-Api-Key": "key-never-shown-7"}
    assert redact("sent key-never-shown-7") == "sent ***"


def test_a_prefix_comes_before_it_and_a_header_of_any_case_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KEY", "key-never-shown-8")
    options = {"header": "Authorization", "key_env": "KEY", "prefix": "Token"}
    request = Request(URL, headers={"authorization": "other", "Accept": "*/*"})
    sent = sent_headers(open_auth(Auth("api_key", options)), request)
    assert sent == {"Accept": "*/*", "Authorization": "Token key-never-shown-8"}


def test_a_header_may_have_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "key-never-shown-9")
    for header in ("request", "self", "headers"):
        auth = open_auth(Auth("api_key", {"header": header, "key_env": "KEY"}))
        assert sent_headers(auth) == {header: "key-never-shown-9"}


def test_a_key_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY", raising=False)
    auth = open_auth(Auth("api_key", {"header": "X-Api-Key", "key_env": "KEY"}))
    expected = (
        "the environment variable KEY (auth.key_env) is not set; export KEY with the key in it"
    )
    assert str(auth.check()) == expected
    with pytest.raises(SecretError) as caught:
        sent_headers(auth)
    assert str(caught.value) == expected
