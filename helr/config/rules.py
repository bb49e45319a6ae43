"""What the schema cannot say: settings that contradict each other.

Works on the plain values of one source and is given only sources that fit the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from helr.config.problems import KeyPath
from helr.credentials import is_secret_name
from helr.model import TIMEOUT_SECS
from helr.urls import is_loopback

Rule = tuple[KeyPath, str]  # where, below the source, and what is wrong


def contradictions(source: dict[str, Any]) -> Iterator[Rule]:
    """Every contradiction in a source's settings."""
    yield from _url(source)
    yield from _parameters(source)
    yield from _headers(source)
    yield from _waits(source.get("resilience", {}))


def _url(source: dict[str, Any]) -> Iterator[Rule]:
    try:
        url = urlsplit(source["url"])
        port = url.port
    except ValueError:
        yield ("url",), "is no address: a port is a number from 1 to 65535"
        return
    if port == 0:
        yield ("url",), "is no address: a port is a number from 1 to 65535"
    exposed = url.scheme.lower() == "http" and not is_loopback(url.hostname or "")
    if exposed and _holds_credentials(source) and not source.get("allow_insecure", False):
        yield (
            ("url",),
            "plain http would send credentials that anyone on the way can read; "
            "write https, or set allow_insecure: true",
        )


def _holds_credentials(source: dict[str, Any]) -> bool:
    url = urlsplit(source["url"])
    names = [name for name, _ in parse_qsl(url.query, True)]
    for place in ("headers", "query_params", "first_request_query_params"):
        names += source.get(place, {})
    return "auth" in source or "@" in url.netloc or any(map(is_secret_name, names))


def _parameters(source: dict[str, Any]) -> Iterator[Rule]:
    in_url = [name for name, _ in parse_qsl(urlsplit(source["url"]).query, True)]
    cursor = source.get("pagination", {}).get("cursor_param")
    watermark = source.get("incremental_from", {}).get("param_name")
    for place in ("query_params", "first_request_query_params"):
        for name in source.get(place, {}):
            if name == cursor:
                yield (place, name), "is the cursor's parameter, which helr sends itself; remove it"
            elif name in in_url:
                yield (place, name), "stands in the url too; remove one of the two"
    if cursor in in_url:
        yield ("url",), f"holds the cursor's parameter {cursor}, which helr sends itself; remove it"
    if watermark is not None and watermark == cursor:
        yield ("incremental_from", "param_name"), "is the cursor's parameter; it can be only one"


def _headers(source: dict[str, Any]) -> Iterator[Rule]:
    seen: dict[str, str] = {}
    for name in source.get("headers", {}):
        if name.lower() == "authorization" and "auth" in source:
            yield ("headers", name), "is set by auth; remove one of the two"
        if name.lower() in seen:
            yield ("headers", name), f"is the same header as {seen[name.lower()]}; keep one of them"
        seen[name.lower()] = name


def _waits(resilience: dict[str, Any]) -> Iterator[Rule]:
    retries = resilience.get("retries", {})
    first, longest = retries.get("initial_backoff_secs"), retries.get("max_backoff_secs")
    if first is not None and longest is not None and first > longest:
        yield (
            ("resilience", "retries", "initial_backoff_secs"),
            f"the first wait of {first} s is longer than max_backoff_secs, the longest",
        )
    timeouts = resilience.get("timeouts", {})
    whole = timeouts.get("request_secs", resilience.get("timeout_secs", TIMEOUT_SECS))
    for name in ("connect_secs", "read_secs"):
        part = timeouts.get(name)
        if part is not None and part > whole:
            yield (
                ("resilience", "timeouts", name),
                f"is longer than a whole request may take, {whole} s",
            )
