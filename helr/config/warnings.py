"""What is unwise in a valid config: warnings, never errors.

What concerns one vendor's API comes from its data in helr/vendors.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from helr import vendors
from helr.config.problems import Finding
from helr.errors import Problem, StateError
from helr.model import Config, Source
from helr.timestamps import instant, rfc3339, spelling

_SHORTEST = 1e-3  # seconds that a request takes at least
_SIZES = ("limit", "per_page", "page_size", "pageSize", "maxResults", "max_results", "count")


def warnings(config: Config) -> Iterator[Finding]:
    """Every warning, source by source."""
    if config.globals.state.backend == "memory":
        what = "the memory backend keeps nothing, so every start delivers all events again"
        yield ("global", "state", "backend"), Problem(what)
    yield from losses(config)
    for source in config.sources.values():
        for path, problem in (*_of_source(source), *_of_state(config, source)):
            yield ("sources", source.name, *path), problem
    yield from _together(config)


def losses(config: Config) -> Iterator[Finding]:
    """Settings that would make polls miss events silently; a run warns about them too."""
    for source in config.sources.values():
        vendor = vendors.find(source.url)
        for path, problem in _missed(source, vendor) if vendor else ():
            yield ("sources", source.name, *path), problem


def page_size(source: Source) -> int | None:
    """The maximum number of events in a page, if the query sets it."""
    vendor = vendors.find(source.url) or {}
    for name in (vendor.get("limit_param"), *_SIZES):
        value = source.query_params.get(name, "") if name else ""
        if value.isascii() and value.isdigit() and len(value) < 19:
            most: int = vendor.get("max_limit", int(value))
            return min(int(value), most)
    return None


def calls_per_minute(source: Source) -> int:
    """The maximum number of requests a minute, without retries."""
    polls = max(1.0, 60 / max(source.schedule.interval_secs, _SHORTEST))
    bounds = [polls * (source.pagination.max_pages if source.pagination.strategy != "none" else 1)]
    rate = source.resilience.rate_limit
    if rate.page_delay_secs:
        bounds.append(60 / max(rate.page_delay_secs, _SHORTEST) + polls)
    if rate.max_requests_per_second:
        burst = rate.burst_size or math.ceil(rate.max_requests_per_second)
        bounds.append(60 * rate.max_requests_per_second + burst)
    return math.ceil(min(bounds))


def _of_source(source: Source) -> Iterator[Finding]:
    yield from _repeats(source)
    yield from _without_effect(source)
    if "@" in urlsplit(source.url).netloc:
        do = "use auth, which keeps secrets out of the config"
        yield ("url",), Problem("contains a user or password", do)
    vendor = vendors.find(source.url)
    if vendor:
        yield from _vendor(source, vendor)


def _of_state(config: Config, source: Source) -> Iterator[Finding]:
    from helr.state import peek, provenance

    try:
        warning = provenance.another(source, peek(config.globals.state, source.name).values)
    except StateError:
        return  # a run reports it; the config is valid all the same
    if warning:
        yield ("url",), Problem(warning)


def _repeats(source: Source) -> Iterator[Finding]:
    incremental, dedupe = source.incremental_from, source.dedupe
    if incremental is None and dedupe is None:
        what = "no incremental_from and no dedupe: each chain delivers all events again"
        yield (), Problem(what)
    elif incremental is None:
        what = (
            "no incremental_from: each chain fetches all events again, and dedupe drops only as "
            "many of them as its capacity"
        )
        yield (), Problem(what)
    elif dedupe is None:
        yield (), Problem("no dedupe: a crash may repeat up to a page of events")
    if incremental and not incremental.lookback_secs:
        also = "" if dedupe else ", together with dedupe, which drops the repeats"
        what = "no lookback_secs: events that the API shows late are lost"
        yield ("incremental_from",), Problem(what, f"set it to 600 or more{also}")
    if incremental and incremental.param_name in source.query_params:
        what = "applies only until there is a watermark, which replaces it"
        do = "move it to first_request_query_params to make that clear"
        yield ("query_params", incremental.param_name), Problem(what, do)
    if source.pagination.strategy in ("page_offset", "offset") and dedupe is None:
        what = "events that arrive while a newest-first list is read shift its pages"
        do = "set dedupe, which drops the events that come up twice"
        yield ("pagination", "strategy"), Problem(what, do)
    size = page_size(source)
    if dedupe and size:
        needed = 2 * size * source.pagination.max_pages
        if dedupe.capacity < needed:
            what = f"{dedupe.capacity} ids are fewer than two polls may return"
            yield ("dedupe", "capacity"), Problem(what, f"set it to {needed}")


def _missed(source: Source, vendor: dict[str, Any]) -> Iterator[Finding]:
    """What makes a poll mistake a page for the last one."""
    name, path = vendor["name"], vendor["cursor_path"]
    if source.pagination.strategy == "none":
        what = f"one page per poll: {name} has more, which are never fetched"
        do = f"set strategy: cursor, cursor_param: {vendor['cursor_param']} and cursor_path: {path}"
        yield ("pagination",), Problem(what, do)
    elif source.pagination.options.get("cursor_path", path) != path:
        what = (
            f"{name} returns the next cursor in {path}: every page would seem to be the last, and "
            "the events after it would never be fetched"
        )
        yield ("pagination", "cursor_path"), Problem(what)


def _names(source: Source, vendor: dict[str, Any]) -> Iterator[Finding]:
    """Names that the vendor does not know, and a start that applies only to the first page."""
    name, start = vendor["name"], vendor["start_param"]
    param = source.pagination.options.get("cursor_param", vendor["cursor_param"])
    if param != vendor["cursor_param"]:
        what = (
            f"{name}'s cursor parameter is {vendor['cursor_param']}: with another name it would "
            "return its first page over and over"
        )
        yield ("pagination", "cursor_param"), Problem(what)
    known, unique = source.incremental_from, source.dedupe
    if known and known.param_name != start:
        what = (
            f"{name}'s start parameter is {start}: with another name it would return all events "
            "in each chain"
        )
        yield ("incremental_from", "param_name"), Problem(what)
    if known and known.event_timestamp_path != vendor["time_path"]:
        what = f"the time of {name}'s events is in {vendor['time_path']}"
        yield ("incremental_from", "event_timestamp_path"), Problem(what)
    if unique and vendor["id_path"] not in unique.id_paths:
        what = f"the id of {name}'s events is in {vendor['id_path']}"
        yield ("dedupe", "id_path"), Problem(what)
    if start in source.first_request_query_params and source.incremental_from is None:
        what = "applies only to the first page; the pages after it go back to the oldest event"
        do = f"move it to query_params, or set incremental_from with param_name: {start}"
        yield ("first_request_query_params", start), Problem(what, do)


def _without_effect(source: Source) -> Iterator[Finding]:
    rate, breaker = source.resilience.rate_limit, source.resilience.circuit_breaker
    if rate.burst_size is not None and rate.max_requests_per_second is None:
        what = "has no effect without max_requests_per_second"
        yield ("resilience", "rate_limit", "burst_size"), Problem(what)
    if breaker.minimum_requests is not None and breaker.failure_rate_threshold is None:
        what = "has no effect without failure_rate_threshold"
        yield ("resilience", "circuit_breaker", "minimum_requests"), Problem(what)


def _vendor(source: Source, vendor: dict[str, Any]) -> Iterator[Finding]:
    yield from _names(source, vendor)
    name = vendor["name"]
    merged = {**source.query_params, **source.first_request_query_params}
    start, end = (instant(merged.get(vendor[key])) for key in ("start_param", "end_param"))
    if start is not None and end is not None and start > end:
        what = f"is before {vendor['start_param']}, so no event can match"
        yield ("query_params", vendor["end_param"]), Problem(what)
    for place in ("query_params", "first_request_query_params"):
        params: dict[str, str] = getattr(source, place)
        limit = _number(params.get(vendor["limit_param"]))
        if limit is not None and limit > vendor["max_limit"]:
            what = f"{name} returns at most {vendor['max_limit']} events per page"
            yield (place, vendor["limit_param"]), Problem(what)
        actions = len(params.get(vendor["action_param"], "").split(","))
        if actions > vendor["max_actions"]:
            what = f"{name} accepts at most {vendor['max_actions']} actions, not {actions}"
            yield (place, vendor["action_param"]), Problem(what)
        start = _number(params.get(vendor["start_param"]))
        if start is not None and start < vendor["min_oldest"]:
            what = f"{name} has no events before {_month(vendor['min_oldest'])}"
            yield (place, vendor["start_param"]), Problem(what)
        for param in (vendor["start_param"], vendor["end_param"]):
            if flaw := _time_flaw(params.get(param), vendor):
                yield (place, param), flaw
        if params.get(vendor["end_param"]):
            what = "events after this time are never fetched, however long helr runs"
            yield (place, vendor["end_param"]), Problem(what)
    if _other_token(source, vendor["token_prefix"]):
        what = f"the token does not begin with {vendor['token_prefix']}, so {name} will reject it"
        used = "token_file" if "token_file" in source.auth.options else "token_env"  # type: ignore[union-attr]
        yield ("auth", used), Problem(what)
    calls = calls_per_minute(source)
    if calls > vendor["calls_per_minute"]:
        yield ("pagination", "max_pages"), _too_many(calls, vendor)


def _too_many(calls: int, vendor: dict[str, Any], together: str = "") -> Problem:
    allowed = vendor["calls_per_minute"]
    what = (
        f"{together}up to {calls} calls a minute, but {vendor['name']} allows {allowed} for the "
        "whole organization"
    )
    return Problem(what, "set resilience.rate_limit.page_delay_secs to 2, or lower max_pages")


def _together(config: Config) -> Iterator[Finding]:
    """Sources of one vendor that exceed its limit only together."""
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
            yield ("sources",), _too_many(sum(counts), known[name], "together ")


def _other_token(source: Source, prefix: str) -> bool:
    """Whether the token is of another kind; the token itself does not leave this function."""
    if source.auth is None or source.auth.type != "bearer":
        return False
    from helr.auth import open_auth
    from helr.messages import Request

    request = next(open_auth(source.auth).flow(Request(source.url)))
    sent = request.headers.get("Authorization", "")
    return not sent.rpartition(" ")[2].startswith(prefix)


def _time_flaw(text: str | None, vendor: dict[str, Any]) -> Problem | None:
    """Why the vendor will not accept a time, or return nothing for it."""
    if not text:
        return None
    at, now = instant(text), time.time()
    if _number(text) is None or spelling(text) != "Unix seconds":
        what = f"{vendor['name']} accepts only {vendor['times']}"
        if at is not None:
            return Problem(what, f"write {int(at)}")
        return Problem(f"{what}, such as {int(now) // 86400 * 86400}")
    if at is not None and at > now:
        return Problem(f"is in the future ({rfc3339(at)})")
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _month(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%B %Y")
