"""Checked values to the config that the rest of helr uses."""

from __future__ import annotations

from typing import Any

from helr.config.expand import Values
from helr.json_values import plain_text
from helr.model import (
    TIMEOUT_SECS,
    Auth,
    CircuitBreaker,
    Dedupe,
    ErrorRule,
    GlobalConfig,
    IncrementalFrom,
    Pagination,
    RateLimit,
    Resilience,
    Retries,
    Schedule,
    Source,
    State,
    Timeouts,
    Tls,
    Transform,
)

_PAGINATION = ("strategy", "max_pages", "more_path", "more_value", "end", "keep", "limit")
_PLAIN = (
    "response_events_path",
    "max_bytes",
    "max_response_bytes",
    "max_response_values",
    "max_line_bytes",
    "max_line_bytes_behavior",
    "cookies",
    "on_cursor_error",
    "on_parse_error",
    "on_invalid_utf8",
    "allow_insecure",
)


def globals_from(values: dict[str, Any]) -> GlobalConfig:
    """`global:`, without what the environment overrides."""
    given: dict[str, Any] = {}
    for key in ("log_level", "log_format"):
        if key in values:
            given[key] = values[key]
    state = {key: value for key, value in values.get("state", {}).items() if key != "url"}
    if "settle_secs" in values.get("output", {}):
        given["settle_secs"] = values["output"]["settle_secs"]
    if "source_label_key" in values:
        given["label_key"] = values["source_label_key"]
    if "source_label_value" in values:
        given["label_value"] = values["source_label_value"]
    return GlobalConfig(state=State(**state), **given)


def source_from(name: str, values: Values, whole: GlobalConfig) -> Source:
    """The source of that name."""
    given = values.tree["sources"][name]
    first = _parameters(values, name, "first_request_query_params")
    if "from" in given:
        start = values.text(("sources", name, "from"), given["from"])
        first.setdefault(given.get("from_param", "since"), start)
    return Source(
        name=name,
        url=given["url"],
        resilience=_resilience(given.get("resilience", {})),
        label_key=given.get("source_label_key", whole.label_key),
        label_value=given.get("source_label_value", name),
        headers=_parameters(values, name, "headers"),
        query_params=_parameters(values, name, "query_params"),
        first_request_query_params=first,
        schedule=Schedule(**given.get("schedule", {})),
        auth=auth_from(given["auth"]) if "auth" in given else None,
        pagination=_pagination(given.get("pagination", {})),
        incremental_from=_incremental(given),
        dedupe=_dedupe(given["dedupe"]) if "dedupe" in given else None,
        transform=Transform(**given.get("transform", {})),
        error_rules=tuple(map(_error_rule, given.get("error_rules", []))),
        from_environment=_from_environment(values, name),
        **_whole({key: given[key] for key in _PLAIN if key in given}),
    )


_CARRIED = {"url", "headers", "query_params", "first_request_query_params", "from"}
_PREFIX = ("auth", "prefix")


def _from_environment(values: Values, name: str) -> tuple[str, ...]:
    """What variables put into a source's requests, except what is clearly not a secret."""
    found = [
        (variable, value, path[2] == "url")
        for path, variables in values.variables.items()
        if path[:2] == ("sources", name) and (_CARRIED & {*path[2:3]} or path[2:] == _PREFIX)
        for variable, value in variables
    ]
    if not found:
        return ()
    from helr.credentials import is_plain, secrets_in_url
    from helr.urls import bare_url, user_of

    url = str(values.tree["sources"][name]["url"])
    address, user = bare_url(url), user_of(url)
    secrets: list[str] = []
    for variable, value, in_url in found:
        if value.startswith(("https://", "http://")):
            secrets += secrets_in_url(value)
        elif not (in_url and value == user) and not is_plain(
            value, variable, in_address=in_url and value in address
        ):
            secrets.append(value)
    return tuple(secrets)


def _error_rule(given: dict[str, Any]) -> ErrorRule:
    equals = given.get("equals", [])
    values = equals if isinstance(equals, list) else [equals]
    return ErrorRule(
        given["path"],
        given["then"],
        tuple(map(plain_text, values)),
        bool(given.get("falsy", not given.get("truthy", True))),
    )


def _dedupe(given: dict[str, Any]) -> Dedupe:
    path = given["id_path"]
    known = given | {"id_path": path if isinstance(path, str) else tuple(path)}
    return Dedupe(**_whole(known))


def auth_from(given: dict[str, Any]) -> Auth:
    """`auth:` of a source."""
    return Auth(given["type"], {key: value for key, value in given.items() if key != "type"})


def tls_from(given: dict[str, Any]) -> Tls:
    """`resilience.tls` of a source."""
    known = dict(given)
    if "min_version" in known:
        known["min_version"] = str(known["min_version"])
    return Tls(**known)


def _parameters(values: Values, name: str, place: str) -> dict[str, str]:
    path = ("sources", name, place)
    given = values.tree["sources"][name].get(place, {})
    return {key: values.text((*path, key), value) for key, value in given.items()}


def _pagination(given: dict[str, Any]) -> Pagination:
    own = _whole(given)
    common = {key: own.pop(key) for key in _PAGINATION if key in own}
    if "more_value" in common:
        common["more_value"] = plain_text(common["more_value"])
    return Pagination(options=own, **common)


def _incremental(given: dict[str, Any]) -> IncrementalFrom | None:
    if "incremental_from" in given:
        return IncrementalFrom(**given["incremental_from"])
    if "state" in given:
        state = given["state"]
        key = state.get("state_key", "watermark")
        return IncrementalFrom(key, state["watermark_field"], state["watermark_param"])
    return None


def _resilience(given: dict[str, Any]) -> Resilience:
    retries = dict(given.get("retries", {}))
    if "max_attempts" in retries:
        retries["max_attempts"] = max(retries["max_attempts"], 1)
    if "retryable_status_codes" in retries:
        retries["retryable_status_codes"] = frozenset(retries["retryable_status_codes"])
    rate = dict(given.get("rate_limit", {}))
    rate.update(rate.pop("headers", {}))
    return Resilience(
        timeouts=_timeouts(given.get("timeout_secs", TIMEOUT_SECS), given.get("timeouts", {})),
        retries=Retries(**_whole(retries)),
        circuit_breaker=CircuitBreaker(**_whole(given.get("circuit_breaker", {}))),
        rate_limit=RateLimit(**_whole(rate)),
        tls=tls_from(given.get("tls", {})),
    )


def _timeouts(timeout: float, given: dict[str, Any]) -> Timeouts:
    request = given.get("request_secs", timeout)
    each = min(timeout, request)
    own = {"connect_secs": min(10, each), "request_secs": request, "read_secs": each}
    return Timeouts(**{**own, **given})


_WHOLE = {
    "capacity",
    "limit",
    "max_pages",
    "max_attempts",
    "failure_threshold",
    "success_threshold",
    "minimum_requests",
    "burst_size",
    "max_bytes",
    "max_response_bytes",
    "max_response_values",
    "max_line_bytes",
}


def _whole(given: dict[str, Any]) -> dict[str, Any]:
    """The values with 25.0, which the schema accepts as a whole number, turned into 25."""
    return {key: int(value) if key in _WHOLE else value for key, value in given.items()}
