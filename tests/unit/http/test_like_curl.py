"""helr accepts the responses that curl accepts: odd ones, with the same bytes sent to both.

`LIKE_CURL=5000 SEED=1` plays that many random ones; the suite plays a few.
"""

from __future__ import annotations

import gzip
import os
import random
import re
import shutil
import socket
import subprocess
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec import Struct

from helr.clock import Clock
from helr.errors import PollError
from helr.messages import Request, Response
from tests.support import FULL, some
from tests.unit.http.support import Server, fetch, make_retry, make_source, serving

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="compares helr with curl")

BODY = b'{"entries": [{"id": "\xc3\xa9"}], "response_metadata": {"next_cursor": ""}}\n'
FEW = 100 if FULL else 20
SECS = 3  # for one response; each ends by closing the connection


class Case(Struct):
    """A response. `how`: the parts that it was made of."""

    data: bytes
    how: str


class Told(Struct):
    """How a client read it; `body` is None if it rejected the response."""

    status: int
    body: bytes | None
    why: str = ""


# -- the answers

STATUS_LINES = [
    *["HTTP/1.1 200 OK"] * 8,
    *("HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 200 OK", "HTTP/1.1 200 \xff\xe9", "HTTP/2 200"),
    *("HTTP/1.1  200 OK", "HTTP/1.1 203 Other", "HTTP/1.1 200OK", "HTTP/1.1 500 No", "HTTP/3 200"),
    *("HTTP/1.1 200 " + "r" * 5000, "HTTP/1.1 429 Slow", "HTTP/1.2 200 OK", "http/1.1 200 OK"),
    *("HTTP/1.1\t200 OK", "ICY 200 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", " HTTP/1.1 200 OK"),
    *(
        "HTTP/1.1 204 Nothing",
        "HTTP/1.1 304 Same",
        "HTTP/1.1 205 Reset",
        "HTTP/1.1 404 No",
        "HTTP 200 OK",
        "",
    ),
]
BEFORE = [
    *[""] * 12,
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 102 Processing\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 103 Early Hints\nLink: </a>\n\n",
    "HTTP/1.1 199 Odd\r\n\r\n" * 30,
    "\r\n",
]
ODD_LINES = [
    *(
        "X-Stra\xdfe: 1",
        "X-Broken line",
        ": no name",
        " : blank name",
        "X-Blank:",
        "X-Ctl: \x01\x7f",
    ),
    *(
        "X-Folded: a\r\n b\r\n\tc",
        "X Space: 1",
        "X-Before : 1",
        "\xff\xfe\xfd",
        "X-Long: " + "l" * 90_000,
    ),
    *(
        "Set-Cookie: a=b",
        "Set-Cookie: \xe9=\xe9; path",
        "Date: yesterday",
        "X-Tab:\t1\t",
        "=?utf-8?q?a?=: 1",
    ),
    *("Connection: close", "Connection: keep-alive, Foo", "Keep-Alive: timeout=0", "Trailer: X"),
    *(
        'Content-Type: application/json; charset="',
        "Link: <>;;;",
        "Server:\xa0x",
        "From me: to",
        "{}",
    ),
    "\r\n".join(f"X-Many-{number}: {number}" for number in range(150)),
    "\r\n".join(["X-Same: 1"] * 300),
    *(
        "X-Nul: a\0b",
        "X-CR: a\rb",
        "HTTP/1.1 200 OK",
        "From x@y Mon Jan 1",
        "Subject",
        "--boundary",
    ),
]


def deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


def members(data: bytes) -> bytes:
    return gzip.compress(data[:9]) + gzip.compress(data[9:])


Pack = Callable[[bytes], bytes]
CODINGS: list[tuple[list[str], Pack]] = [
    *[([], bytes)] * 6,
    (["Content-Encoding: gzip"], gzip.compress),
    (["Content-Encoding: GZip"], gzip.compress),
    (["content-encoding:gzip"], gzip.compress),
    (["Content-Encoding: x-gzip"], gzip.compress),
    (["Content-Encoding: gzip, identity"], gzip.compress),
    (["Content-Encoding: deflate"], zlib.compress),
    (["Content-Encoding: deflate"], deflate),
    (["Content-Encoding: identity"], bytes),
    (["Content-Encoding:"], bytes),
    (["Content-Encoding: deflate, gzip"], lambda data: gzip.compress(zlib.compress(data))),
    (
        ["Content-Encoding: deflate", "Content-Encoding: gzip"],
        lambda d: gzip.compress(zlib.compress(d)),
    ),
    (["Content-Encoding: UTF-8"], bytes),
    (["Content-Encoding: none"], bytes),
    (["Content-Encoding: gzip"], bytes),
    (["Content-Encoding: gzip"], members),
    (["Content-Encoding: gzip"], lambda data: gzip.compress(data) + b"\0" * 9),
    (["Content-Encoding: gzip"], lambda data: gzip.compress(data)[:-4]),
    (["Content-Encoding: gzip"], lambda data: gzip.compress(data)[:30]),
    (["Content-Encoding: " + ", ".join(["gzip"] * 9)], gzip.compress),
]


def one_chunk(data: bytes, before: str = "", after: str = "", end: str = "\r\n") -> bytes:
    size = f"{before}{len(data):x}{after}{end}"
    return size.encode("latin-1") + data + end.encode() + f"0{end}{end}".encode()


def many_chunks(data: bytes) -> bytes:
    each = [data[at : at + 7] for at in range(0, len(data), 7)]
    return b"".join(b"%X\r\n%s\r\n" % (len(part), part) for part in each) + b"0\r\n\r\n"


CHUNKED = "Transfer-Encoding: chunked"
Frame = Callable[[bytes], tuple[list[str], bytes]]


def length(*spellings: str) -> Frame:
    """`N` is replaced by the number of bytes."""
    return lambda data: ([each.replace("N", str(len(data))) for each in spellings], data)


def chunked(pack: Pack, *lines: str) -> Frame:
    return lambda data: ([*(lines or [CHUNKED])], pack(data))


FRAMES: list[Frame] = [
    *[length("Content-Length: N")] * 4,
    length("content-length:N"),
    length("Content-Length:   N  "),
    length("CONTENT-LENGTH:\tN"),
    length("Content-Length : N"),
    length("Content-Length: N", "Content-Length: N"),
    length("Content-Length: N, N"),
    length("Content-Length: N", "Content-Length: 1N"),
    length("Content-Length: 0N"),
    length("Content-Length: +N"),
    length("Content-Length: Nx"),
    length("Content-Length:"),
    length("Content-Length:\r\n N"),
    length("Content-Length: x"),
    length("Content-Length: -5"),
    length("Content-Length: 99999999999999999999999"),
    length(),
    length("Content-Length: N9"),
    lambda data: (["Content-Length: 5"], data),
    lambda data: (["Content-Length: 0"], data),
    length("Transfer-Encoding: identity"),
    length("Transfer-Encoding: identity", "Content-Length: N"),
    *[chunked(one_chunk)] * 2,
    chunked(many_chunks),
    chunked(many_chunks, "transfer-encoding:Chunked"),
    chunked(many_chunks, CHUNKED, CHUNKED),
    chunked(many_chunks, CHUNKED, "Content-Length: 3"),
    chunked(many_chunks, "Transfer-Encoding: identity, chunked"),
    chunked(lambda data: many_chunks(gzip.compress(data)), "Transfer-Encoding: gzip, chunked"),
    chunked(lambda data: one_chunk(data, after=";name=value")),
    chunked(lambda data: one_chunk(data, after=";" + "x" * 9000)),
    chunked(lambda data: one_chunk(data, after="   ")),
    chunked(lambda data: one_chunk(data, after=" junk")),
    chunked(lambda data: one_chunk(data, before="0000000")),
    chunked(lambda data: one_chunk(data, before="0x")),
    chunked(lambda data: one_chunk(data, before=" ")),
    chunked(lambda data: one_chunk(data, before="-")),
    chunked(lambda data: one_chunk(data, before="fffffffff")),
    chunked(lambda data: one_chunk(data, end="\n")),
    chunked(lambda data: one_chunk(data)[:-2] + b"X-Trailer: 1\r\nX-Odd\r\n\r\n"),
    chunked(lambda data: one_chunk(data)[:-2]),
    chunked(lambda data: one_chunk(data)[:-5]),
    chunked(lambda data: one_chunk(data)[:20]),
    chunked(bytes),
]


def mixed(rng: random.Random) -> Case:
    status, before = rng.choice(STATUS_LINES), rng.choice(BEFORE)
    coding = rng.randrange(len(CODINGS))
    frame = rng.randrange(len(FRAMES))
    odd = rng.sample(ODD_LINES, rng.choice((0, 0, 0, 1, 1, 2)))
    named, pack = CODINGS[coding]
    framed, body = FRAMES[frame](pack(BODY))
    lines = [*odd, *named, *framed]
    rng.shuffle(lines)
    how = f"{before[:30]!r} {status[:30]!r} {[line[:60] for line in lines]} c{coding} f{frame}"
    return made(status, lines, body, before, rng.choice(("\r\n",) * 6 + ("\n",)), how)


def made(
    status: str, lines: list[str], body: bytes, before: str = "", end: str = "\r\n", how: str = ""
) -> Case:
    head = before + end.join([status, *lines, "", ""])
    return Case(head.encode("latin-1") + body, how or repr((before + end.join(lines))[:200]))


def each_alone() -> Iterator[Case]:
    """Each oddity on its own, in an otherwise ordinary response."""
    usual = [f"Content-Length: {len(BODY)}"]
    for status in dict.fromkeys(STATUS_LINES):
        yield made(status, usual, BODY, how=f"status line {status[:40]!r}")
    for before in dict.fromkeys(BEFORE):
        yield made(STATUS_LINES[0], usual, BODY, before, how=f"before it {before[:40]!r}")
    for line in ODD_LINES:
        yield made(STATUS_LINES[0], [line, *usual], BODY, how=f"first line {line[:40]!r}")
        yield made(STATUS_LINES[0], [*usual, line], BODY, how=f"last line {line[:40]!r}")
    for number, (named, pack) in enumerate(CODINGS):
        body = pack(BODY)
        yield made(
            STATUS_LINES[0],
            [*named, f"Content-Length: {len(body)}"],
            body,
            how=f"c{number} {named}"[:99],
        )
    for number, frame in enumerate(FRAMES):
        framed, body = frame(BODY)
        yield made(STATUS_LINES[0], framed, body, how=f"f{number} {framed} {body[:30]!r}")


INSERTED = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b":",
    b" ",
    b"\t",
    b",",
    b";",
    b"0",
    b"9",
    b"\xff",
    b"HTTP/1.1 ",
    b"chunked",
]


def mutated(rng: random.Random) -> Case:
    """A good response, or a mixed one, with a few bytes changed."""
    data = bytearray((mixed(rng) if rng.random() < 0.5 else rng.choice(list(each_alone()))).data)
    head = data.find(b"\r\n\r\n") + 40
    steps = []
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(min(len(data), max(head, 20)))
        what = rng.choice(("delete", "insert", "change", "double", "end"))
        if what == "delete":
            del data[at : at + rng.randint(1, 4)]
        elif what == "insert":
            data[at:at] = rng.choice(INSERTED)
        elif what == "change":
            data[at] = rng.randrange(256)
        elif what == "double":
            data[at:at] = data[at : at + 20]
        elif rng.random() < 0.3:
            del data[at:]
        steps.append(f"{what} {at}")
        if not data:
            break
    return Case(bytes(data), f"{steps} {bytes(data[:300])!r}")


# -- the clients


def excused(case: Case, curl: Told, helr: Told) -> bool:
    """Where the two differ on purpose."""
    head = case.data.partition(b"\r\n\r\n")[0].lower()
    return any(
        (
            # curl delivers the beginning of a gzip body as if it were complete
            "body was cut short" in helr.why,
            # two lengths: curl uses the last; a page that may be cut is not a page
            "Content-Length is" in helr.why,
            # curl reads any line that begins with HTTP/ as a 200
            not CODE.match(case.data),
            # hints without anything after them are not a response
            curl.status < 200,
            # curl does not know the header with a space before its colon
            re.search(rb"content-length\s+:", head),
            # curl reads to the end of the connection; browsers follow Content-Length
            b"identity" in head and (curl.body or b"").startswith(helr.body or b"-"),
            # curl versions differ in how they treat a NUL
            b"\0" in head,
        )
    )


CODE = re.compile(
    rb"(HTTP/1.1 1\d\d [^\n]*\n([^\r\n]+\r?\n)*\r?\n)*HTTP/\d(\.\d)? *[2-9]\d\d(?!\d)",
    re.IGNORECASE,
)


def playing(cases: Sequence[Case]) -> Callable[[Server, socket.socket], None]:
    def serve(server: Server, connection: socket.socket) -> None:
        number = int(server.read(connection).split()[1].strip("/"))
        connection.sendall(cases[number].data)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(SECS)
        while connection.recv(65536):  # a close with unread bytes would be a reset
            pass

    return serve


def by_curl(url: str) -> Told:
    options = ["--silent", "--compressed", "--max-time", str(SECS), "--noproxy", "*"]
    made = subprocess.run(
        ["curl", "-q", *options, "--write-out", "%{stderr}%{http_code} %{errormsg}", url],
        capture_output=True,
        check=False,
    )
    status, _, why = made.stderr.decode("latin-1").partition(" ")
    body = made.stdout if made.returncode == 0 else None
    return Told(int(status), body, f"{made.returncode} {why}")


def by_helr(url: str) -> Told:
    limits = {"retries": {"max_attempts": 1}, "timeouts": {"request_secs": SECS}}
    retry = make_retry(make_source(url, **limits), Clock())

    def decode(response: Response) -> Told:
        response.release()
        return Told(response.status, bytes(response.body))

    try:
        return fetch(retry, Request(url), decode)
    except PollError as error:
        assert "\n" not in str(error)
        return Told(0, None, str(error))


def differences(cases: Sequence[Case]) -> list[str]:
    with serving(playing(cases)) as server, ThreadPoolExecutor(4) as pool:
        urls = [f"http://127.0.0.1:{server.port}/{number}" for number in range(len(cases))]
        theirs = list(pool.map(by_curl, urls))
        ours = list(map(by_helr, urls))
    found = []
    for case, curl, helr in zip(cases, theirs, ours, strict=True):
        if "_secs" in helr.why:
            found.append(f"{case.how}: helr waits: {helr.why}")
        elif curl.body is None or (helr.status, helr.body) == (curl.status, curl.body):
            continue
        elif not excused(case, curl, helr):
            found.append(f"{case.how}\n   curl {curl}\n   helr {helr}")
    return found


def test_each_oddity_alone() -> None:
    found = differences(some(list(each_alone())))
    assert not found, "\n".join(["", *found])


def test_oddities_mixed() -> None:
    rng = random.Random(int(os.environ.get("SEED", "1")))
    cases = [mixed(rng) for _ in range(int(os.environ.get("LIKE_CURL", FEW)))]
    found = differences(cases)
    assert not found, "\n".join(["", *found])


def test_bytes_changed() -> None:
    rng = random.Random(int(os.environ.get("SEED", "1")))
    cases = [mutated(rng) for _ in range(int(os.environ.get("LIKE_CURL", FEW)))]
    found = differences(cases)
    assert not found, "\n".join(["", *found])
