"""Which configurations are refused because they would send credentials over plain http."""

from __future__ import annotations

import pytest

from helr.errors import UnusableError
from helr.http.plain_http import check
from helr.model import Auth, Source
from tests.unit.http.support import make_source

BEARER = Auth("bearer", {"token_env": "TOKEN"})


def refusal(source: Source) -> UnusableError | None:
    try:
        check(source)
    except UnusableError as error:
        return error
    return None


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
    error = refusal(make_source(url, **changes))
    assert bool(error) == refused
    if error:
        assert error.source == "s"
        assert error.do
        assert "pass" not in str(error)
        assert "abc" not in str(error)


def test_plain_http_to_this_machine_is_judged_by_its_first_hop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = make_source("http://127.0.0.1:8080/x", auth=BEARER)
    monkeypatch.setenv("HTTP_PROXY", "http://bob:planted@proxy.example:3128")
    monkeypatch.setenv("http_proxy", "http://bob:planted@proxy.example:3128")
    error = refusal(source)
    assert error
    assert error.what == "plain http would expose the credentials to the proxy in HTTP_PROXY"
    assert error.where == "http://127.0.0.1:8080/x"
    assert error.do == "add this host to NO_PROXY, or set allow_insecure: true"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert refusal(source) is None
