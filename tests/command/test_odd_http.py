"""Odd HTTP through the command: helr delivers what curl accepts, without a warning."""

from __future__ import annotations

import gzip

import pytest

from tests.command.support import ids
from tests.conftest import Helr
from tests.unit.http.support import always, serving

pytestmark = pytest.mark.unmeasured

PAGE = b'{"entries":[{"id":"e1","date_create":1}],"response_metadata":{"next_cursor":""}}'
SIZE = f"Content-Length: {len(PAGE)}"


def said(*lines: str, body: bytes = PAGE, end: str = "\r\n") -> bytes:
    return end.join([*lines, "", ""]).encode("latin-1") + body


OK = "HTTP/1.1 200 OK"
ANSWERS = {
    "an encoding that is none": said(OK, SIZE, "Content-Encoding: UTF-8"),
    "a header with a letter outside ASCII": said(OK, "X-Stra\xdfe: 1", SIZE),
    "a line without a colon": said(OK, "X-Broken line", SIZE),
    "a length said twice": said(OK, f"{SIZE}, {len(PAGE)}"),
    "early hints": said("HTTP/1.1 103 Early Hints", "Link: </a>", "", OK, SIZE),
    "many 1xx": said(*["HTTP/1.1 102 Processing", ""] * 20, OK, SIZE),
    "bare line feeds": said(OK, SIZE, end="\n"),
    "no reason": said("HTTP/1.1 200", SIZE),
    "gzip in a transfer coding": said(
        OK,
        "Transfer-Encoding: gzip, chunked",
        body=b"%x;a=b\n%s\n0\nX: y\n\n" % (len(gzip.compress(PAGE)), gzip.compress(PAGE)),
    ),
}


@pytest.mark.parametrize("how", ANSWERS)
def test_it_is_delivered_without_a_word(helr: Helr, how: str) -> None:
    with serving(always(ANSWERS[how])) as server:
        helr.config(sources={"s": {"url": server.url}})
        done = helr.run("-q", "run", "--once")
    assert (done.returncode, done.stderr, ids(done.stdout)) == (0, "", ["e1"])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content"])
def test_no_content_is_a_success_without_events(helr: Helr, status: str) -> None:
    with serving(always(said(f"HTTP/1.1 {status}", "Content-Length: 0", body=b""))) as server:
        helr.config(sources={"s": {"url": server.url}})
        done = helr.run("-q", "run", "--once")
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "")
    assert "last success" in helr.run("status").stdout
