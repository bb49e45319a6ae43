"""Hostile responses through the command: no crash, no bad line, limited memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from mock_server import MockSlack
from mock_server.faults import FAULTS
from tests.conftest import Helr, slack_source
from tests.support import Handler, http_server

pytestmark = pytest.mark.unmeasured

MIB = 2**20
BASE = 60 * MIB  # the most that helr with its HTTP library takes for any response
ONCE = {"retries": {"max_attempts": 1}}


@contextmanager
def sending(write: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that answers every request with what `write` sends. Yields its URL."""

    class Api(Handler):
        def get(self) -> None:
            try:
                write(self)
            except OSError:
                self.close_connection = True  # helr closed the connection

    with http_server(Api) as url:
        yield url


def measured(helr: Helr, url: str, **changes: Any) -> tuple[int, int, str, str]:
    """Exit status, peak memory in bytes, output and log of `helr run --once`."""
    helr.config(sources={"slack-audit": slack_source(url, resilience=ONCE, **changes)})
    out, log = helr.cwd / "out", helr.cwd / "log"
    with out.open("wb") as stdout, log.open("wb") as stderr:
        status, peak = helr.peak("run", "--once", stdout=stdout, stderr=stderr)
    return status, peak, out.read_text(), log.read_text()


@pytest.mark.parametrize("limit", [None, 10 * MIB], ids=["as it comes", "10 MiB"])
def test_a_gigabyte_in_a_megabyte_of_gzip(helr: Helr, limit: int | None) -> None:
    FAULTS["gzip-bomb"].reply(None)  # type: ignore[arg-type]  # packs it before it is asked for
    with MockSlack(events=3, faults=["gzip-bomb@1+"]) as mock:
        status, peak, out, log = measured(helr, mock.url, max_response_bytes=limit)
    assert (status, out) == (1, "")
    assert f"larger than max_response_bytes ({limit or 256 * MIB})" in log
    assert log.count("\n") == 1
    assert peak < BASE + (limit or 256 * MIB) * 1.3


def test_a_body_that_does_not_end(helr: Helr) -> None:
    sent = 0

    def write(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        for _ in range(300):
            handler.wfile.write(b" " * MIB)
            sent += 1

    with sending(write) as url:
        status, peak, out, log = measured(helr, url, max_response_bytes=10 * MIB)
    assert (status, out) == (1, "")
    assert "larger than max_response_bytes" in log
    assert sent < 60, "what is not wanted is not read"
    assert peak < BASE + 20 * MIB


HOSTILE = {
    "deep": b'{"entries":[' + b"[" * 1_000_000,
    "NULs": b"\0" * 1_000_000,
    "surrogate": b'{"entries":[{"a":"\xed\xa0\x80"}]}',
    "numbers": b'{"entries":[1e999]}',
    "keys": b'{"entries":[{}],"entries":null}',
    "control": b'{"ok":false,"error":"\\u001b[2J\\r\\nERROR forged"}',
    "strings": b'{"entries":["' + b"x" * 5_000_000 + b'"]}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_body_is_one_line_and_no_event(helr: Helr, body: bytes) -> None:
    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with sending(write) as url:
        status, peak, out, log = measured(helr, url)
    assert (status, out) == (1, "")
    assert log.count("\n") == 1
    assert log.replace("\n", "").isprintable(), "a body cannot move a terminal's cursor"
    assert "Traceback" not in log
    assert len(log) < 600
    assert peak < BASE + 60 * MIB


def test_odd_events_are_lines_of_json(helr: Helr) -> None:
    odd = rb'{"id":"\ud800","a":' + b"7" * 5000 + b',"b":1e999,"a":2}'
    body = b'\xef\xbb\xbf{\r\n"entries":[\r\n' + odd + b'\r\n,{"id":2\r\n}]}\r\n'

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with sending(write) as url:
        status, _, out, _ = measured(helr, url, dedupe={"id_path": "id"})
    assert status == 0
    first, second = out.splitlines()
    assert odd.decode() in first
    assert [json.loads(line, parse_int=float)["event"]["id"] for line in (first, second)] == [
        "\ud800",
        2,
    ]
