"""When a server allows the next request, in all the formats that servers use.

RFC 9110 §10.2.3 defines `Retry-After` in seconds or as a date; some servers send the time of the
reset there. For the headers about a budget of requests there is no standard that servers follow:
the form and size of a value show what it means. The following are read, as durations in seconds:

- a number: seconds from now; above 1e8 Unix seconds, above 1e11 milliseconds, and so on
- a number with a unit: `30s`, `6m0s`, `250ms`, `1 hour`, `PT1M30S` (OpenAI, Go, ISO 8601)
- a date: RFC 1123, RFC 850, asctime, ISO 8601 with or without seconds (Atlassian), epoch
- several of these, separated by commas, of which the longest counts: `120, 120`
- in the body, when no header has it: `"retry_after": 30`, `"retryAfterMs": 30000`
- `RateLimit: limit=100, remaining=0, reset=30` and `RateLimit: "default";r=0;t=30` (the IETF drafts
  draft-ietf-httpapi-ratelimit-headers before and from version 8 on)

Who sends what: Okta X-Rate-Limit-*, GitHub X-RateLimit-* and Retry-After, Docker Hub X-Retry-After
as Unix seconds, Azure Retry-After-Ms, GitLab RateLimit-*, OpenAI and Anthropic names of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timezone

from helr.model import RateLimit
from helr.numbers import number
from helr.timestamps import instant

SMALLEST_EPOCH = 1e8  # a smaller number is seconds from now (three years at most)
_MOST = 1e20
_WAITS = ("Retry-After", "X-Retry-After")
_WAITS_MS = ("Retry-After-Ms", "X-Ms-Retry-After-Ms")
_REMAINING = ("X-RateLimit-Remaining", "X-Rate-Limit-Remaining", "RateLimit-Remaining")
_RESETS = (
    *("X-RateLimit-Reset", "X-Rate-Limit-Reset", "RateLimit-Reset", "X-RateLimit-Reset-After"),
    *("X-RateLimit-Reset-Requests", "X-RateLimit-Reset-Tokens"),
    *("Anthropic-RateLimit-Requests-Reset", "Anthropic-RateLimit-Tokens-Reset"),
)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_UNIT = (
    r"(\d{1,15}(?:\.\d{1,15})?)\s*"
    r"(ms|milli[a-z]*|s(?:ec[a-z]*)?|m(?:in[a-z]*)?|h(?:rs?|ours?)?|d(?:ays?)?)"
)
_MEMBER = r"(\w+)\s*=\s*\"?(\d{1,20}(?:\.\d{1,20})?)"
_IN_BODY = (
    r"(?i)\"retry[_-]?after(?:[_-]?(?:secs|seconds|(ms|millis)))?\"\s*:\s*\"?([^\",}\s]{1,40})"
)
_SAYS_LIMITED = (
    r"(?i)(rate|quota|daily|request|usage)[ _-]?limit[ _-]?(exceed|reach|ed\b|hit)|ratelimit"
    r"|rate[ _-]limit|too[ _-]?many[ _-]?(requests|calls)|quota[ _-]?exceeded|throttl(ed|ing)"
)


def asked_wait(
    headers: Mapping[str, str], limits: RateLimit, now: float, *, limited: bool
) -> tuple[float, str]:
    """Seconds that the server asks to wait, and the header that says so; (0, "") if none does.

    `limited`: the response says that there were too many requests. Only then, or with no request
    remaining, does the reset count: many APIs send it with every response, and a temporary 500 need
    not wait for it. Points in time are compared with the server's own clock (Date), if it is known.
    """
    server_now = server_time(headers, now)
    for name in (*_WAITS, *_WAITS_MS):
        secs = wait_in(headers.get(name, ""), server_now) or 0.0
        if secs > 0:
            return (secs / 1000 if name in _WAITS_MS else secs), name
    if not limited and remaining(headers, limits) != 0:
        return 0.0, ""
    return _reset(headers, limits, server_now)


def wait_in_body(body: bytes, now: float) -> float:
    """Seconds to wait according to the body of a rate-limit response; 0.0 if it does not say. The
    beginning of the body is enough."""
    found = re.search(_IN_BODY, body[:4096].decode("utf-8", "replace"))
    secs = wait_in(found[2], now) if found else None
    if found is None or secs is None or secs <= 0:
        return 0.0
    return secs / 1000 if found[1] else secs


def spent_wait(headers: Mapping[str, str], limits: RateLimit, now: float) -> float:
    """With `adaptive`: seconds until the budget is refilled, if at most one request is left."""
    left = remaining(headers, limits)
    if left is None or left > 1:
        return 0.0
    return _reset(headers, limits, server_time(headers, now))[0]


def says_limited(status: int, headers: Mapping[str, str], said: str, limits: RateLimit) -> bool:
    """Whether an error response means that there were too many requests, regardless of its status.

    `said`: the message in its body. GitHub and Google send 403, Linear 400, Slack 200.
    """
    if status in (420, 429):
        return True
    if status == 403 and (
        remaining(headers, limits) == 0 or asked_wait(headers, limits, 0, limited=False)[0]
    ):
        return True
    return (status in (200, 400, 403)) and bool(re.search(_SAYS_LIMITED, said))


def remaining(headers: Mapping[str, str], limits: RateLimit) -> float | None:
    """How many requests are left; the smallest number if there are several budgets."""
    found = []
    for name in (limits.remaining_header, *_REMAINING):
        for part in headers.get(name, "").split(","):
            left = number(part.partition(";")[0].strip(), 0, _MOST)
            found += [] if left is None else [left]
    for members in _policies(headers):
        found += [members[key] for key in ("r", "remaining") if key in members]
    return min(found, default=None)


def _reset(headers: Mapping[str, str], limits: RateLimit, now: float) -> tuple[float, str]:
    for name in dict.fromkeys((limits.reset_header, *_RESETS)):
        secs = wait_in(headers.get(name, ""), now) or 0.0
        if secs > 0:
            return secs, name
    policies = list(_policies(headers))
    spent = [each for each in policies if each.get("r", each.get("remaining")) == 0]
    waits = [each.get("t", each.get("reset", 0.0)) for each in spent or policies]
    secs = _from_now(max(waits, default=0.0), now)
    return (secs, "RateLimit") if secs > 0 else (0.0, "")


def _policies(headers: Mapping[str, str]) -> Iterator[dict[str, float]]:
    """The members of `RateLimit`: of each policy, or of the only one in older drafts."""
    text = headers.get("RateLimit", "")
    if not text:
        return
    parts = text.split(",") if ";" in text else [text]
    for part in parts:
        yield {name.lower(): float(value) for name, value in re.findall(_MEMBER, part, re.ASCII)}


def wait_in(value: str, now: float) -> float | None:
    """A header's value in seconds from `now` (Unix seconds); None if it is not a time."""
    text = value.strip().strip('"').strip()
    if not text:
        return None
    found = _one(text, now)
    if found is None and "," in text:
        parts = (_one(part.strip(), now) for part in text.split(","))
        found = max((part for part in parts if part is not None), default=None)
    return found


def _one(text: str, now: float) -> float | None:
    bare = text.partition(";")[0].strip()
    plain = number(bare, 0, _MOST)
    if plain is not None:
        return _from_now(plain, now)
    length = _length(bare.lower())
    if length is not None:
        return length
    at = instant(text) if text[:1].isdigit() else _date(text)
    return None if at is None else at - now


def _from_now(secs: float, now: float) -> float:
    """A number of seconds, or, if it is large enough, a point in time."""
    if secs < SMALLEST_EPOCH:
        return secs
    at = instant(secs)
    return 0.0 if at is None else at - now


def _length(text: str) -> float | None:
    """`6m0s`, `1.5 s`, `PT30S`"""
    text = text.removeprefix("p").replace("t", "") if text.startswith("p") else text
    if not re.fullmatch(rf"(?:{_UNIT}\s*)+", text, re.ASCII):
        return None
    return sum(
        float(amount) * _UNITS["ms" if unit.startswith(("ms", "milli")) else unit[0]]
        for amount, unit in re.findall(_UNIT, text, re.ASCII)
    )


def server_time(headers: Mapping[str, str], now: float) -> float:
    """The server's own clock (Date), or `now` if it is not known."""
    return _date(headers.get("Date", "")) or now


def _date(value: str) -> float | None:
    if not value:
        return None
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        return date.timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
