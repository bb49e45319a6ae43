"""What an error answer of an API becomes: an error that says what the vendor says, and what to do.

What its body says in whose spelling: helr/page/refusal.py. What to do: helr/vendors.
"""

from __future__ import annotations

import re
from typing import Any

from helr.errors import PollError
from helr.http.rate_headers import says_limited
from helr.messages import Response
from helr.model import Source
from helr.page import refusal
from helr.vendors import hints

_TOKEN_STATUSES = (400, 404, 409, 410, 422)
# patterns are compiled when an error first needs them: that is a millisecond of a cold start
# what APIs call it; a mere "token" may be the credentials
_TOKEN = (
    rb"(?:cursor|(?:next|page|paging|pagination|continuation|skip|scroll|sync|stream)[ _-]*"
    rb"(?:token|position|id)|continuation|offset|starting_after|after_id)"
)
_QUOTE = rb"[`'\"]?"
_BAD_TOKEN = (
    rb"(?i)(?:invalid|expired|bad|malformed|unknown|stale|reset)[ _-]*"
    rb"(?:value for |the |pagination[ _-]*)?" + _QUOTE + _TOKEN + rb"|" + _TOKEN + _QUOTE
    + rb"[ _-]*(?:is[ _-]|has[ _-]|was[ _-])?(?:been[ _-])?(?:not[ _-]|no[ _-]longer[ _-])?"
    rb"(?:invalid|expired|valid|found|malformed|unknown)"
)  # fmt: skip
_NO_REASON = ", the body says that this is an error and gives no reason"
_RULE = ", the body is an error according to error_rules"


class ApiError(PollError):
    """The API answered with an error: an HTTP status, or a body that says `"ok": false`.

    `code`: the vendor's name for it, if the body has one.
    """

    def __init__(
        self, what: str, status: int, code: str | None, *, where: str, do: str, source: str
    ) -> None:
        super().__init__(what, where=where, do=do, source=source)
        self.status = status
        self.code = code
        self.server_fault = status >= 500


class TokenRefusedError(ApiError):
    """The API refuses the page token; sending it again is pointless."""

    final = True


class BadPageError(PollError):
    """A successful response that is not a page of events."""


def api_error(source: Source, response: Response, meaning: str = "") -> ApiError:
    """What an error response means, with advice. `meaning`: what an error rule says of it."""
    head = bytes(response.body[: refusal.HEAD_BYTES])
    words = refusal.said(head, response.status)
    sent = response.request.token is not None
    refused = names_token(response.status, head, words) if not meaning else False
    if sent and (refused or meaning == "refused_token"):
        return _token_refused(source, response, words)
    said = str(words) or head[:2048].decode("utf-8", "replace")
    status, limits = response.status, source.resilience.rate_limit
    limited = meaning == "rate_limited" or says_limited(status, response.headers, said, limits)
    do = hints.advice(
        response.request.url,
        code=words.code,
        status=429 if limited else status,
        body=head[:2048],
        content_type=response.headers.get("Content-Type", ""),
    )
    if do == hints.BY_STATUS[401] and source.auth is None:
        do = hints.NO_AUTH
    what = str(words)
    if 200 <= status < 300:
        do = do or "the body is an error; look it up in the API's documentation"
        what = what or (_RULE if meaning else _NO_REASON)
    error = ApiError(
        f"HTTP {status}{what}",
        status,
        words.code,
        where=response.url,
        do=do,
        source=source.name,
    )
    error.limited = limited
    error.retryable = meaning == "retry"
    return error


def _token_refused(source: Source, response: Response, words: refusal.Words) -> ApiError:
    said = f" ({str(words).strip()})" if str(words) else ""
    return TokenRefusedError(
        f"HTTP {response.status}, the cursor was refused{said}",
        response.status,
        words.code,
        where=response.url,
        do=hints.advice(response.request.url, code=words.code or "invalid_cursor"),
        source=source.name,
    )


def is_error(response: Response) -> bool:
    """Whether what looks like an empty last page names an error, or refuses the token."""
    found: Any = refusal.parsed(response.body)
    if not isinstance(found, dict):
        return False
    if response.request.token is not None:
        words = refusal.words(found, response.status)
        if names_token(response.status, b"", words):
            return True
    return refusal.is_error(found, with_events=True)


def names_token(status: int, body: bytes, words: refusal.Words) -> bool:
    """Whether an error is about the page token that was sent."""
    if status not in _TOKEN_STATUSES and not 200 <= status < 300:
        return False
    said = str(words).encode("utf-8", "replace")
    return status == 410 or any(re.search(_BAD_TOKEN, text) for text in (said, body[:4096]))
