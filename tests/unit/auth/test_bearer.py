"""The bearer token, as it is sent. Where it comes from: test_secret.py."""

from __future__ import annotations

import pytest

from helr.auth import open_auth
from tests.unit.auth.support import bearer, sent_headers


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
