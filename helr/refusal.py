"""What the body of an error answer says: its code, its own sentence, and whether it is one at all.

Vendors spell this in many ways; the names below are those of Slack, Google, Okta, GitHub,
Microsoft, Atlassian, Cloudflare, Duo, Zoom, Auth0, RFC 6749 (OAuth), RFC 9457 (problem details)
and GraphQL.
"""

from __future__ import annotations

from typing import Any

import msgspec

from helr.log import excerpt

HEAD_BYTES = 65_536  # the beginning of a body that is looked at
_INNER = ("error", "errors", "fault", "fail", "Error", "odata.error")
_CODES = ("error", "errorCode", "error_code", "code", "status", "reason", "key", ".tag", "type")
_SENTENCES = (
    *("message", "error_description", "errorSummary", "detail", "error_message", "errorMessage"),
    *("description", "details", "error_summary", "message_detail", "msg", "title", "errorText"),
)
_FAILED = ("error", "fail", "failed", "failure")
_DEEP = 4


class Words(msgspec.Struct, frozen=True):
    """`code`: a short name of the error. `sentence`: what the vendor says of it. Both are fit to
    be shown: without secrets, on one line."""

    code: str | None = None
    sentence: str | None = None

    def __str__(self) -> str:
        """` CODE "sentence"`, as it follows `HTTP 400`; empty when there are no words."""
        quoted = f' "{self.sentence}"' if self.sentence else ""
        return (f" {self.code}" if self.code else "") + quoted


def words(body: Any, status: int) -> Words:
    """What a decoded body says. A code that only repeats the HTTP status is none."""
    code, sentence = _words(body, _DEEP, str(status))
    return Words(code, None if sentence == code else sentence)


def parsed(body: bytes | bytearray) -> Any:
    """What the beginning of a body holds; None for what cannot be read."""
    try:
        return msgspec.json.decode(body[:HEAD_BYTES])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def is_error(body: Any) -> bool:
    """Whether a decoded body without events is an error, whatever its status says."""
    if not isinstance(body, dict):
        return False
    if any(body.get(name) for name in _INNER):
        return True
    if any(body.get(name) is False for name in ("ok", "success", "Success")):
        return True
    return any(str(body.get(name)).lower() in _FAILED for name in ("status", "stat", "result"))


def _words(found: Any, depth: int, status: str) -> tuple[str | None, str | None]:
    if isinstance(found, list):
        found = found[0] if found else None
    if not isinstance(found, dict) or not depth:
        text = _text(found)
        return (None, text) if text and " " in text else (text, None)
    code, sentence = _first(found, _CODES, status), _first(found, _SENTENCES, status)
    for name in _INNER:
        inner = found.get(name)
        if inner and isinstance(inner, (dict, list)):
            inner_code, inner_sentence = _words(inner, depth - 1, status)
            return inner_code or code, inner_sentence or sentence
    if code and " " in code:  # `"error": "a whole sentence"`
        return None, sentence or code
    return code, sentence


def _first(found: dict[str, Any], names: tuple[str, ...], status: str) -> str | None:
    texts = (_text(found.get(name)) for name in names)
    says_nothing = (*_FAILED, status)
    return next((text for text in texts if text and text.lower() not in says_nothing), None)


def _text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return excerpt(" ".join(str(value).split())) or None
