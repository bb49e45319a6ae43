"""What to do about an error, in one sentence: the vendor's advice, or else general advice.

A vendor's advice is data (`helr/vendors/*.json`, members `errors` and `no_events`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from helr.messages import Request
    from helr.model import Source

BY_STATUS = {
    304: "the server reports no change, although the request was unconditional; check the cache or"
    " proxy in between",
    400: "the API rejected a parameter; check query_params against its documentation",
    401: "the API rejected the credentials; check what `auth` refers to, and whether it"
    " has expired",
    403: "the credentials are wrong or lack permission; check what `auth` refers to, and its"
    " scopes and role",
    404: "nothing exists at this address; check host and path in `url`",
    405: "this address does not accept GET; check `url`",
    407: "the proxy requires a login; put user and password into HTTPS_PROXY",
    408: "the server timed out waiting for the request; helr retries it",
    410: "this address no longer exists; check `url` against the API's documentation",
    413: "the request asks for too much; lower `limit`",
    414: "the request is too long; shorten query_params",
    422: "the API rejected a parameter; check query_params against its documentation",
    429: "too many requests; raise schedule.interval_secs and rate_limit.page_delay_secs,"
    " or lower max_pages",
}
NO_AUTH = (
    "the API requires credentials, but the source has no `auth`; set it, or check the key in "
    "`headers` or query_params"
)
REDIRECT = "the address has moved; put the new one into `url`"
OTHER = "look up this status in the API's documentation"
SERVER = "server error, usually temporary; check the API's status page"
PAGE = (
    "an HTML page was returned instead of JSON; check `url`, and whether a proxy or login page"
    " is in between"
)
NO_EVENTS = "check the time range and the filters in query_params"


def advice(
    url: str,
    *,
    code: str | None = None,
    status: int | None = None,
    body: bytes = b"",
    content_type: str = "",
) -> str:
    """One short sentence of advice, or "".

    `code`: the error code in the body, or `missing_secret`. `body`: its beginning is enough.
    """
    if code:
        own = (_vendor(url).get("errors") or {}).get(code)
        if own:
            return str(own)
    if _is_html(body, content_type) and (status is None or status not in (401, 407, 429)):
        return SERVER if status is not None and status >= 500 else PAGE
    if status is None or 200 <= status < 300:
        return ""
    if status in BY_STATUS:
        return BY_STATUS[status]
    if 300 <= status < 400:
        return REDIRECT
    return SERVER if status >= 500 else OTHER


def no_events(source: Source, request: Request) -> str:
    """What to check when a successful poll returned no events, and where it started."""
    vendor = _vendor(source.url)
    known = source.incremental_from
    name = known.param_name if known else vendor.get("start_param", "")
    value = dict(request.params).get(name)
    begun = f"{name}={value} from {_origin(source, name, value)}; " if value else ""
    beside = {name, vendor.get("limit_param"), vendor.get("end_param"), "limit"}
    filters = [param for param in source.query_params if param not in beside]
    narrowed = f"check {' and '.join(filters)}, which exclude events; " if filters else ""
    return begun + narrowed + str(vendor.get("no_events") or NO_EVENTS)


def _origin(source: Source, name: str, value: str) -> str:
    """Where the value of a parameter comes from: the config, or else the state."""
    for place in ("first_request_query_params", "query_params"):
        if getattr(source, place).get(name) == value:
            return place
    in_url = parse_qsl(urlsplit(source.url).query)
    return "url" if (name, value) in in_url else "the state"


def _is_html(body: bytes, content_type: str) -> bool:
    start = body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return True
    return "html" in content_type.lower() and not start.startswith((b"{", b"["))


def _vendor(url: str) -> dict[str, Any]:
    from helr import vendors

    return vendors.find(url) or {}
