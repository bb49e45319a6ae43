"""Whatever a client sends, the mock answers or hangs up, lives on, and prints no traceback."""

from __future__ import annotations

import json
import socket

import pytest

from mock_server import MockSlack

GET = (
    b"GET /audit/v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer xoxp-mock\r\n"
    b"Connection: close\r\n\r\n"
)
EVENTS = b"POST /_mock/events HTTP/1.1\r\n"


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def ask(mock: MockSlack, request: bytes) -> bytes:
    host, _, port = mock.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        return answer


HUGE = b"9" * 5000
REQUESTS = {
    "a length that is not ASCII": EVENTS + b"Content-Length: \xb2\r\n\r\n",
    "a length of 5000 digits": EVENTS + b"Content-Length: " + HUGE + b"\r\n\r\n",
    "two lengths": EVENTS + b"Content-Length: 2\r\nContent-Length: 0\r\n\r\n{}",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
    "a wait of 10^20": post("/_mock/settings", b'{"retry_after":100000000000000000000}'),
    "a huge number of a request": post("/_mock/faults", b'{"fault":"500@' + HUGE + b'"}'),
    "huge odds": post("/_mock/faults", b'{"fault":"500:' + HUGE + b'"}'),
    "a huge rate": post("/_mock/settings", b'{"rate_limit":"' + HUGE + b'/min"}'),
    "latency NaN": post("/_mock/settings", b'{"latency_ms":NaN}'),
    "a deep event": post("/_mock/events", b'{"events":["' + b"[" * 100_000 + b'"]}'),
    "a huge time": post("/_mock/events", b'{"events":["{\\"date_create\\":' + HUGE + b'}"]}'),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_it_lives_on(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with MockSlack(events=3) as mock:
        answer = ask(mock, REQUESTS[name])
        if name != "TLS":
            assert answer.startswith(b"HTTP/1.1 400 ")
        page = ask(mock, GET)
        assert len(json.loads(page.partition(b"\r\n\r\n")[2])["entries"]) == 3
    assert "Traceback" not in capfd.readouterr().err
