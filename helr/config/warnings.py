"""What will disappoint about a config that is right: warnings, never errors.

What is said of one vendor's API comes from its data in helr/vendors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from helr import vendors
from helr.config.problems import KeyPath
from helr.errors import StateError
from helr.model import Config, Source
from helr.timestamps import instant, rfc3339, spelling

Warning_ = tuple[KeyPath, str]  # where in the config, and what will disappoint
_SHORTEST = 1e-3  # seconds that a request takes at least
_SIZES = ("limit", "per_page", "page_size", "pageSize", "maxResults", "max_results", "count")


def warnings(config: Config) -> Iterator[Warning_]:
    """Everything that will disappoint, source by source."""
    if config.globals.state.backend == "memory":
        yield ("global", "state", "backend"), "memory forgets: each start delivers all events again"
    yield from losses(config)
    for source in config.sources.values():
        for path, text in (*_of_source(source), *_of_state(config, source)):
            yield ("sources", source.name, *path), text
    yield from _together(config)


def losses(config: Config) -> Iterator[Warning_]:
    """What would make polls pass over events without a word: a run says so too."""
    for source in config.sources.values():
        vendor = vendors.find(source.url)
        for path, text in _passed_over(source, vendor) if vendor else ():
            yield ("sources", source.name, *path), text


def page_size(source: Source) -> int | None:
    """How many events a page holds at most, if the query says so."""
    vendor = vendors.find(source.url) or {}
    for name in (vendor.get("limit_param"), *_SIZES):
        value = source.query_params.get(name, "") if name else ""
        if value.isascii() and value.isdigit() and len(value) < 19:
            most: int = vendor.get("max_limit", int(value))
            return min(int(value), most)
    return None


def calls_per_minute(source: Source) -> int:
    """How many requests a minute this can make at most, while none has to be repeated."""
    polls = max(1.0, 60 / max(source.schedule.interval_secs, _SHORTEST))
    bounds = [polls * (source.pagination.max_pages if source.pagination.strategy != "none" else 1)]
    rate = source.resilience.rate_limit
    if rate.page_delay_secs:
        bounds.append(60 / max(rate.page_delay_secs, _SHORTEST) + polls)
    if rate.max_requests_per_second:
        burst = rate.burst_size or math.ceil(rate.max_requests_per_second)
        bounds.append(60 * rate.max_requests_per_second + burst)
    return math.ceil(min(bounds))


def _of_source(source: Source) -> Iterator[Warning_]:
    yield from _repeats(source)
    yield from _without_effect(source)
    if "@" in urlsplit(source.url).netloc:
        yield ("url",), "holds a user or password; auth keeps secrets out of the config"
    vendor = vendors.find(source.url)
    if vendor:
        yield from _vendor(source, vendor)


def _of_state(config: Config, source: Source) -> Iterator[Warning_]:
    from helr.state import peek, provenance

    try:
        warning = provenance.another(source, peek(config.globals.state, source.name).values)
    except StateError:
        return  # a run says so; a config is no less right for it
    if warning:
        yield ("url",), warning


def _repeats(source: Source) -> Iterator[Warning_]:
    incremental, dedupe = source.incremental_from, source.dedupe
    if incremental is None and dedupe is None:
        yield (
            (),
            (
                "no incremental_from and no dedupe: every time the last page is through, "
                "everything is delivered again"
            ),
        )
    elif incremental is None:
        yield (
            (),
            (
                "no incremental_from: every time the last page is through, everything is asked "
                "for again, and dedupe drops it only as far back as its capacity reaches"
            ),
        )
    elif dedupe is None:
        yield (), "no dedupe: after a crash up to a page of events comes twice"
    if incremental and not incremental.lookback_secs:
        also = "" if dedupe else ", with dedupe, which drops what comes a second time"
        yield (
            ("incremental_from",),
            f"no lookback_secs: an event that the API shows late is lost; set 600 or more{also}",
        )
    if incremental and incremental.param_name in source.query_params:
        yield (
            ("query_params", incremental.param_name),
            (
                "is only the start until there is a watermark, which then replaces it; "
                "it says so better under first_request_query_params"
            ),
        )
    size = page_size(source)
    if dedupe and size:
        needed = 2 * size * source.pagination.max_pages
        if dedupe.capacity < needed:
            yield (
                ("dedupe", "capacity"),
                (f"{dedupe.capacity} ids are less than two polls may bring; set it to {needed}"),
            )


def _passed_over(source: Source, vendor: dict[str, Any]) -> Iterator[Warning_]:
    """What makes a poll take a page for the last that is not."""
    name, path = vendor["name"], vendor["cursor_path"]
    if source.pagination.strategy == "none":
        text = (
            f"one page a poll: {name} has more, and those are never asked for; set strategy: "
            f"cursor, cursor_param: {vendor['cursor_param']} and cursor_path: {path}"
        )
        yield ("pagination",), text
    elif source.pagination.options["cursor_path"] != path:
        text = f"{name} names the next page in {path}: every page would seem to be the last, and "
        yield ("pagination", "cursor_path"), text + "the events after it are never asked for"


def _otherwise(source: Source, vendor: dict[str, Any]) -> Iterator[Warning_]:
    """Names that the vendor does not know, and a start that does not hold."""
    name, start = vendor["name"], vendor["start_param"]
    param = source.pagination.options.get("cursor_param", vendor["cursor_param"])
    if param != vendor["cursor_param"]:
        text = f"{name} takes the cursor as {vendor['cursor_param']}; it would give its first page "
        yield ("pagination", "cursor_param"), text + "again and again"
    known, unique = source.incremental_from, source.dedupe
    if known and known.param_name != start:
        text = f"{name} takes the start as {start}; it would give everything again in each chain"
        yield ("incremental_from", "param_name"), text
    if known and known.event_timestamp_path != vendor["time_path"]:
        text = f"{name}'s events have their time in {vendor['time_path']}"
        yield ("incremental_from", "event_timestamp_path"), text
    if unique and vendor["id_path"] not in unique.id_paths:
        text = f"{name}'s events have their id in {vendor['id_path']}"
        yield ("dedupe", "id_path"), text
    if start in source.first_request_query_params and source.incremental_from is None:
        text = (
            "only the first page begins there, the pages after it go back to the oldest event; "
            f"put it under query_params, or set incremental_from with param_name: {start}"
        )
        yield ("first_request_query_params", start), text


def _without_effect(source: Source) -> Iterator[Warning_]:
    rate, breaker = source.resilience.rate_limit, source.resilience.circuit_breaker
    if rate.burst_size is not None and rate.max_requests_per_second is None:
        yield (
            ("resilience", "rate_limit", "burst_size"),
            "changes nothing without max_requests_per_second",
        )
    if breaker.minimum_requests is not None and breaker.failure_rate_threshold is None:
        yield (
            ("resilience", "circuit_breaker", "minimum_requests"),
            "changes nothing without failure_rate_threshold",
        )


def _vendor(source: Source, vendor: dict[str, Any]) -> Iterator[Warning_]:
    yield from _otherwise(source, vendor)
    name = vendor["name"]
    merged = {**source.query_params, **source.first_request_query_params}
    start, end = (instant(merged.get(vendor[key])) for key in ("start_param", "end_param"))
    if start is not None and end is not None and start > end:
        text = f"is before {vendor['start_param']}: no event can be between them"
        yield ("query_params", vendor["end_param"]), text
    for place in ("query_params", "first_request_query_params"):
        params: dict[str, str] = getattr(source, place)
        limit = _number(params.get(vendor["limit_param"]))
        if limit is not None and limit > vendor["max_limit"]:
            text = f"{name} gives at most {vendor['max_limit']} events a page"
            yield (place, vendor["limit_param"]), text
        actions = len(params.get(vendor["action_param"], "").split(","))
        if actions > vendor["max_actions"]:
            text = f"{name} takes at most {vendor['max_actions']} actions, not {actions}"
            yield (place, vendor["action_param"]), text
        start = _number(params.get(vendor["start_param"]))
        if start is not None and start < vendor["min_oldest"]:
            text = f"{name} has no events before {_month(vendor['min_oldest'])}"
            yield (place, vendor["start_param"]), text
        for param in (vendor["start_param"], vendor["end_param"]):
            if flaw := _time_flaw(params.get(param), vendor):
                yield (place, param), flaw
        if params.get(vendor["end_param"]):
            text = "events after it are never asked for, however long helr runs"
            yield (place, vendor["end_param"]), text
    if _other_token(source, vendor["token_prefix"]):
        text = f"the token does not begin with {vendor['token_prefix']}; {name} will refuse it"
        used = "token_file" if "token_file" in source.auth.options else "token_env"  # type: ignore[union-attr]
        yield ("auth", used), text
    calls = calls_per_minute(source)
    if calls > vendor["calls_per_minute"]:
        yield ("pagination", "max_pages"), _too_many(calls, vendor)


def _too_many(calls: int, vendor: dict[str, Any]) -> str:
    allowed = vendor["calls_per_minute"]
    return (
        f"up to {calls} calls a minute, and {vendor['name']} allows {allowed} for the whole "
        f"organization; set resilience.rate_limit.page_delay_secs to 2, or lower max_pages"
    )


def _together(config: Config) -> Iterator[Warning_]:
    """Sources of one vendor, each within its limit, that exceed it together."""
    calls: dict[str, list[int]] = {}
    known: dict[str, dict[str, Any]] = {}
    for source in config.sources.values():
        vendor = vendors.find(source.url)
        if vendor:
            known[vendor["name"]] = vendor
            calls.setdefault(vendor["name"], []).append(calls_per_minute(source))
    for name, counts in calls.items():
        allowed = known[name]["calls_per_minute"]
        if len(counts) > 1 and sum(counts) > allowed >= max(counts):
            yield ("sources",), f"together {_too_many(sum(counts), known[name])}"


def _other_token(source: Source, prefix: str) -> bool:
    """Whether the token is of another kind; the token itself goes no further than here."""
    if source.auth is None or source.auth.type != "bearer":
        return False
    from helr.auth import open_auth
    from helr.messages import Request

    request = next(open_auth(source.auth).flow(Request(source.url)))
    sent = request.headers.get("Authorization", "")
    return not sent.rpartition(" ")[2].startswith(prefix)


def _time_flaw(text: str | None, vendor: dict[str, Any]) -> str | None:
    """Why the vendor will not take a time, or give nothing for it."""
    if not text:
        return None
    at, now = instant(text), time.time()
    if _number(text) is None or spelling(text) != "Unix seconds":
        instead = (
            f"; write {int(at)}" if at is not None else f", such as {int(now) // 86400 * 86400}"
        )
        return f"{vendor['name']} takes {vendor['times']}{instead}"
    return f"is in the future ({rfc3339(at)})" if at is not None and at > now else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _month(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%B %Y")
