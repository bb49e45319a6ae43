"""User and password."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest

from helr.auth import open_auth
from helr.log import redact
from helr.model import Auth
from tests.unit.auth.support import sent_headers

OPTIONS = {"user_env": "API_USER", "password_env": "API_PASSWORD"}


def login(auth: Auth) -> str:
    scheme, _, token = sent_headers(open_auth(auth))["Authorization"].partition(" ")
    assert scheme == "Basic"
    assert redact(f"sent {token}.") == "sent ***."
    return b64decode(token).decode()


def test_both_from_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_USER", "ann@example.com/token")
    monkeypatch.setenv("API_PASSWORD", "pässw€rd-9")
    auth = Auth("basic", OPTIONS)
    assert open_auth(auth).check() is None
    assert login(auth) == "ann@example.com/token:pässw€rd-9"
    assert redact("ann@example.com/token has pässw€rd-9") == "ann@example.com/token has ***"


def test_an_empty_password_is_legal_and_makes_the_user_the_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("API_USER", "tskey-never-shown")
    monkeypatch.setenv("API_PASSWORD", "")
    auth = Auth("basic", OPTIONS)
    assert open_auth(auth).check() is None
    assert login(auth) == "tskey-never-shown:"
    assert redact("tskey-never-shown") == "***"


def test_a_file_wins_and_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_USER", "ann")
    monkeypatch.setenv("API_PASSWORD", "of the variable")
    file = tmp_path / "password"
    auth = Auth("basic", {**OPTIONS, "password_file": str(file)})
    for password in ("first-one", "second-one"):
        file.write_text(f"{password}\n")
        assert login(auth) == f"ann:{password}"


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("", "the environment variable API_USER (auth.user_env) is empty; put the user into it"),
        (
            "ann:bob",
            "the user of auth.type basic contains a colon, which ends it (RFC 7617); "
            "check user_env or user_file",
        ),
    ],
)
def test_a_user_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, user: str, told: str) -> None:
    monkeypatch.setenv("API_USER", user)
    monkeypatch.setenv("API_PASSWORD", "x")
    assert str(open_auth(Auth("basic", OPTIONS)).check()) == told


def test_a_missing_password_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_USER", "ann")
    monkeypatch.delenv("API_PASSWORD", raising=False)
    told = str(open_auth(Auth("basic", OPTIONS)).check())
    assert told.startswith("the environment variable API_PASSWORD (auth.password_env) is not set")
