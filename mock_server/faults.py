"""The faults as data: a name, a line of help, and what to answer instead.

An order says when a fault happens: KIND@3 for the 3rd request to /audit/v1/logs, KIND@3-5 and
KIND@3+ for several, KIND:0.1 for each with that probability (seeded), KIND for the next one.
"""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import cache
from typing import Protocol

from mock_server.messages import HTML_TYPE, JSON_TYPE, TEXT_TYPE, Reply, json_reply
from mock_server.slack import ERRORS, Page, error

YEAR_2099 = 4070908800
BOMB_MIB = 1024


class Scene(Protocol):
    """What a fault may use: the request that it answers, and the reply due without it."""

    now: float
    retry_after: int
    cursor: str
    last_cursor: str
    authorization: str

    @property
    def elsewhere(self) -> str: ...

    def due(self) -> Reply: ...

    def page(self) -> Page | None: ...

    def fresh_cursor(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault's name, its line of help, and its answer."""

    name: str
    help: str
    reply: Callable[[Scene], Reply]


FAULTS: dict[str, Fault] = {}


def _add(name: str, line: str, reply: Callable[[Scene], Reply]) -> None:
    FAULTS[name] = Fault(name, line, reply)


def _slack(code: str) -> Callable[[Scene], Reply]:
    retries = code == "rate_limited"
    return lambda scene: error(code, scene.retry_after if retries else None)


def _plain(status: int, body: str, kind: str = HTML_TYPE, **headers: str) -> Reply:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, body.encode(), {"Content-Type": kind, **named})


def _wired(wire: str) -> Callable[[Scene], Reply]:
    """The reply that was due, sent badly; the server knows how."""

    def reply(scene: Scene) -> Reply:
        due = scene.due()
        due.wire = wire
        return due

    return reply


def _edited(edit: Callable[[Scene, Page], None]) -> Callable[[Scene], Reply]:
    """The page that was due, after `edit`; an error that was due is unchanged."""

    def reply(scene: Scene) -> Reply:
        page = scene.page()
        if page is None:
            return scene.due()
        edit(scene, page)
        return page.reply()

    return reply


def _extra(details: bytes, when: int | None = None) -> Callable[[Scene], Reply]:
    """The page that was due, with one more event with these details at the top."""

    def edit(scene: Scene, page: Page) -> None:
        page.entries.insert(
            0,
            b'{"id":"00000000-0000-4000-a000-%012d","date_create":%d,"action":"user_login",'
            b'"actor":{"type":"user","user":{"id":"USLACKUSER","name":"","email":""}},'
            b'"entity":{"type":"user","user":{"id":"USLACKUSER","name":"","email":""}},'
            b'"context":{"location":{"type":"workspace","id":"T0","name":"","domain":""},'
            b'"ua":"","session_id":null,"ip_address":""},"details":%b}'
            % (int(scene.now * 1000) % 10**12, when or int(scene.now), details),
        )

    return _edited(edit)


def _cut(scene: Scene) -> Reply:
    due = scene.due()
    due.body = due.body[: len(due.body) // 2]
    return due


def _cookie(scene: Scene) -> Reply:
    due = scene.due()
    due.headers["Set-Cookie"] = "d=xoxd-mock-session-secret; path=/; secure; HttpOnly"
    return due


def _repeat(scene: Scene, page: Page) -> None:
    page.next_cursor = scene.cursor or scene.last_cursor or page.next_cursor


def _empty(scene: Scene, page: Page) -> None:
    page.entries, page.next_cursor = [], scene.fresh_cursor()


def _bomb(scene: Scene) -> Reply:
    headers = {"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"}
    return Reply(200, _bomb_body(BOMB_MIB), headers)


@cache
def _bomb_body(mebibytes: int) -> bytes:
    """A small gzip body that is an empty page with that much white space in it."""
    head, blank, tail = b'{"entries":[', b" " * 2**20, b"]}"
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = pack.compress(head) + pack.flush(zlib.Z_FULL_FLUSH)
    # After a full flush nothing refers back, so one compressed block can be repeated.
    block = pack.compress(blank) + pack.flush(zlib.Z_FULL_FLUSH)
    end = pack.compress(tail) + pack.flush()
    check, size = zlib.crc32(head), len(head) + mebibytes * len(blank) + len(tail)
    for _ in range(mebibytes):
        check = zlib.crc32(blank, check)
    check = zlib.crc32(tail, check)
    magic = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    return magic + start + block * mebibytes + end + struct.pack("<II", check, size % 2**32)


def _limited(wait: Callable[[Scene], str]) -> Callable[[Scene], Reply]:
    body = {"ok": False, "error": "rate_limited"}
    return lambda scene: json_reply(429, body, Retry_After=wait(scene))


for _code, (_status, _meaning) in ERRORS.items():
    _add(_code, f"HTTP {_status}: {_meaning}", _slack(_code))

_add("429", "HTTP 429 without Retry-After, no JSON", lambda s: _plain(429, "slow down", TEXT_TYPE))
_add(
    "retry-after-date",
    "HTTP 429 whose Retry-After is a date, retry_after seconds ahead",
    _limited(lambda s: formatdate(s.now + s.retry_after + 1, usegmt=True)),
)
_add("big-retry-after", "HTTP 429 with Retry-After: 86400", _limited(lambda s: "86400"))
_add("500", "HTTP 500 with an HTML body", lambda s: _plain(500, "<h1>Server Error</h1>"))
_add("502", "HTTP 502 as sent by a proxy", lambda s: _plain(502, "<h1>Bad Gateway</h1>"))
_add("503", "HTTP 503 in plain text", lambda s: _plain(503, "Service Unavailable", TEXT_TYPE))
_add(
    "echo-token",
    "HTTP 401 whose body repeats the request's Authorization header",
    lambda s: json_reply(
        401, {"ok": False, "error": "invalid_authentication", "sent": s.authorization}
    ),
)
_add("set-cookie", "the page with a session secret in Set-Cookie", _cookie)
_add("chunked", "the page in chunks, without Content-Length (not an error)", _wired("chunked"))
_add("redirect", "HTTP 302 to another origin", lambda s: _plain(302, "", Location=s.elsewhere))
_add("reset", "the connection is reset (RST) instead of a response", _wired("reset"))
_add("close", "the connection is closed without a response", _wired("close"))
_add("truncate", "the body ends at half of its Content-Length", _wired("truncate"))
_add(
    "drip-headers", "the headers arrive one byte per second (drip_seconds)", _wired("drip-headers")
)
_add("drip-body", "the body arrives one byte per second (drip_seconds)", _wired("drip-body"))
_add("hang", "no response at all; the connection stays open", _wired("hang"))
_add("slow", "the response arrives after 5 seconds (slow_seconds)", _wired("slow"))
_add("truncated-json", "a complete response whose JSON is cut in half", _cut)
_add("html", "HTTP 200 with an HTML page", lambda s: _plain(200, "<html>Sign in</html>"))
_add("empty-body", "HTTP 200 with an empty body", lambda s: _plain(200, "", JSON_TYPE))
_add("not-json", "HTTP 200 with text that is not JSON", lambda s: _plain(200, "oops", JSON_TYPE))
_add(
    "ok-false-200",
    'HTTP 200 with {"ok":false,"error":"internal_error"}',
    lambda s: json_reply(200, {"ok": False, "error": "internal_error"}),
)
_add(
    "no-entries",
    "HTTP 200 with an object without entries",
    lambda s: json_reply(200, {"response_metadata": {"next_cursor": ""}}),
)
_add(
    "wrong-types",
    "the page with a string among its entries",
    _edited(lambda s, page: page.entries.insert(len(page.entries) // 2, b'"not an object"')),
)
_add(
    "invalid-utf8",
    "one more event with bytes that are not UTF-8",
    _extra(b'{"a":"\xff\xfe"}'),
)
_add(
    "deep-nesting",
    "one more event with arrays nested 100,000 levels deep",
    _extra(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
)
_add(
    "huge-number",
    "one more event with an integer of 5,000 digits",
    _extra(b'{"a":' + b"7" * 5000 + b"}"),
)
_add("lone-surrogate", r"one more event with a lone \ud800", _extra(rb'{"a":"\ud800"}'))
_add("future-event", "one more event, dated 2099", _extra(b"{}", YEAR_2099))
_add(
    "duplicate-event",
    "the page with its first event twice",
    _edited(lambda s, page: page.entries.__setitem__(slice(0, 0), page.entries[:1])),
)
_add(
    "repeat-cursor",
    "next_cursor is the request's own cursor (first page: the last one issued)",
    _edited(_repeat),
)
_add("empty-page", "no entries, but a new cursor of the same position", _edited(_empty))
_add("gzip-bomb", f"1 MiB of gzip that decompresses to {BOMB_MIB} MiB", _bomb)


_ORDER = re.compile(
    r"(?P<kind>[a-z0-9_-]+?)(?:@(?P<first>[0-9]{1,15})(?:-(?P<last>[0-9]{1,15})|(?P<on>\+))?|:(?P<odds>[0-9.]{1,20}))?"
)


@dataclass(slots=True)
class _Order:
    text: str
    fault: Fault
    first: int = 0
    last: float = 0
    odds: float = 0


class Orders:
    """The faults to come. Requests are numbered from 1."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(f"helr mock faults {seed}")
        self._orders: list[_Order] = []

    def add(self, text: str, after: int = 0) -> None:
        """Add KIND, KIND@N, KIND@N-M, KIND@N+ or KIND:P; N counts from request `after`.

        Raises ValueError with a message when it cannot be parsed.
        """
        match = _ORDER.fullmatch(text.strip())
        if not match or match["kind"] not in FAULTS:
            name = match["kind"] if match else text
            raise ValueError(f"no fault {name!r}; the faults are {', '.join(FAULTS)}")
        order = _Order(text.strip(), FAULTS[match["kind"]])
        if match["odds"]:
            order.odds = _odds(match["odds"], text)
        else:
            first = int(match["first"] or 1)
            last = float("inf") if match["on"] else int(match["last"] or first)
            if first < 1 or last < first:
                raise ValueError(
                    f"fault {text!r}: requests are numbered from 1, in ascending order"
                )
            order.first, order.last = after + first, after + last
        self._orders.append(order)

    def clear(self) -> None:
        self._orders.clear()

    def pick(self, number: int) -> Fault | None:
        """The fault for that request, if any; call it once for each."""
        chosen = None
        for order in self._orders:
            # Dice are thrown for every request, so that orders do not influence one another.
            hit = self._rng.random() < order.odds if order.odds else False
            if chosen is None and (hit or order.first <= number <= order.last):
                chosen = order.fault
        return chosen

    def pending(self, number: int) -> list[str]:
        """The orders that can still apply after request `number`."""
        return [o.text for o in self._orders if o.odds or o.last > number]


def _odds(text: str, order: str) -> float:
    try:
        odds = float(text)
    except ValueError:
        odds = -1.0
    if not 0 <= odds <= 1:
        raise ValueError(f"fault {order!r}: the probability must be from 0 to 1")
    return odds
