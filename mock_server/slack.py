"""The rules of Slack's Audit Logs API: a query in, a status and a body out. No sockets here.

Source of the rules: docs.slack.dev/reference/audit-logs-api/methods-actions-reference and the
behaviour that its users report: newest first; whole inclusive seconds; at most 9,999 a page;
a cursor is only a position (github.com/elastic/integrations issue 8163).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs

from mock_server.catalog import ACTIONS, SCHEMAS
from mock_server.messages import JSON_TYPE, Reply, json_reply
from mock_server.settings import Settings
from mock_server.store import TOP, Cursors, Filter, Key, Store

MAX_LIMIT = 9999
MAX_ACTIONS = 30

# Error code -> HTTP status and what it means.
ERRORS: dict[str, tuple[int, str]] = {
    "missing_authentication": (401, "no token was sent"),
    "invalid_authentication": (401, "the token is not valid"),
    "feature_not_enabled": (403, "the organization has no Audit Logs API (not Enterprise)"),
    "invalid_workspace": (403, "the token belongs to a workspace outside an Enterprise org"),
    "team_not_authorized": (403, "the app is installed on a workspace, not on the org"),
    "user_not_authorized": (403, "the installing user is not an owner of the org"),
    "missing_scope": (403, "the token lacks auditlogs:read"),
    "invalid_cursor": (400, "the cursor expired or is corrupt"),
    "invalid_arguments": (400, "a parameter has a value that Slack does not accept"),
    "rate_limited": (429, "too many calls; Retry-After says how long to wait"),
    "internal_error": (500, "something failed at Slack"),
}


@dataclass(slots=True)
class Page:
    """One page of events before it is turned into bytes."""

    entries: list[bytes]
    next_cursor: str
    last_page: str = "empty"

    def reply(self) -> Reply:
        parts = [b'{"entries":[', b",".join(self.entries), b"]"]
        if self.next_cursor or self.last_page == "empty":
            parts.append(b',"response_metadata":{"next_cursor":"%b"}' % self.next_cursor.encode())
        elif self.last_page == "absent":
            parts.append(b',"response_metadata":{}')
        parts.append(b"}")
        return Reply(200, b"".join(parts), {"Content-Type": JSON_TYPE})


class RefusedError(Exception):
    """The request gets one of ERRORS."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def error(code: str, retry_after: int | None = None, detail: str = "") -> Reply:
    """Slack's answer for an error code."""
    status, _ = ERRORS[code]
    body: dict[str, object] = {"ok": False, "error": code}
    if code == "missing_scope":
        body |= {"needed": "auditlogs:read", "provided": "identify"}
    if detail:
        body["response_metadata"] = {"messages": [f"[ERROR] {detail}"]}
    if retry_after is None:
        return json_reply(status, body)
    return json_reply(status, body, Retry_After=str(retry_after))


def check_token(header: str | None, token: str) -> None:
    """Raises RefusedError unless the Authorization header has the token; "" accepts any."""
    if not token:
        return
    kind, _, given = (header or "").partition(" ")
    if kind.lower() != "bearer" or not given.strip():
        raise RefusedError("missing_authentication")
    if given.strip() != token:
        raise RefusedError("invalid_authentication")


def logs(store: Store, cursors: Cursors, settings: Settings, query: str, now: float) -> Page:
    """GET /audit/v1/logs, once the token is checked. `now` is Unix seconds."""
    wanted = parse_filter(query)
    limit = _whole(asked(query), "limit")
    if limit is not None and not 1 <= limit <= MAX_LIMIT:
        raise RefusedError("invalid_arguments", f"limit must be from 1 to {MAX_LIMIT}")
    below = position(cursors, asked(query).get("cursor"), settings, now)
    entries, last = store.page(below, wanted, limit or MAX_LIMIT)
    following = cursors.make(last, now) if last else ""
    return Page(entries, following, settings.last_page)


def position(cursors: Cursors, cursor: str | None, settings: Settings, now: float) -> Key:
    """The position of a request's cursor; the top without one. Raises RefusedError."""
    if not cursor:
        return TOP
    key = cursors.read(cursor, now, settings.cursor_lifetime)
    if key is None:
        raise RefusedError("invalid_cursor")
    return key


def schemas() -> Reply:
    """GET /audit/v1/schemas."""
    return json_reply(200, {"schemas": SCHEMAS})


def actions() -> Reply:
    """GET /audit/v1/actions."""
    return json_reply(200, {"actions": ACTIONS})


def asked(query: str) -> dict[str, str]:
    """A query's parameters, the last of each name; an empty one counts as not sent."""
    return {name: values[-1] for name, values in parse_qs(query).items()}


def parse_filter(query: str) -> Filter:
    """The filter in a query string. Raises RefusedError."""
    given = asked(query)
    names = [name.strip() for name in given.get("action", "").split(",") if name.strip()]
    if len(names) > MAX_ACTIONS:
        raise RefusedError("invalid_arguments", f"action takes at most {MAX_ACTIONS} names")
    return Filter(
        oldest=_whole(given, "oldest"),
        latest=_whole(given, "latest"),
        actions=frozenset(names),
        actor=given.get("actor", ""),
        entity=given.get("entity", ""),
    )


def _whole(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise RefusedError("invalid_arguments", f"{name} must be a whole number")
    return int(text)
