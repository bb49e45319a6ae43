"""Cookies within a chain."""

from __future__ import annotations

import logging
import socket

import pytest

from helr.clock import Clock
from helr.http.cookies import MOST_COOKIES, Cookies
from helr.http.retry import Retry
from helr.messages import Request
from tests.unit.http.support import (
    Server,
    answer,
    decode,
    fetch,
    make_retry,
    make_source,
    serving,
)

URL = "https://api.example/audit/logs?limit=5"


def sent(cookies: Cookies, url: str = URL, **headers: str) -> str | None:
    return cookies.added(headers, url).get("Cookie")


def kept(*values: str, url: str = URL) -> Cookies:
    cookies = Cookies()
    for value in values:
        cookies.keep({"Set-Cookie": value}, url)
    return cookies


@pytest.mark.parametrize(
    ("value", "back"),
    [
        ("AWSALB=node-a; Path=/; HttpOnly", "AWSALB=node-a"),
        ("AWSALB=node-a", "AWSALB=node-a"),
        ("a=b; Secure; SameSite=None", "a=b"),
        ("a=b; Max-Age=60", "a=b"),
        ("a=b; Max-Age=0", None),
        ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("a=b; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "a=b"),
        ("a=b; Path=/audit", "a=b"),
        ("a=b; Path=/other", None),
        ("a=b; Domain=api.example", "a=b"),
        ("a=b; Domain=elsewhere.example", None),
        ("a=" + "b" * 5000, None),
        ("", None),
        (";;;", None),
        ("\xff=\xfe", "\xff=\xfe"),
    ],
)
def test_what_is_sent_back(value: str, back: str | None) -> None:
    assert sent(kept(value)) == back


def test_a_secure_cookie_is_not_sent_in_the_clear_nor_any_to_another_host() -> None:
    cookies = kept("a=b; Secure", "c=d")
    assert sent(cookies, "http://api.example/audit/logs") == "c=d"
    assert sent(cookies, "https://elsewhere.example/audit/logs") is None


def test_a_cookie_of_the_configuration_stays() -> None:
    assert sent(kept("a=b"), Cookie="mine=1") == "mine=1; a=b"
    assert Cookies().added({"Cookie": "mine=1"}, URL) == {"Cookie": "mine=1"}
    assert kept("a=b").added({"cookie": "mine=1"}, URL) == {"cookie": "mine=1; a=b"}


def test_no_more_than_browsers_keep() -> None:
    cookies = kept(*(f"n{number}=x" for number in range(500)))
    assert len((sent(cookies) or "").split("; ")) == MOST_COOKIES
    cookies.forget()
    assert sent(cookies) is None


def setting(server: Server, connection: socket.socket) -> None:
    while True:
        number = len(server.requests)
        server.read(connection)
        lines = f"Set-Cookie: node=n{number}; Path=/", f"Set-Cookie: other=o{number}"
        connection.sendall(answer(b"{}", "200 OK", *lines))


def chain(retry: Retry, url: str) -> None:
    for token in (None, "1", "2"):
        fetch(retry, Request(url, (("limit", "1"),), token=token), decode)


def test_they_live_as_long_as_a_chain(caplog: pytest.LogCaptureFixture) -> None:
    with serving(setting) as server, caplog.at_level(logging.DEBUG):
        retry = make_retry(make_source(server.url, cookies="chain"), Clock())
        chain(retry, server.url)
        chain(retry, server.url)
        found = [
            next((line for line in request.split("\r\n") if line.startswith("Cookie")), None)
            for request in server.requests
        ]
    each = [None, "Cookie: node=n0; other=o0", "Cookie: node=n1; other=o1"]
    assert found == [*each, None, "Cookie: node=n3; other=o3", "Cookie: node=n4; other=o4"]
    assert "node=" not in caplog.text


def test_without_the_option_there_are_none() -> None:
    with serving(setting) as server:
        chain(make_retry(make_source(server.url), Clock()), server.url)
        assert not any("Cookie" in request for request in server.requests)
