"""A response becomes a page: its events as untouched bytes, the few fields needed, the next token.

Promises: an event's bytes are never changed; what is not a whole page of event objects is an
error and never an event; hostile bodies give an error, not a crash. The quick way (msgspec,
two passes in C) handles what is well formed; whatever it refuses is looked at the slow way
(`helr.page.json_fallback`), which delivers what `json` accepts and otherwise says what is wrong.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from helr.errors import PollError
from helr.messages import Response
from helr.model import Source
from helr.page import error_rules, refusal
from helr.page.api_error import BadPageError, api_error, is_error, names_token
from helr.page.page import Page, Reject
from helr.page.projection import UnfitError, compile_paths
from helr.page.value_limit import values_over
from helr.pagination import LAST, Answer, BadTokenError, More, Next, Pagination
from helr.vendors import hints

if TYPE_CHECKING:
    from helr.page import json_fallback

EVENT_KEYS = ("items", "data", "events", "logs", "entries")  # in the order of the Rust helr
# Bytes looked at in one go. malloc fetches a text of more than 128 KiB from the kernel anew each
# time, which costs more than the looking; large pages have raised that bound by themselves.
_CHUNK, _SMALL_CHUNK = 1 << 16, 1 << 14
_ENOUGH = 1000  # events to look at before it is a good bet what their API does not have


class _Found(NamedTuple):
    """What a body holds. `beside`: the values that the pagination needs."""

    raws: Sequence[Any]
    fields: dict[str, list[Any]]
    beside: dict[str, Any]
    rejects: Sequence[Reject] = ()
    whole: Any = None  # decoded, where that was done the slow way


class Decoder:
    """Decodes the pages of one source; compiled once from the paths it is asked for.

    `paths`: the event fields that a page must carry.
    """

    def __init__(self, source: Source, pagination: Pagination, paths: Iterable[str]) -> None:
        self.source = source
        self.pagination = pagination
        self.paths = tuple(dict.fromkeys((*paths, *pagination.event_paths)))
        where = source.response_events_path
        self._event_keys = (where,) if where else EVENT_KEYS
        self._lean: _Columns | None = None
        self._absent, self._looked_at = set(self.paths), 0  # paths that no event had, of so many
        rules = [rule.path for rule in source.error_rules]
        self._beside = tuple(dict.fromkeys((*pagination.body_paths, *rules)))
        beside = dict.fromkeys((*(["ok"] if where != "ok" else []), *self._beside))
        try:
            self._raws: _Pass | None = _Pass(self._event_keys, msgspec.Raw, beside)
            self._full = _Columns(self._event_keys, self.paths)
        except UnfitError:
            self._raws = None  # every page goes the slow way

    def __call__(self, response: Response, *, looks_for_more: bool = False) -> Page:
        """The page in a response. `looks_for_more`: look for signs of a next page (see
        helr.page.next_signs) where the pagination finds none.

        Raises ApiError for an error status or body, TokenRefusedError when it is about the
        token that was sent, BadPageError for anything that is not a page.
        """
        if self._says_nothing_new(response):
            return self._empty_page(response)
        if not 200 <= response.status < 300:
            if (means := self._meaning(response)) == "empty":
                return self._empty_page(response)
            raise api_error(self.source, response, means)
        body = self._bounded(response)
        try:
            body = self._utf8(response)
            found = self._quick(body)
        except (msgspec.MsgspecError, RecursionError, _NotPlain):
            found = self._slow(response, body)
        means = error_rules.meaning(self.source.error_rules, found.beside.get)
        if means not in ("", "empty"):
            raise api_error(self.source, response, means)
        after = self._next(response, found)
        if not found.raws and not isinstance(after, More) and is_error(response):
            raise api_error(self.source, response)
        more = looks_for_more and after == LAST
        signs = _next_signs(response, found.whole or body, len(found.raws)) if more else ()
        response.body = b""  # the events hold what they need of it
        return Page(
            response,
            found.raws,
            found.fields,
            after,
            len(body),
            b"\n" in body or b"\r" in body,
            found.rejects,
            signs,
        )

    def _says_nothing_new(self, response: Response) -> bool:
        """Whether the status alone is an empty page: 204 and 205, and 304 where the configured
        headers make the request conditional (RFC 9110 §15.3.5, §15.3.6, §15.4.5)."""
        if response.status not in (204, 205, 304) or response.body:
            return False
        conditional = any(name.lower().startswith("if-") for name in self.source.headers)
        return response.status != 304 or (conditional and response.request.token is None)

    def _empty_page(self, response: Response) -> Page:
        return Page(response, next=self._next(response, _Found([], {}, {})))

    def _bounded(self, response: Response) -> bytes | bytearray:
        if over := values_over(response.body, self.source.max_response_values):
            limit = f"max_response_values ({self.source.max_response_values})"
            what = f"the body holds {over} values, more than {limit}"
            raise self._bad(response, what, "lower `limit`, or raise it")
        return response.body

    def _next(self, response: Response, found: _Found) -> Next:
        last = {path: _last(found.fields.get(path)) for path in self.pagination.event_paths}
        count = len(found.raws) + len(found.rejects)
        answer = Answer(found.beside, response.headers, response.address, count, last)
        try:
            return self.pagination.next(response.request.token, answer)
        except BadTokenError as error:
            raise self._bad(response, str(error), error.do) from None

    # -- the quick way

    def _quick(self, body: bytes | bytearray) -> _Found:
        if self._raws is None:
            raise _NotPlain
        raws, whole = self._raws(body)
        of = self._raws.of
        if raws is None or ("ok" in of and whole is not None and of["ok"](whole) is False):
            raise _NotPlain
        beside = {}
        if whole is not None:
            beside = {path: of[path](whole) for path in self._beside}
        return _Found(raws, self._fields(body), beside)

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

    # -- the slow way

    def _slow(self, response: Response, body: bytes | bytearray) -> _Found:
        from helr.page import json_fallback

        dig = json_fallback.dig
        try:
            raws, events, whole, rejects = self._salvaged(body)
        except json_fallback.NotAPageError as error:
            if error.no_events and (empty := self._empty(response)):
                return empty
            raise self._not_a_page(response, body, error) from None
        if isinstance(whole, dict) and whole.get("ok") is False:
            raise api_error(self.source, response)
        beside = {path: dig(whole, path) for path in self._beside}
        fields = {path: [dig(event, path) for event in events] for path in self.paths}
        return _Found(raws, fields, beside, rejects, whole)

    def _empty(self, response: Response) -> _Found | None:
        """A page without its array of events, as some APIs have it where nothing happened: it
        leads on to another page, or the configuration says so."""
        from helr.page import json_fallback

        whole = refusal.parsed(response.body)
        if not isinstance(whole, dict) or refusal.is_error(whole):
            return None
        found = _Found(
            [], {}, {path: json_fallback.dig(whole, path) for path in self._beside}, (), whole
        )
        means = error_rules.meaning(self.source.error_rules, found.beside.get)
        after = self._next(response, found)
        leads_on = not means and (isinstance(after, More) or getattr(after, "named", False))
        return found if means == "empty" or leads_on else None

    def _meaning(self, response: Response) -> str:
        """What an error rule says of an answer that is not a page."""
        if not self.source.error_rules:
            return ""
        from helr.page.json_fallback import dig

        whole = refusal.parsed(response.body)
        return error_rules.meaning(self.source.error_rules, lambda path: dig(whole, path))

    def _not_a_page(
        self, response: Response, body: bytes | bytearray, error: json_fallback.NotAPageError
    ) -> PollError:
        if means := self._meaning(response):
            return api_error(self.source, response, means)
        said = refusal.said(bytes(body[: refusal.HEAD_BYTES]), response.status)
        sent = response.request.token is not None
        refused = sent and names_token(response.status, bytes(body[:4096]), said)
        if refused or refusal.is_error(refusal.parsed(body)):
            return api_error(self.source, response)
        what = f"{error} (the body says{said})" if said.sentence else str(error)
        return self._bad(response, what, error.advice, cut=error.cut)

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

    # -- letters that are not UTF-8

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
        advice = hints.advice(
            response.request.url,
            status=response.status,
            body=bytes(response.body[:2048]),
            content_type=response.headers.get("Content-Type", ""),
        )
        error = BadPageError(
            f"HTTP {response.status}, {what}",
            where=response.url,
            do=advice or do,
            source=self.source.name,
        )
        error.retryable = cut
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


def _last(column: list[Any] | None) -> Any:
    return column[-1] if column else None


def _next_signs(response: Response, body: Any, events: int) -> Sequence[str]:
    from helr.page.next_signs import next_signs

    return next_signs(body, response.headers, events, first=response.request.token is None)
