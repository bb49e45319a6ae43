"""The bearer token: where it comes from, and what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helr import log
from helr.auth import SecretError, open_auth
from helr.model import Auth
from tests.unit.auth.support import sent_headers


def bearer(**options: Any) -> Auth:
    return Auth("bearer", options)


def test_no_auth_sends_nothing() -> None:
    assert open_auth(None).check() is None
    assert sent_headers(open_auth(None)) == {}


@pytest.mark.parametrize(
    ("prefix", "sent"),
    [({}, "Bearer xoxp-1"), ({"prefix": "SSWS"}, "SSWS xoxp-1"), ({"prefix": ""}, "xoxp-1")],
)
def test_the_token_of_a_variable(
    monkeypatch: pytest.MonkeyPatch, prefix: dict[str, str], sent: str
) -> None:
    monkeypatch.setenv("TOKEN", "  xoxp-1\r\n")
    auth = bearer(token_env="TOKEN", **prefix)
    assert open_auth(auth).check() is None
    assert sent_headers(open_auth(auth)) == {"Authorization": sent}


def test_the_file_wins_and_is_read_each_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOKEN", "xoxp-env")
    file = tmp_path / "token"
    file.write_text("xoxp-old\n")
    opened = open_auth(bearer(token_env="TOKEN", token_file=str(file)))
    assert sent_headers(opened) == {"Authorization": "Bearer xoxp-old"}
    file.write_text("xoxp-new\n")
    assert sent_headers(opened) == {"Authorization": "Bearer xoxp-new"}
    file.unlink()
    with pytest.raises(SecretError, match=f"{file} .*cannot be read: no such file"):
        sent_headers(opened)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, r"the environment variable TOKEN \(auth.token_env\) is not set; export TOKEN"),
        ("", r"TOKEN .* is empty"),
        (" \n", r"TOKEN .* is empty"),
        ("xoxp-PLANTED\nsecond", r"more than one line"),
        ("xoxp-PLANTED\tx", r"control characters"),
        ("xoxp-PLANTED\u2026", r"characters that no HTTP header can carry"),
        ("Bearer xoxp-PLANTED", r"holds the word Bearer too"),
    ],
)
def test_what_cannot_be_used_is_named_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None, text: str
) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("TOKEN", value)
    told = open_auth(bearer(token_env="TOKEN")).check()
    assert told is not None
    with pytest.raises(SecretError) as caught:
        sent_headers(open_auth(bearer(token_env="TOKEN")))
    assert str(caught.value) == str(told)
    assert "PLANTED" not in str(told)
    with pytest.raises(SecretError, match=text):
        sent_headers(open_auth(bearer(token_env="TOKEN")))
    if value is not None:
        file = tmp_path / "token"
        file.write_text(value)
        named = open_auth(bearer(token_file=str(file))).check()
        assert named is not None
        assert str(file) in str(named)
        assert "PLANTED" not in str(named)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\xff\xfe\x00")
    assert "control characters" in (str(open_auth(bearer(token_file=str(file))).check()))
    file.write_bytes(b"abc\xff")
    assert "no HTTP header" in (str(open_auth(bearer(token_file=str(file))).check()))
    assert "is a directory" in (str(open_auth(bearer(token_file=str(tmp_path))).check()))


@pytest.mark.parametrize("token", ["ghp_9aBcDeF0gHiJ", "a1b2c3d4e5f6a7b8c9d0e1f2", "Zq9SECRET"])
def test_a_token_in_place_of_its_variable_is_not_shown(token: str) -> None:
    told = str(open_auth(bearer(token_env=token)).check())
    assert "auth.token_env names is not set" in told
    assert token not in told


@pytest.mark.parametrize("name", ["SLACK_AUDIT_TOKEN", "TOKEN", "TOKEN_2", "_T", "slack_token"])
def test_a_variable_that_is_not_set_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    assert name in (str(open_auth(bearer(token_env=name)).check()))


def test_neither_file_nor_variable() -> None:
    assert str(open_auth(bearer()).check()) == "auth needs token_env or token_file"


def test_what_was_read_is_never_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "xoxp-never-shown-42")
    sent_headers(open_auth(bearer(token_env="TOKEN")))
    assert log.redact("sent xoxp-never-shown-42.") == "sent ***."
