"""The HTTP transport against raw sockets: limits, broken responses, pooled connections, proxies."""

from __future__ import annotations

import base64
import contextlib
import gzip
import logging
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import vcr

from helr.clock import Clock
from helr.errors import PollError, Stopped
from helr.http.buffer import SMALL_BYTES
from helr.http.failures import ConnectError, RefusedError, RequestTimeoutError
from helr.http.retry import Retry
from helr.messages import Request, Response
from helr.model import Auth
from helr.pytest_plugin import FakeClock
from tests.unit.http.support import (
    Memory,
    Server,
    always,
    answer,
    fetch,
    get,
    make_retry,
    make_source,
    serving,
)

ONCE = {"max_attempts": 1}
LONG = {"request_secs": 60, "read_secs": 60}
Serve = Callable[[Server, socket.socket], None]


def once(url: str, **changes: object) -> Retry:
    """In real time, without another try."""
    return make_retry(make_source(url, retries=ONCE, **changes), Clock())


def failure(serve: Serve, **changes: object) -> PollError:
    with serving(serve) as server:
        retry = once(server.url, **changes)
        with pytest.raises(PollError) as caught:
            get(retry, server.url)
        assert str(caught.value).startswith(f"s: {server.url}: ")
        assert "\n" not in str(caught.value)
        return caught.value


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# -- limits in time


def test_dripped_headers_are_bounded_by_request_secs() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        server.drip(connection, answer(status="200 OK" + "k" * 5000))

    began = time.monotonic()
    error = failure(serve, timeouts={"request_secs": 0.25})
    assert isinstance(error, RequestTimeoutError)
    assert "resilience.timeouts.request_secs: 0.25 s" in str(error)
    assert error.server_fault
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("how", ["plain", "chunked", "gzip"])
def test_a_dripped_body_is_bounded_by_request_secs(how: str) -> None:
    body = os.urandom(5000)

    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        if how == "chunked":
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            server.drip(connection, b"1\r\nx\r\n" * 5000)
        else:
            extra = ("Content-Encoding: gzip",) if how == "gzip" else ()
            data = answer(gzip.compress(body) if how == "gzip" else body, "200 OK", *extra)
            head, _, rest = data.partition(b"\r\n\r\n")
            connection.sendall(head + b"\r\n\r\n")
            server.drip(connection, rest)

    began = time.monotonic()
    assert "request_secs" in str(failure(serve, timeouts={"request_secs": 0.25}))
    assert time.monotonic() - began < 2


def test_silence_is_bounded_by_read_secs() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        server.done.wait(10)

    error = failure(serve, timeouts={"read_secs": 0.2})
    assert "resilience.timeouts.read_secs: 0.2 s" in str(error)


def test_bytes_that_keep_coming_are_not_bounded_by_read_secs() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        server.drip(connection, answer(b"x" * 5), every=0.01)

    with serving(serve) as server:
        assert get(once(server.url, timeouts={"read_secs": 0.2}), server.url) == b"x" * 5


def test_connecting_is_bounded_by_connect_secs() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # a full queue: the kernel drops the next connection
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        with pytest.raises(RequestTimeoutError, match=r"connect_secs: 0.2 s\)"):
            get(once(url, timeouts={"connect_secs": 0.2}), url)
        for filler in fillers:
            filler.close()


def test_a_stop_ends_the_wait_for_an_answer() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        server.done.wait(10)

    clock = Clock()
    with serving(serve) as server:
        threading.Timer(0.1, clock.stop).start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            get(make_retry(make_source(server.url), clock), server.url)
        assert time.monotonic() - began < 1.5


# -- the data before a body is limited, too


def floods() -> dict[str, bytes]:
    """For each stage, the data that is repeated endlessly after the first line of a response."""
    ok = b"HTTP/1.1 200 OK\r\n"
    chunked = ok + b"Transfer-Encoding: chunked\r\n\r\n"
    return {
        "headers": ok,
        "one header": ok + b"A: ",
        "1xx": b"",
        "trailers": chunked + b"0\r\n",
        "chunk extensions": chunked,
        "one chunk extension": chunked + b"1;",
        "one reason": b"HTTP/1.1 200 ",
    }


FLOODS = {
    "headers": b"A: b\r\n" * 1000,
    "one header": b"a" * 10_000,
    "1xx": b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" * 1000,
    "trailers": b"A: b\r\n" * 1000,
    "chunk extensions": b"1;" + b"a" * 60_000 + b"\r\nx\r\n",
    "one chunk extension": b"a" * 10_000,
    "one reason": b"a" * 10_000,
}


@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_before_or_beside_the_body_ends_by_its_size(what: str) -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(floods()[what])
        for _ in range(10_000):
            connection.sendall(FLOODS[what])

    error = failure(serve, timeouts={"request_secs": 60})
    assert isinstance(error, ConnectError)
    assert "not valid HTTP" in str(error)


def test_compression_in_compression_ends_by_the_time_of_the_request() -> None:
    """It produces no output for minutes; a stop would end it, too."""
    empty = gzip.compress(b"") * 50_000
    inner = gzip.compress(empty * 20)
    bomb = gzip.compress(inner * 150)
    coding = "Content-Encoding: gzip, gzip, gzip"
    began = time.monotonic()
    error = failure(always(answer(bomb, "200 OK", coding)), timeouts={"request_secs": 0.3})
    assert isinstance(error, RequestTimeoutError)
    assert time.monotonic() - began < 5


def test_a_large_page_does_not_wait_for_those_on_their_way() -> None:
    """One place in memory, and three servers that stop in the middle of a large body."""
    body = b"x" * (32 * SMALL_BYTES)
    slow_at_work = threading.Semaphore(0)

    def stop_half_way(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(answer(body)[: len(body) // 2])
        slow_at_work.release()
        server.done.wait(60)

    places, clock = threading.BoundedSemaphore(1), Clock()

    def ask(url: str) -> None:
        with contextlib.suppress(Stopped):
            get(make_retry(make_source(url, timeouts=LONG), clock, slots=places), url)

    with serving(stop_half_way) as slow, serving(always(answer(body))) as quick:
        threads = [threading.Thread(target=ask, args=(slow.url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
            slow_at_work.acquire()
        for _ in range(3):
            retry = make_retry(make_source(quick.url, timeouts=LONG), clock, slots=places)
            assert get(retry, quick.url) == body
        clock.stop()
        for thread in threads:
            thread.join(10)
    assert places.acquire(blocking=False), "every place was given back"


# -- broken responses


def test_a_reset_before_the_answer() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        reset(connection)

    error = failure(serve)
    assert isinstance(error, ConnectError)
    assert "closed the connection" in str(error)


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Len"],
)
def test_a_reset_in_the_middle(head: bytes) -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(head + b"half")
        server.done.wait(0.1)
        reset(connection)

    assert isinstance(failure(serve), ConnectError)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (answer(b"x" * 100)[:-50], "cut short after 50 of 100 bytes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", "cut short"),
        (answer(gzip.compress(b"x" * 99), "200 OK", "Content-Encoding: gzip")[:-9], "cut short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not valid HTTP (b'zz"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak HTTP"),
        (b"\x00\x01\x02\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 abc\r\n\r\n", "does not speak HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nA: " + b"a" * 400_000 + b"\r\n\r\n",
            "not valid HTTP (its headers are longer than 300 KiB)",
        ),
        (b"", "closed the connection"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
            "not valid",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}", "not valid HTTP"),
    ],
    ids=range(12),
)
def test_answers_that_are_no_answers_are_worth_another_try(data: bytes, text: str) -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(data)

    error = failure(serve)
    assert text in str(error)
    assert error.retryable
    assert error.server_fault


def test_a_gzip_bomb_is_stopped() -> None:
    bomb = gzip.compress(bytes(1 << 20), 9) * 256

    error = failure(
        always(answer(bomb, "200 OK", "Content-Encoding: gzip")), max_response_bytes=1 << 20
    )
    assert "max_response_bytes (1048576)" in str(error)
    assert not error.retryable


def test_nobody_listens_and_nobody_has_that_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for url, text in [
        (f"http://127.0.0.1:{port}/x?token=abc", f"^s: http://127.0.0.1:{port}/x: connection ref"),
        ("http://no-such-host.invalid/x", "host name could not be resolved.*check the spelling"),
    ]:
        with pytest.raises(ConnectError, match=text):
            get(once(url), url)


# -- pooled connections


def close_after_each(server: Server, connection: socket.socket) -> None:
    """Promises keep-alive, then closes; the client notices at its next request."""
    server.read(connection)
    connection.sendall(answer())


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "data", [answer(), answer(b""), CHUNKED], ids=["plain", "empty", "chunked"]
)
def test_a_connection_is_used_again(data: bytes) -> None:
    with serving(always(data)) as server:
        retry = once(server.url)
        for _ in range(3):
            get(retry, server.url)
        assert server.connections == 1


@pytest.mark.parametrize(
    "odd",
    [
        answer(b"stale", "204 No Content"),
        answer(b"stale", "304 Not Modified"),
        answer(b"{}") + b"stale bytes\r\n",
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\n{}\n0\nX-Trailer: 1\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
        b"HTTP/1.1 103 Hints\r\n\r\n" + answer(b"{}"),
        answer(gzip.compress(b"{}") + b"\0" * 9, "200 OK", "Content-Encoding: gzip"),
    ],
    ids=range(7),
)
def test_an_odd_answer_does_not_spoil_the_next(odd: bytes) -> None:
    """Bytes that belong to no response are not read as part of the next one."""

    def serve(server: Server, connection: socket.socket) -> None:
        while True:
            number = len(server.requests)
            server.read(connection)
            connection.sendall(answer(b'{"n":%d}' % number) if number % 2 else odd)

    def anything(response: Response) -> bytes:
        response.release()
        return bytes(response.body)

    with serving(serve) as server:
        retry = once(server.url)
        for number in range(6):
            body = fetch(retry, Request(server.url), anything)
            assert body == (b'{"n":%d}' % number if number % 2 else body)


def test_one_that_the_server_closed_is_replaced_without_a_failure() -> None:
    """Even if the close arrives only after the next request was sent."""

    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(answer())
        server.read(connection)
        reset(connection)

    for how in (serve, close_after_each):
        with serving(how) as server:
            notes = Memory()
            retry = make_retry(make_source(server.url, retries=ONCE), Clock(), notes)
            for _ in range(4):
                get(retry, server.url)
            assert server.connections >= 3
            assert notes.writes == 0


def test_a_new_connection_that_is_closed_is_a_failure() -> None:
    with serving(lambda server, connection: reset(connection)) as server:
        with pytest.raises(ConnectError):
            get(once(server.url), server.url)
        assert server.connections == 1


def test_one_that_was_idle_for_long_is_not_used_again() -> None:
    with serving(always(answer())) as server:
        clock = FakeClock()
        retry = make_retry(make_source(server.url, timeouts={"idle_secs": 30}), clock)
        for pause, connections in ((0, 1), (29, 1), (31, 2)):
            clock.time += pause
            get(retry, server.url)
            assert server.connections == connections


# -- redirects


def moving(word: str, status: str, location: str) -> Serve:
    """Redirect a request whose first line contains the word, and answer any other."""

    def serve(server: Server, connection: socket.socket) -> None:
        while True:
            moved = word in server.read(connection).split("\r\n")[0]
            said = (status, f"Location: {location}") if moved else ("200 OK",)
            connection.sendall(answer(b"{}", *said))

    return serve


def test_redirects_at_the_same_origin_are_followed() -> None:
    with serving(moving("/old", "308 Moved", "/new?a=1")) as server:
        url = server.url.replace("/logs", "/old")
        assert get(once(url, headers={"X-Mine": "1"}), url, ("limit", "5")) == b"{}"
        lines = [request.split("\r\n")[0] for request in server.requests]
        assert lines == ["GET /old?limit=5 HTTP/1.1", "GET /new?a=1 HTTP/1.1"]
        assert "X-Mine: 1" in server.requests[1]


@pytest.mark.parametrize(
    "location",
    [
        "http://evil.example/logs?token=abc",
        "https://127.0.0.1/logs",
        "//evil.example/x",
        "http://127.0.0.1:1/logs",
        "http://[bad",
        "ftp://127.0.0.1/",
    ],
)
def test_a_redirect_elsewhere_is_refused(location: str) -> None:
    error = failure(always(answer(b"", "302 Found", f"Location: {location}")))
    assert isinstance(error, RefusedError)
    assert "another origin" in str(error)
    assert "abc" not in str(error)
    assert not error.retryable


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize(
    ("location", "lost"),
    [
        ("/logs/", "limit, cursor"),
        ("/new", "limit, cursor"),
        ("/new?", "limit, cursor"),
        ("/logs/?limit=5", "cursor"),
    ],
)
def test_a_redirect_that_forgets_what_was_asked_for_is_refused(
    status: str, location: str, lost: str
) -> None:
    with serving(moving("cursor", status, location)) as server:
        with pytest.raises(RefusedError) as caught:
            get(once(server.url), server.url, ("limit", "5"), ("cursor", "secret"))
        assert len(server.requests) == 1
    assert f"drops the query ({lost}); put that address into `url`" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "location"),
    [
        ("303 See Other", "/results/7"),
        ("302 Found", "/results?id=7"),
        ("301 Moved", "/logs/?cursor=%61bc&limit=5"),
        ("302 Found", "/r\xc3\xa9sultats?id=7"),
    ],
)
def test_a_redirect_that_leads_to_the_answer_is_followed(status: str, location: str) -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        head = f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        first = len(server.requests) == 1
        connection.sendall(head.encode("latin-1") if first else answer(b"[]"))

    with serving(serve) as server:
        assert get(once(server.url), server.url, ("limit", "5"), ("cursor", "abc")) == b"[]"
        if "sultats" in location:
            assert server.requests[1].startswith("GET /r%C3%A9sultats?id=7 ")


def test_endless_redirects_end() -> None:
    with serving(always(answer(b"", "302 Found", "Location: /logs"))) as server:
        with pytest.raises(RefusedError, match="more than 5 redirects"):
            get(once(server.url), server.url)
        assert len(server.requests) == 6


def test_each_request_is_a_line_at_debug_without_its_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    params = ("limit", "5"), ("api_key", "hush"), ("cursor", "c 1")
    with serving(moving("/old", "302 Found", "/new?a=1&sig=hush")) as server:
        retry = once(server.url.replace("//", "//bob:hush@").replace("/logs", "/old"))
        with caplog.at_level(logging.DEBUG, "helr"):
            get(retry, server.url.replace("/logs", "/old"), *params)
            root = f"http://127.0.0.1:{server.port}"
    told = [re.sub(r"[\d.]+ s$", "N s", message) for message in caplog.messages]
    assert told == [
        f"GET {root}/old?limit=5&api_key=***&cursor=c+1: HTTP 302, redirected in N s",
        f"GET {root}/new?a=1&sig=***: HTTP 200, 2 bytes in N s",
    ]


def test_a_request_that_fails_is_a_line_at_debug_too(caplog: pytest.LogCaptureFixture) -> None:
    with serving(lambda server, connection: reset(connection)) as server:
        with caplog.at_level(logging.DEBUG, "helr"), pytest.raises(ConnectError):
            get(once(server.url), server.url, ("limit", "5"), ("token", "hush"))
        assert f"GET {server.url}?limit=5&token=***: failed in " in caplog.text
        assert "hush" not in caplog.text


# -- the environment


def test_netrc_does_not_replace_the_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login bob password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("TOKEN", "xoxp-right")
    with serving(always(answer())) as server:
        get(once(server.url, auth=Auth("bearer", {"token_env": "TOKEN"})), server.url)
        get(once(server.url), server.url)
        assert "Authorization: Bearer xoxp-right" in server.requests[0]
        assert "Authorization" not in server.requests[1]


def test_user_and_password_in_the_url_are_sent() -> None:
    with serving(always(answer())) as server:
        url = server.url.replace("//", "//bob:secret@")
        get(once(url), url, ("limit", "1"))
        expected = base64.b64encode(b"bob:secret").decode()
        assert f"Authorization: Basic {expected}" in server.requests[0]


def test_every_request_carries_its_own_url_and_the_token_of_the_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One prepared request serves them all; a redirect does not change its URL and headers."""
    with serving(moving("cursor", "307 Moved", "/new?page=2")) as server:
        retry = once(server.url, auth=Auth("bearer", {"token_env": "TOKEN"}))
        for token, *params in (
            ("xoxp-1", ("limit", "1")),
            ("xoxp-1", ("limit", "1"), ("cursor", "a")),
            ("xoxp-2", ("limit", "1")),
            ("xoxp-2",),
        ):
            monkeypatch.setenv("TOKEN", token)
            get(retry, server.url, *params)
        lines = [request.split("\r\n") for request in server.requests]
    assert [line.split()[1] for line, *_ in lines] == [
        "/logs?limit=1",
        "/logs?limit=1&cursor=a",
        "/new?page=2",
        "/logs?limit=1",
        "/logs",
    ]
    tokens = [next(line for line in each if line.startswith("Authorization")) for each in lines]
    assert [token[-1] for token in tokens] == ["1", "1", "1", "2", "2"]


def test_a_proxy_from_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(always(answer())) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{proxy.port}")
        url = "http://api.example.invalid/logs"
        assert get(once(url), url) == b"{}"
        assert proxy.requests[0].startswith(f"GET {url} HTTP/1.1")
        login = base64.b64encode(b"me:pass").decode()
        assert f"Proxy-Authorization: Basic {login}" in proxy.requests[0]


def test_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(always(answer())) as server:
        assert get(once(server.url), server.url) == b"{}"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("407 Proxy Authentication Required", "the proxy requires a login"),
        ("503 Unavailable", "proxy could not be used.*503"),
    ],
)
def test_a_proxy_that_refuses_is_named(
    monkeypatch: pytest.MonkeyPatch, status: str, text: str
) -> None:
    with serving(always(answer(b"", status))) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:hush@127.0.0.1:{proxy.port}")
        with pytest.raises(PollError, match=text) as caught:
            get(once("https://api.example.invalid/logs"), "https://api.example.invalid/logs")
        assert proxy.requests[0].startswith("CONNECT api.example.invalid:443")
        assert "hush" not in str(caught.value)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(PollError, match=r"proxy could not be used.*HTTP_PROXY"):
        get(once("http://api.example.invalid/"), "http://api.example.invalid/")


# -- other promises


def test_a_recorder_can_take_the_place_of_the_connection(tmp_path: Path) -> None:
    cassette = tmp_path / "one.yaml"
    with serving(always(answer(b'{"entries":[]}'))) as server:
        url = server.url
        with vcr.use_cassette(str(cassette), record_mode="once"):
            assert get(once(url), url) == b'{"entries":[]}'
    with vcr.use_cassette(str(cassette), record_mode="none") as played:
        assert get(once(url), url) == b'{"entries":[]}'
        assert played.all_played


def test_the_libraries_log_nothing_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), serving(always(answer())) as server:
        get(once(server.url), server.url)
    assert caplog.records == []


def test_no_http_library_before_the_first_request() -> None:
    code = (
        "import sys, helr.auth.bearer, helr.vendors.hints, helr.log, helr.http,"
        " helr.http.plain_http;"
        "sys.exit('requests' in sys.modules or 'urllib3' in sys.modules or 'ssl' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
