"""Every fault that --help names does to a client what its line says."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from mock_server import MockSlack
from mock_server.faults import FAULTS, YEAR_2099, Orders
from mock_server.slack import ERRORS
from tests.mock_server.conftest import Answer, Client

LOGS = "/audit/v1/logs?limit=10"


def entry(body: bytes) -> bytes:
    """The page's first event, which a fault put there."""
    assert b"USLACKUSER" in body[:300]
    return body


def refuses_to_decode(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return True
    return False


def is_http_date(text: str) -> bool:
    return bool(time.strptime(text, "%a, %d %b %Y %H:%M:%S GMT"))


ANSWERS: dict[str, Callable[[Answer], Any]] = {
    "429": lambda a: a.status == 429 and "Retry-After" not in a.headers,
    "retry-after-date": lambda a: a.status == 429 and is_http_date(a.headers["Retry-After"]),
    "big-retry-after": lambda a: a.status == 429 and a.headers["Retry-After"] == "86400",
    "500": lambda a: a.status == 500 and refuses_to_decode(a.body),
    "502": lambda a: a.status == 502,
    "503": lambda a: a.status == 503,
    "echo-token": lambda a: a.status == 401 and b"xoxp-mock" in a.body,
    "set-cookie": lambda a: "xoxd-" in a.headers["Set-Cookie"] and len(a.ids) == 10,
    "chunked": lambda a: "Content-Length" not in a.headers and len(a.ids) == 10,
    "redirect": lambda a: a.status == 302 and a.headers["Location"].startswith("http://localhost:"),
    "drip-headers": lambda a: len(a.ids) == 10,
    "drip-body": lambda a: len(a.ids) == 10,
    "slow": lambda a: len(a.ids) == 10,
    "truncated-json": lambda a: a.status == 200 and refuses_to_decode(a.body),
    "html": lambda a: a.status == 200 and a.headers["Content-Type"].startswith("text/html"),
    "empty-body": lambda a: a.status == 200 and a.body == b"",
    "not-json": lambda a: a.status == 200 and refuses_to_decode(a.body),
    "ok-false-200": lambda a: a.status == 200 and a.json["ok"] is False,
    "no-entries": lambda a: a.status == 200 and "entries" not in a.json,
    "wrong-types": lambda a: [type(e) for e in a.json["entries"]].count(str) == 1,
    "invalid-utf8": lambda a: b"\xff\xfe" in entry(a.body),
    "deep-nesting": lambda a: b"[" * 100_000 in entry(a.body),
    "huge-number": lambda a: b"7" * 5000 in entry(a.body),
    "lone-surrogate": lambda a: rb'"\ud800"' in entry(a.body) and len(a.ids) == 11,
    "future-event": lambda a: a.json["entries"][0]["date_create"] == YEAR_2099,
    "duplicate-event": lambda a: len(a.ids) == 11 and len(set(a.ids)) == 10,
    "empty-page": lambda a: a.ids == [] and a.cursor != "",
    "gzip-bomb": lambda a: a.headers["Content-Encoding"] == "gzip" and len(a.body) < 2**21,
    "repeat-cursor": lambda a: len(a.ids) == 10,
}


@pytest.mark.parametrize("name", ANSWERS)
def test_faults_that_answer(mock: MockSlack, client: Client, name: str) -> None:
    mock.settings.drip_seconds = 0
    mock.settings.slow_seconds = 0
    mock.fault(name)
    assert ANSWERS[name](client.ask(LOGS))
    assert mock.requests[-1]["fault"] == name
    assert client.ask(LOGS).ids == mock.ids()[:10]


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_of_slacks_can_be_ordered(mock: MockSlack, client: Client, code: str) -> None:
    mock.fault(code)
    answer = client.ask(LOGS)
    assert answer.status == ERRORS[code][0]
    assert (answer.json["ok"], answer.json["error"]) == (False, code)
    assert ("Retry-After" in answer.headers) == (code == "rate_limited")


BROKEN = {
    "reset": ConnectionResetError,
    "close": http.client.RemoteDisconnected,
    "truncate": http.client.IncompleteRead,
    "hang": TimeoutError,
}


@pytest.mark.parametrize("name", BROKEN)
def test_faults_that_break_the_connection(mock: MockSlack, name: str) -> None:
    mock.fault(name)
    with pytest.raises(BROKEN[name]):
        Client(mock.url, timeout=0.3).ask(LOGS)
    if name != "truncate":
        assert mock.requests[-1]["status"] is None
    assert Client(mock.url).ask(LOGS).ids == mock.ids()[:10]


def test_no_fault_is_untested() -> None:
    assert set(FAULTS) == set(ANSWERS) | set(ERRORS) | set(BROKEN)


def raw_connection(mock: MockSlack) -> socket.socket:
    address = urlsplit(mock.url)
    connection = socket.create_connection((str(address.hostname), address.port or 0), timeout=5)
    connection.sendall(
        b"GET /audit/v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer xoxp-mock\r\n\r\n"
    )
    return connection


def test_drip_sends_byte_by_byte(mock: MockSlack) -> None:
    mock.settings.drip_seconds = 0.05
    mock.fault("drip-headers")
    with raw_connection(mock) as connection:
        assert [connection.recv(100) for _ in range(4)] == [b"H", b"T", b"T", b"P"]


def test_slow_waits(mock: MockSlack, client: Client) -> None:
    mock.settings.slow_seconds = 0.2
    mock.fault("slow")
    started = time.monotonic()
    client.ask(LOGS)
    assert time.monotonic() - started >= 0.2


def test_the_redirect_leads_to_the_same_mock_under_another_name(mock: MockSlack) -> None:
    mock.fault("redirect")
    location = urlsplit(Client(mock.url).ask(LOGS).headers["Location"])
    assert (location.path, location.query) == ("/audit/v1/logs", "limit=10")
    assert location.port == urlsplit(mock.url).port


def test_the_bomb_is_an_empty_page_of_a_gibibyte() -> None:
    from mock_server.faults import _bomb_body

    body = gzip.decompress(_bomb_body(3))
    assert len(body) > 3 * 2**20
    assert json.loads(body) == {"entries": []}


def test_repeat_cursor_gives_the_requests_own(mock: MockSlack, client: Client) -> None:
    cursor = client.logs(limit=10).cursor
    mock.fault("repeat-cursor")
    answer = client.logs(limit=10, cursor=cursor)
    assert answer.cursor == cursor
    assert answer.ids == mock.ids()[10:20]


def test_an_empty_pages_cursor_leads_on_without_loss(mock: MockSlack, client: Client) -> None:
    mock.fault("empty-page@1-3")
    mock.fault("empty-page@6")
    assert client.chain(limit=50) == mock.ids()
    cursors = [str(request["query"]).partition("cursor=")[2] for request in mock.requests]
    assert len(cursors) == len(set(cursors)) == 10


@pytest.mark.parametrize(
    ("order", "struck"),
    [
        ("500", [1]),
        ("500@2", [2]),
        ("500@2-4", [2, 3, 4]),
        ("500@5+", [5, 6, 7, 8]),
        ("500:1", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("500:0", []),
    ],
)
def test_when_an_order_strikes(order: str, struck: list[int]) -> None:
    orders = Orders(1)
    orders.add(order)
    assert [n for n in range(1, 9) if orders.pick(n)] == struck


def test_a_probability_is_met_and_seeded() -> None:
    def struck(seed: int) -> list[int]:
        orders = Orders(seed)
        orders.add("reset:0.25")
        return [n for n in range(1000) if orders.pick(n)]

    assert struck(1) == struck(1) != struck(2)
    assert 200 < len(struck(1)) < 300


@pytest.mark.parametrize(
    "order",
    ["", "nonsense", "500@0", "500@3-2", "500:2", "500:x", "500@", "500@1:0.5", "500:1.2.3"],
)
def test_an_order_that_makes_no_sense_is_refused(order: str) -> None:
    with pytest.raises(ValueError, match="fault"):
        Orders(1).add(order)


def test_the_number_counts_from_the_order_on(mock: MockSlack, client: Client) -> None:
    client.ask(LOGS)
    mock.fault("503@2")
    assert [client.ask(LOGS).status for _ in range(3)] == [200, 503, 200]


def test_cleared_faults_do_not_strike(mock: MockSlack, client: Client) -> None:
    mock.fault("500@1+")
    mock.clear_faults()
    assert client.ask(LOGS).status == 200


def test_a_fault_leaves_an_error_that_was_due_as_it_is(mock: MockSlack) -> None:
    mock.fault("future-event")
    assert Client(mock.url, token="wrong").ask(LOGS).json["error"] == "invalid_authentication"
