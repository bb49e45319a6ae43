"""The endpoints under /_mock/, and the status page at /: for tests, not for clients.

They need no token, are not affected by faults, and are not in the request log.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mock_server import slack
from mock_server.faults import FAULTS
from mock_server.messages import TEXT_TYPE, Reply, Request, json_reply

if TYPE_CHECKING:
    from mock_server.mock import Mock

_MOST_EVENTS = 1_000_000
_MAX_TIME = 10**11


def answer(mock: Mock, request: Request) -> Reply:
    """The reply to a control request. The mock's lock is held."""
    if request.path == "/" and request.method == "GET":
        return Reply(200, status_page(mock).encode(), {"Content-Type": TEXT_TYPE})
    handlers = _ROUTES.get(request.path)
    if handlers is None:
        return json_reply(404, {"error": "not_found", "there_are": sorted(_ROUTES)})
    handler = handlers.get(request.method)
    if handler is None:
        return json_reply(405, {"error": "method_not_allowed"}, Allow=", ".join(handlers))
    try:
        return handler(mock, request)
    except ValueError as error:
        return json_reply(400, {"error": str(error)})
    except slack.RefusedError as refused:
        return json_reply(400, {"error": refused.detail or refused.code})


def _body(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("the body must be a JSON object")
    return value


def _whole(body: dict[str, Any], name: str, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name} must be a whole number from 0 to {most}")
    return int(value)


def _health(mock: Mock, request: Request) -> Reply:
    mock.catch_up()
    return json_reply(200, {"ok": True, "events": len(mock.store), "requests": mock.logs_requests})


def _requests(mock: Mock, request: Request) -> Reply:
    return json_reply(200, {"requests": list(mock.requests), "count": len(mock.requests)})


def _clear_requests(mock: Mock, request: Request) -> Reply:
    mock.requests.clear()
    return json_reply(200, {"ok": True})


def _events(mock: Mock, request: Request) -> Reply:
    events = mock.events(slack.parse_filter(request.query))
    if slack.asked(request.query).get("format") == "ndjson":
        body = b"".join(event.raw + b"\n" for event in events)
        return Reply(200, body, {"Content-Type": "application/x-ndjson"})
    return json_reply(200, {"ids": [event.id for event in events], "count": len(events)})


def _add_events(mock: Mock, request: Request) -> Reply:
    body = _body(request)
    count, at = _whole(body, "count", _MOST_EVENTS), _whole(body, "at", _MAX_TIME)
    given = body.get("events", [])
    if not isinstance(given, list) or (count is None and not given):
        raise ValueError('send {"count": N}, optionally with "at": UNIX, or {"events": [...]}')
    ids = mock.add_given(as_text(event) for event in given)
    ids += mock.add_generated(count or 0, at)
    return json_reply(200, {"ids": ids, "count": len(ids)})


def as_text(event: object) -> bytes:
    """An event as bytes: text and bytes are unchanged, anything else is encoded."""
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode()
    return json.dumps(event, separators=(",", ":")).encode()


def _expire(mock: Mock, request: Request) -> Reply:
    mock.cursors.expire()
    return json_reply(200, {"ok": True})


def _faults(mock: Mock, request: Request) -> Reply:
    known = {name: fault.help for name, fault in FAULTS.items()}
    pending = mock.orders.pending(mock.logs_requests)
    return json_reply(200, {"pending": pending, "known": known})


def _order_fault(mock: Mock, request: Request) -> Reply:
    order = _body(request).get("fault")
    if not isinstance(order, str):
        raise ValueError('send {"fault": "KIND@N"}; N counts from now')
    mock.fault(order)
    return _faults(mock, request)


def _clear_faults(mock: Mock, request: Request) -> Reply:
    mock.orders.clear()
    return json_reply(200, {"ok": True})


def _settings(mock: Mock, request: Request) -> Reply:
    shown = asdict(mock.settings)
    shown["token"] = bool(shown["token"])  # whether one is required, never which
    return json_reply(200, shown)


def _change_settings(mock: Mock, request: Request) -> Reply:
    for name, value in _body(request).items():
        mock.settings.change(name, value)
    return _settings(mock, request)


Handler = Callable[["Mock", Request], Reply]

_ROUTES: dict[str, dict[str, Handler]] = {
    "/_mock/health": {"GET": _health},
    "/_mock/requests": {"GET": _requests, "DELETE": _clear_requests},
    "/_mock/events": {"GET": _events, "POST": _add_events},
    "/_mock/expire-cursors": {"POST": _expire},
    "/_mock/faults": {"GET": _faults, "POST": _order_fault, "DELETE": _clear_faults},
    "/_mock/settings": {"GET": _settings, "POST": _change_settings},
}


def status_page(mock: Mock) -> str:
    """What the mock serves, and how to control it, as plain text."""
    mock.catch_up()
    span = mock.store.span()
    times = f", dated {span[0]} to {span[1]}" if span else ""
    token = " -H 'Authorization: Bearer TOKEN'" if mock.settings.token else ""
    pending = ", ".join(mock.orders.pending(mock.logs_requests)) or "none"
    url = mock.url
    return f"""A mock of Slack's Audit Logs API.

{len(mock.store)} events{times}; {mock.logs_requests} requests for logs; faults to come: {pending}.

Slack's endpoints
  GET {url}/audit/v1/logs      limit oldest latest action actor entity cursor
  GET {url}/audit/v1/schemas   no token needed
  GET {url}/audit/v1/actions   no token needed

For tests
  curl{token} '{url}/audit/v1/logs?limit=2'
  curl {url}/_mock/events                               ids of all events
  curl '{url}/_mock/events?format=ndjson'               all events
  curl {url}/_mock/events -d '{{"count": 10}}'            add events, now
  curl {url}/_mock/events -d '{{"count": 1, "at": {span[0] if span else 1700000000}}}'
  curl {url}/_mock/faults                               every fault by name
  curl {url}/_mock/faults -d '{{"fault": "500@2"}}'       the second request from now
  curl -X DELETE {url}/_mock/faults
  curl -X POST {url}/_mock/expire-cursors
  curl {url}/_mock/settings -d '{{"latency_ms": 200}}'    GET shows all of them
  curl {url}/_mock/requests                             requests made; DELETE clears
  curl {url}/_mock/health
"""
