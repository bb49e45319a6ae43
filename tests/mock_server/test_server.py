"""HTTP: keep-alive, methods, gzip, TLS, clients that go away, and starting and stopping."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import socket
import ssl
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mock_server import MockSlack, Settings
from mock_server.messages import Request
from mock_server.mock import Mock
from tests.mock_server.conftest import Client

HERE = Path(__file__).parent
CERT, KEY = str(HERE / "localhost.crt"), str(HERE / "localhost.key")
AUTH = {"Authorization": "Bearer xoxp-mock"}


def port_of(mock: MockSlack) -> int:
    return urlsplit(mock.url).port or 0


def test_a_connection_serves_many_requests(mock: MockSlack) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(mock), timeout=5)
    connection.connect()
    held = connection.sock
    for _ in range(5):
        connection.request("GET", "/audit/v1/logs?limit=2", headers=AUTH)
        response = connection.getresponse()
        assert len(json.loads(response.read())["entries"]) == 2
        assert connection.sock is held
    connection.close()


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_only_get(client: Client, method: str) -> None:
    answer = client.ask("/audit/v1/logs", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert method == "HEAD" or answer.json["error"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/audit/v1/log", "/audit/v1/logs/", "/favicon.ico"])
def test_an_unknown_path(client: Client, path: str) -> None:
    answer = client.ask(path)
    assert (answer.status, answer.json) == (404, {"ok": False, "error": "not_found"})


def test_gzip_for_who_accepts_it(mock: MockSlack, client: Client) -> None:
    plain = client.logs(limit=50)
    mock.settings.gzip = True
    packed = client.ask("/audit/v1/logs?limit=50", **{"Accept-Encoding": "gzip, deflate"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 3
    assert "Content-Encoding" not in client.logs(limit=50).headers


def test_latency(mock: MockSlack, client: Client) -> None:
    mock.settings.latency_ms = 150
    started = time.monotonic()
    client.logs(limit=1)
    assert time.monotonic() - started >= 0.15


def test_tls() -> None:
    trusting = ssl.create_default_context(cafile=CERT)
    with MockSlack(events=5, tls=(CERT, KEY)) as mock:
        assert mock.url.startswith("https://")
        connection = http.client.HTTPSConnection("127.0.0.1", port_of(mock), context=trusting)
        connection.request("GET", "/audit/v1/logs", headers=AUTH)
        assert len(json.loads(connection.getresponse().read())["entries"]) == 5
        connection.close()


def test_tls_faults_and_strangers_do_no_harm(capfd: pytest.CaptureFixture[str]) -> None:
    trusting = ssl.create_default_context(cafile=CERT)
    with MockSlack(events=5, tls=(CERT, KEY), faults=["reset@1"]) as mock:
        with socket.create_connection(("127.0.0.1", port_of(mock))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.settimeout(5)
            while stranger.recv(1000):
                pass
        for _ in range(2):
            connection = http.client.HTTPSConnection("127.0.0.1", port_of(mock), context=trusting)
            try:
                connection.request("GET", "/audit/v1/logs", headers=AUTH)
                status = connection.getresponse().status
            except OSError:
                status = 0
            connection.close()
        assert status == 200
    assert capfd.readouterr().err == ""


def test_clients_that_go_away_leave_no_trace(capfd: pytest.CaptureFixture[str]) -> None:
    asked = b"GET /audit/v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer xoxp-mock\r\n\r\n"
    with MockSlack(events=9999) as mock:
        for sent in (b"", b"GET", asked, asked * 3):
            connection = socket.create_connection(("127.0.0.1", port_of(mock)))
            connection.sendall(sent)
            # Close with RST while the page is on its way.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        assert len(Client(mock.url).logs(limit=3).ids) == 3
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("head", [b"Content-Length: x", b"Transfer-Encoding: chunked"])
def test_a_body_of_unknown_length_is_refused(mock: MockSlack, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port_of(mock)), timeout=5) as connection:
        connection.sendall(b"POST /_mock/events HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
        assert b" 400 " in connection.recv(1000)


def test_stopping_is_quick_whatever_hangs() -> None:
    mock = MockSlack(events=10, faults=["hang", "drip-body@2"]).start()
    open_ones = []
    for n in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", port_of(mock), timeout=5)
        connection.connect()
        if n < 2:
            connection.request("GET", "/audit/v1/logs", headers=AUTH)
            while len(mock.requests) <= n:
                pass
        open_ones.append(connection)
    started = time.monotonic()
    mock.stop()
    assert time.monotonic() - started < 1
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port_of(mock)), timeout=1)
    for connection in open_ones:
        connection.close()


def test_many_start_and_stop_in_no_time() -> None:
    started = time.monotonic()
    for _ in range(20):
        with MockSlack(events=10) as mock:
            Client(mock.url).logs()
    assert time.monotonic() - started < 6


def test_a_taken_port_is_an_oserror(mock: MockSlack) -> None:
    with pytest.raises(OSError):
        MockSlack(events=1, port=port_of(mock))


def test_requests_side_by_side(mock: MockSlack, client: Client) -> None:
    mock.fault("hang")
    with socket.create_connection(("127.0.0.1", port_of(mock))) as hanging:
        hanging.sendall(b"GET /audit/v1/logs HTTP/1.1\r\n\r\n")
        while not mock.requests:
            pass
        assert client.logs(limit=1).status == 200


def test_the_request_log_is_written_as_it_goes() -> None:
    log = io.StringIO()
    with MockSlack(events=5, request_log=log) as mock:
        Client(mock.url).logs(limit=1)
        logged = json.loads(log.getvalue())
        assert logged == mock.requests[0]


def test_a_page_of_9999_takes_under_20_ms_of_its_own_time() -> None:
    mock = Mock(30_000, 1, Settings())
    request = Request("GET", "/audit/v1/logs", "limit=9999", {"authorization": "Bearer xoxp-mock"})
    took = []
    for _ in range(5):
        started = time.perf_counter()
        reply = mock.answer(request)
        took.append(time.perf_counter() - started)
    assert len(reply.body) > 6_000_000
    assert min(took) < 0.02
