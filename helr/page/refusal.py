"""What the body of an error response says: its code, its message, and whether it is an error.

Vendors spell this in many ways; the names below are those of Slack, Google, Okta, GitHub,
Microsoft, Atlassian, AWS, Apigee, Cloudflare, Duo, Zoom, Auth0, FastAPI, WeChat, RFC 6749 (OAuth),
RFC 9457 (problem details) and GraphQL. They are compared without regard to case, `_`, `-` and
spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from helr.log import excerpt

HEAD_BYTES = 65_536  # how much of a body is read
_ERRORS = ("error", "errors", "fault", "fail", "odataerror", "exception")
_INNER = (*_ERRORS, "detail", "details")  # where code and message may be
_AROUND = ("meta", "metadata", "response", "header", "result", "status")
_CODES = (
    *("error", "errorcode", "errcode", "errorname", "faultcode", "code", "status", "reason", "key"),
    *("tag", "type"),
)
_SENTENCES = (
    *("message", "errordescription", "errorsummary", "detail", "errormessage", "errormessages"),
    *("description", "details", "messagedetail", "msg", "errmsg", "errormsg", "faultstring"),
    *("title", "errortext", "statusmessage", "exception"),
)
_FAILED = ("error", "err", "fail", "failed", "failure", "ko", "nok")
_NOTHING_WRONG = ("", "0", "ok", "success", "none", "false", "null", "no error")
_GOOD_FLAGS = ("ok", "success", "succeeded", "issuccess", "successful")
_BAD_FLAGS = ("iserror", "haserror", "haserrors", "failed")
_BAD_CODES = ("errorcode", "errcode", "errno")
_STATUSES = ("status", "statuscode", "code", "httpstatus", "httpcode")
_OUTCOMES = ("result", "state", "outcome")
_DEEP = 4


class Words(msgspec.Struct, frozen=True):
    """`code`: a short name of the error. `sentence`: the vendor's message. Both are safe to show:
    without secrets, on one line."""

    code: str | None = None
    sentence: str | None = None

    def __str__(self) -> str:
        """` CODE "sentence"`, to be put after `HTTP 400`; empty if there is neither."""
        quoted = f' "{self.sentence}"' if self.sentence else ""
        return (f" {self.code}" if self.code else "") + quoted


def said(head: bytes, status: int) -> Words:
    """The code and message in the beginning of a body: JSON, XML, HTML or plain text."""
    found = parsed(head)
    return words(_plain_text(head, status) if found is None else found, status)


def words(body: Any, status: int) -> Words:
    """The code and message in a decoded body. A code that repeats the HTTP status is ignored."""
    code, sentence = _words(body, _DEEP, str(status))
    return Words(code, None if sentence == code else sentence)


def parsed(body: bytes | bytearray) -> Any:
    """The beginning of a body, decoded; None if it cannot be decoded."""
    try:
        text = body[:HEAD_BYTES].decode("utf-8-sig", "replace")
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None


def is_error(body: Any, *, with_events: bool = False) -> bool:
    """Whether a decoded body is an error, regardless of its status. `with_events`: it has an array
    of events, an empty one, so members that may repeat a filter of the request do not count."""
    if not isinstance(body, dict):
        return False
    return _is_error(body, _STATUSES[:2] if with_events else (*_STATUSES, *_OUTCOMES)) or any(
        _is_error(inner, ()) for inner in _members(body, _AROUND) if isinstance(inner, dict)
    )


def _is_error(body: dict[str, Any], outcomes: tuple[str, ...]) -> bool:
    if any(_is_wrong(value) for value in _members(body, (*_ERRORS, *_BAD_FLAGS, *_BAD_CODES))):
        return True
    if any(str(value).lower() == "false" for value in _members(body, _GOOD_FLAGS)):
        return True
    values = {str(value).lower() for value in _members(body, (*outcomes, "stat", "status"))}
    return any(value in _FAILED or re.fullmatch("[45][0-9][0-9]", value) for value in values)


def _is_wrong(value: Any) -> bool:
    """Whether the value of `error` means that there is one: not `{"code": 0}` or `"none"`."""
    if isinstance(value, dict):
        codes = list(_members(value, ("code", "errorcode", "errcode", "status")))
        return bool(value) and not (codes and all(map(_says_nothing, codes)))
    return bool(value) if isinstance(value, list) else not _says_nothing(value)


def _says_nothing(value: Any) -> bool:
    return value is None or str(value).strip().lower() in _NOTHING_WRONG


def _members(body: dict[str, Any], names: tuple[str, ...]) -> Iterator[Any]:
    """The values of those members, in the order of the names."""
    known = {_bare(key): value for key, value in reversed(body.items())}
    return (known[name] for name in names if name in known)


def _bare(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())


def _words(found: Any, depth: int, status: str) -> tuple[str | None, str | None]:
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict) or not depth:
        text = _text(found)
        return (None, text) if text and " " in text else (text, None)
    code, sentence = _first(found, _CODES, status), _first(found, _SENTENCES, status)
    for inner in _members(found, (*_INNER, *_AROUND)):
        if inner and isinstance(inner, (dict, list)):
            inner_code, inner_sentence = _words(inner, depth - 1, status)
            better = any(inner is value for value in _members(found, _ERRORS))
            code = (inner_code or code) if better else (code or inner_code)
            sentence = (inner_sentence or sentence) if better else (sentence or inner_sentence)
    if code and " " in code:  # `"error": "a whole sentence"`
        return None, sentence or code
    return code, sentence


def _first(found: dict[str, Any], names: tuple[str, ...], status: str) -> str | None:
    texts = (_text(value) for value in _members(found, names))
    says_nothing = (*_FAILED, status)
    return next((text for text in texts if text and text.lower() not in says_nothing), None)


def _text(value: Any) -> str | None:
    if isinstance(value, list) and value and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return excerpt(" ".join(str(value).split())) or None


def _plain_text(head: bytes, status: int) -> str | None:
    """The text of a body that is not JSON: the title of HTML, the text between the tags of XML.
    None if it is not text, or only repeats the status (`502 Bad Gateway`)."""
    text = _visible(head)
    from http.client import responses

    repeated = {str(status), "error", *responses.get(status, "").lower().split()}
    return None if set(re.findall(r"\w+", text.lower())) <= repeated else text


def _visible(head: bytes) -> str:
    text = head[:4096].decode("utf-8-sig", "replace")
    if text.lstrip()[:1] in ("{", "[") or re.search("[\ufffd\x00-\x08\x0e-\x1f]", text):
        return ""
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    if title or re.search(r"(?i)<(!doctype html|html|head|body)\b", text):
        return title[1].strip() if title else ""
    return re.sub(r"<[^>]*>?", " ", text).strip()
