"""A secret: where it comes from, and what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from helr import log
from helr.auth import SecretError, open_auth
from helr.auth.secret import MAX_BYTES, Secret
from tests.unit.auth.support import bearer, sent_headers


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
        ("Bearer xoxp-PLANTED", r"includes the word Bearer"),
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


def test_a_password_may_be_empty_where_the_kind_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD", "")
    options = {"password_env": "PASSWORD"}
    assert Secret(options, "password", may_be_empty=True).value() == ""
    with pytest.raises(SecretError, match=r"PASSWORD .* is empty"):
        Secret(options, "password").value()


def test_a_users_name_may_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "auditor-17")
    assert Secret({"username_env": "NAME"}, "username", shown=True).value() == "auditor-17"
    assert log.redact("by auditor-17") == "by auditor-17"


def test_a_secret_in_place_of_its_file_is_not_shown() -> None:
    told = str(Secret({"token_file": "xoxp-PLANTED"}, "token").check())
    assert "auth.token_file" in told
    assert "PLANTED" not in told


def test_no_more_than_a_secret_is_read_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"x" * (MAX_BYTES + 1))
    assert len(Secret({"token_file": str(file)}, "token").value()) == MAX_BYTES
