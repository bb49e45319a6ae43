"""A response becomes a page: its events as untouched bytes, the few fields needed, the next cursor.

Promises: an event's bytes are never changed; what is not a whole page of event objects is an
error and never an event; hostile bodies give an error, not a crash. The quick way (msgspec,
two passes in C) handles what is well formed; whatever it refuses is looked at the slow way
(`helr.page.json_fallback`), which delivers what `json` accepts and otherwise says what is wrong.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import msgspec

from helr.engine.rejects import Reject
from helr.errors import PollError
from helr.http.messages import Response
from helr.model import Source
from helr.page import refusal
from helr.page.projection import UnfitError, compile_paths
from helr.page.value_limit import values_over

EVENT_KEYS = ("items", "data", "events", "logs", "entries")  # in the order of the Rust helr
# Bytes looked at in one go. malloc fetches a text of more than 128 KiB from the kernel anew each
# time, which costs more than the looking; large pages have raised that bound by themselves.
_CHUNK, _SMALL_CHUNK = 1 << 16, 1 << 14
_ENOUGH = 1000  # events to look at before it is a good bet what their API does not have
_LAST_SECOND = 100_000_000_000  # a greater number is milliseconds
# patterns are compiled when an error first needs them: that is a millisecond of a cold start
_LONE_SURROGATE = "[\ud800-\udfff]"
_CURSOR_STATUSES = (400, 404, 410, 422)
_BAD_CURSOR = (
    rb"(?i)(invalid|expired|bad|malformed|unknown|stale)[ _-]*(pagination[ _-]*)?cursor"
    rb"|cursor[ _-]*(is[ _-]|has[ _-]|was[ _-])?(not[ _-]|no[ _-]longer[ _-])?"
    rb"(invalid|expired|valid|found|malformed|unknown)"
)


class ApiError(PollError):
    """The API answered with an error: an HTTP status, or a body that says `"ok": false`.

    `limited`: it means that there were too many requests, whatever its status says.
    """

    limited = False

    def __init__(self, message: str, status: int, code: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.server_fault = status >= 500


class CursorRefusedError(ApiError):
    """The API refuses the cursor; asking again with it is pointless."""

    final = True


class BadPageError(PollError):
    """A successful response that is no page of events."""


class Page(msgspec.Struct):
    """One page. `raws` are bytes-like; `fields[path]` has one value (or None) per event, and may
    be missing for a path that no event has.

    `cursor`: the next page's, None on the last. `received`: Unix seconds. `size`: bytes.
    """

    raws: Sequence[Any]
    fields: dict[str, list[Any]]
    cursor: str | None
    path: str
    received: float
    size: int
    breaks: bool  # whether raw line breaks stand in the body
    release: Callable[[], None]  # gives the page's place in memory free
    rejects: Sequence[Reject] = ()  # with on_parse_error: skip_event
    next_signs: Sequence[str] = ()  # looked for only where the decoder is told to
    _seconds: dict[str, list[int] | None] = {}

    def column(self, path: str) -> list[Any]:
        """One value (or None) per event."""
        return self.fields.get(path) or [None] * len(self.raws)

    def has(self, path: str) -> bool:
        """Whether any event has a value there."""
        column = self.fields.get(path, [])
        return column.count(None) < len(column)

    def seconds(self, path: str) -> list[int] | None:
        """The column when every event has whole Unix seconds there: most pages are so."""
        if path not in self._seconds:
            column = self.column(path)
            whole = set(map(type, column)) == {int}
            whole = whole and 0 < min(column) <= max(column) <= _LAST_SECOND
            self._seconds[path] = column if whole else None
        return self._seconds[path]


class Decoder:
    """Decodes the pages of one source; compiled once from the paths it is asked for.

    `cursor_path`: where the next cursor stands. `paths`: the event fields a page must carry.
    """

    def __init__(self, source: Source, cursor_path: str | None, paths: Iterable[str]) -> None:
        self.source = source
        self.cursor_path = cursor_path
        self.paths = tuple(dict.fromkeys(paths))
        self.looks_for_more = False  # see helr.page.next_signs
        where = source.response_events_path
        self._event_keys = (where,) if where else EVENT_KEYS
        self._lean: _Columns | None = None
        self._absent, self._looked_at = set(self.paths), 0  # paths that no event had, of so many
        beside = (["ok"] if where != "ok" else []) + ([cursor_path] if cursor_path else [])
        try:
            self._raws: _Pass | None = _Pass(self._event_keys, msgspec.Raw, beside)
            self._full = _Columns(self._event_keys, self.paths)
        except UnfitError:
            self._raws = None  # every page goes the slow way

    def __call__(self, response: Response) -> Page:
        """The page in a response.

        Raises ApiError for an error status or body, CursorRefusedError when it is about the
        cursor that was sent, BadPageError for anything that is no page.
        """
        if self._says_nothing_new(response):
            return Page([], {}, None, response.path, response.received, 0, False, response.release)
        if not 200 <= response.status < 300:
            raise self.refusal(response)
        body, rejects, around = response.body, list[Reject](), None
        if over := values_over(body, self.source.max_response_values):
            limit = f"max_response_values ({self.source.max_response_values})"
            what = f"the body holds {over} values, more than {limit}"
            raise self._bad(response, what, "lower `limit`, or raise it")
        try:
            body = self._utf8(response)
            raws, columns, cursor = self._quick(body)
        except (msgspec.MsgspecError, RecursionError, _NotPlain):
            raws, columns, cursor, rejects, around = self._slow(response, body)
        if not raws and cursor is None and _is_an_error(response):
            raise self.refusal(response)
        return Page(
            raws,
            columns,
            cursor,
            response.path,
            response.received,
            len(body),
            b"\n" in body or b"\r" in body,
            response.release,
            rejects,
            self._next_signs(response, around or body, len(raws)) if cursor is None else (),
        )

    def _next_signs(self, response: Response, body: Any, events: int) -> Sequence[str]:
        if not self.looks_for_more:
            return ()
        from helr.page.next_signs import next_signs

        first = not response.request.cursor
        return next_signs(body, response.headers, events, first=first)

    def _says_nothing_new(self, response: Response) -> bool:
        """Whether the status alone is an empty page: 204 and 205, and 304 where the configured
        headers make the request conditional (RFC 9110 §15.3.5, §15.3.6, §15.4.5)."""
        if response.status not in (204, 205, 304) or response.body:
            return False
        conditional = any(name.lower().startswith("if-") for name in self.source.headers)
        return response.status != 304 or (conditional and not response.request.cursor)

    def _quick(self, body: bytes | bytearray) -> tuple[Sequence[Any], dict[str, Any], str | None]:
        if self._raws is None:
            raise _NotPlain
        raws, whole = self._raws(body)
        of = self._raws.of
        if raws is None or ("ok" in of and whole is not None and of["ok"](whole) is False):
            raise _NotPlain
        cursor = None
        if whole is not None and self.cursor_path:
            cursor = cursor_text(of[self.cursor_path](whole))
        return raws, self._fields(body), cursor

    def _fields(self, body: bytes | bytearray) -> dict[str, list[Any]]:
        """The columns. The first events show which fields their API does not have: later pages are
        decoded without them, until one has one."""
        if self._lean:
            try:
                return self._lean(body)
            except msgspec.ValidationError:
                self._lean = None
        fields = self._full(body)
        if self._looked_at < _ENOUGH:
            self._learn(fields)
        return fields

    def _learn(self, fields: dict[str, list[Any]]) -> None:
        has = {path for path, column in fields.items() if column.count(None) < len(column)}
        self._absent -= has
        self._looked_at += len(next(iter(fields.values()), ()))
        if self._looked_at >= _ENOUGH and self._absent:
            self._lean = _Columns(self._event_keys, self.paths, self._absent)

    def _slow(
        self, response: Response, body: bytes | bytearray
    ) -> tuple[Sequence[Any], dict[str, list[Any]], str | None, list[Reject], Any]:
        from helr.page import json_fallback

        try:
            raws, events, whole, rejects = self._salvaged(body)
            if isinstance(whole, dict) and whole.get("ok") is False:
                raise self.refusal(response)
            cursor = (
                cursor_text(json_fallback.dig(whole, self.cursor_path))
                if self.cursor_path
                else None
            )
        except json_fallback.NotAPageError as error:
            said = refusal.said(bytes(body[: refusal.HEAD_BYTES]), response.status)
            refused = response.request.cursor and _names_cursor(
                response.status, bytes(body[:4096]), said
            )
            if refused or refusal.is_error(refusal.parsed(body)):
                raise self.refusal(response) from None
            what = f"{error} (the body says{said})" if said.sentence else str(error)
            raise self._bad(response, what, error.advice, cut=error.cut) from None
        except _NotPlain as error:
            raise self._bad(response, str(error), "check pagination.cursor_path") from None
        columns = {
            path: [json_fallback.dig(event, path) for event in events] for path in self.paths
        }
        return raws, columns, cursor, rejects, whole

    def _salvaged(
        self, body: bytes | bytearray
    ) -> tuple[list[bytes], list[Any], Any, list[Reject]]:
        """The events of a page that is not plain, decoded too; what surrounds them; and what was
        set aside, where the source says so. Raises NotAPageError."""
        from helr.page import json_fallback, salvage

        if self.source.on_parse_error == "skip_event":
            return salvage.events(body, self._event_keys)
        whole = json_fallback.load(body)
        raws, events = json_fallback.events(body, whole, self._event_keys)
        return raws, events, whole, []

    def _utf8(self, response: Response) -> bytes | bytearray:
        """The body, known to be UTF-8: msgspec does not look inside what it only slices."""
        body = response.body
        if body[:3] == codecs.BOM_UTF8:
            body = body[3:]
        if body[:1] in (b" ", b"\n", b"\r", b"\t"):
            body = body.lstrip()
        try:
            if not body.isascii():
                check_utf8(body)
            return body
        except UnicodeDecodeError as error:
            return self._repaired(response, body, error)

    def _repaired(
        self, response: Response, body: bytes | bytearray, error: UnicodeDecodeError
    ) -> bytes:
        how = self.source.on_invalid_utf8
        if how == "fail" and self.source.on_parse_error == "skip_event":
            raise _NotPlain
        if how == "replace":
            return body.decode("utf-8", "replace").encode()
        if how == "escape":
            return _escape_invalid(body)
        if error.reason == "unexpected end of data":
            what = "the body is cut short inside a character"
            raise self._bad(response, what, "if it comes again, lower `limit`", cut=True)
        raise self._bad(
            response,
            f"the body is not UTF-8 (byte 0x{error.object[error.start]:02x})",
            "set on_invalid_utf8: replace or escape to deliver it all the same",
        )

    def _bad(self, response: Response, what: str, do: str, *, cut: bool = False) -> BadPageError:
        """`cut`: what came may be the beginning of a page, so that asking again may help."""
        from helr.vendors import hints

        advice = hints.advice(
            response.request.url,
            status=response.status,
            body=bytes(response.body[:2048]),
            content_type=response.headers.get("Content-Type", ""),
        )
        error = BadPageError(_line(self.source.name, response, f", {what}", advice or do))
        error.retryable = cut
        return error

    def refusal(self, response: Response) -> ApiError:
        """What an error response means, with advice."""
        from helr.http.rate_headers import says_limited
        from helr.vendors import hints

        head = bytes(response.body[: refusal.HEAD_BYTES])
        words = refusal.said(head, response.status)
        name, status, code = self.source.name, response.status, words.code
        if response.request.cursor and _names_cursor(status, head, words):
            advice = hints.advice(response.request.url, code=code or "invalid_cursor")
            what = f", the cursor was refused{f' ({str(words).strip()})' if str(words) else ''}"
            return CursorRefusedError(_line(name, response, what, advice), status, code)
        said = str(words) or head[:2048].decode("utf-8", "replace")
        limits = self.source.resilience.rate_limit
        limited = says_limited(status, response.headers, said, limits)
        advice = hints.advice(
            response.request.url,
            code=code,
            status=429 if limited else status,
            body=head[:2048],
            content_type=response.headers.get("Content-Type", ""),
        )
        if advice == hints.BY_STATUS[401] and self.source.auth is None:
            advice = hints.NO_AUTH
        what = str(words)
        if 200 <= status < 300:
            advice = advice or "the body is an error; look it up in the API's documentation"
            what = what or ", the body says that this is an error and gives no reason"
        error = ApiError(_line(name, response, what, advice), status, code)
        error.limited = limited
        return error


class _Pass:
    """One pass over a body, compiled: its events, each as `kind`. They are a bare array, or stand
    under one of `keys` in an object, whose other paths `beside` are read by `of`.

    Gives the events (None when there are none) and that object (None for a bare array). Raises
    UnfitError.
    """

    def __init__(self, keys: Sequence[str], kind: Any, beside: Iterable[str] = ()) -> None:
        events = list[kind]
        if set(keys) & set(beside := tuple(beside)):
            raise UnfitError  # one path would be read in two ways
        shape, self.of = compile_paths(dict.fromkeys(keys, events) | dict.fromkeys(beside, Any))
        self._keys = keys
        self._decode_whole = msgspec.json.Decoder(shape).decode
        self._decode_events = msgspec.json.Decoder(events).decode

    def __call__(self, body: bytes | bytearray) -> tuple[Any, Any]:
        if body[:1] == b"[":
            return self._decode_events(body), None
        whole = self._decode_whole(body)
        found = (self.of[key](whole) for key in self._keys)
        return next((events for events in found if events is not None), None), whole


class _Columns:
    """A column for each path but those of `absent`, whose presence in any event is a
    ValidationError. Raises UnfitError."""

    def __init__(
        self, event_keys: Sequence[str], paths: Sequence[str], absent: Collection[str] = ()
    ) -> None:
        kinds = {path: type(None) if path in absent else Any for path in paths}
        event, getters = compile_paths(kinds)
        self._events = _Pass(event_keys, event)
        self._getters = {path: getters[path] for path in paths if path not in absent}

    def __call__(self, body: bytes | bytearray) -> dict[str, list[Any]]:
        events, _ = self._events(body)
        return {path: list(map(get, events)) for path, get in self._getters.items()}


class _NotPlain(Exception):  # noqa: N818 - never leaves this module: the slow way's turn
    """The quick way cannot tell what this is."""


def check_utf8(body: bytes | bytearray) -> None:
    """Raise UnicodeDecodeError unless the whole body is UTF-8; holds no second copy of it."""
    view, start = memoryview(body), 0
    size = _CHUNK if len(view) > 4 * _CHUNK else _SMALL_CHUNK
    while start < len(view):  # a character cut by the end of a piece is left to the next one
        last = start + size >= len(view)
        start += codecs.utf_8_decode(view[start : start + size], "strict", last)[1]


def _escape_invalid(body: bytes | bytearray) -> bytes:
    """Invalid bytes as the four visible characters `\\xNN`, which JSON writes `\\\\xNN`."""
    text = body.decode("utf-8", "surrogateescape")
    return re.sub(
        "[\udc80-\udcff]", lambda match: f"\\\\x{ord(match[0]) - 0xDC00:02x}", text
    ).encode()


def cursor_text(value: Any) -> str | None:
    """The next cursor as text; None for an absent, null, false or empty one."""
    if value is None or value is msgspec.UNSET or value is False or value == "":
        return None
    if isinstance(value, str):
        if not value.isascii() and re.search(_LONE_SURROGATE, value):
            raise _NotPlain("the next cursor holds half a character, which cannot be sent back")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise _NotPlain("the next cursor is neither a string nor a whole number")


def _is_an_error(response: Response) -> bool:
    """Whether what looks like an empty last page names an error, or refuses the cursor."""
    found = refusal.parsed(response.body)
    if not isinstance(found, dict):
        return False
    said = refusal.words(found, response.status)
    refused = response.request.cursor and _names_cursor(response.status, b"", said)
    return bool(refused) or refusal.is_error(found, with_events=True)


def _names_cursor(status: int, body: bytes, words: refusal.Words) -> bool:
    if status not in _CURSOR_STATUSES and not 200 <= status < 300:
        return False
    said = str(words).encode("utf-8", "replace")
    return status == 410 or any(re.search(_BAD_CURSOR, text) for text in (said, body[:4096]))


def _line(name: str, response: Response, what: str, advice: str) -> str:
    said = f"{name}: {response.url}: HTTP {response.status}{what}"
    return f"{said}: {advice}" if advice else said
