"""Settings that contradict each other, which the schema cannot express.

Works on the plain values of one source that fits the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from helr.config.problems import Finding
from helr.credentials import is_secret_name
from helr.errors import Problem
from helr.model import TIMEOUT_SECS
from helr.urls import is_loopback


def contradictions(source: dict[str, Any]) -> Iterator[Finding]:
    """Every contradiction in a source's settings, with its path below the source."""
    if _is_url(source["url"]):
        yield from _url(source)
        yield from _parameters(source)
    else:
        yield ("url",), Problem("is not a valid URL", "write https://HOST/PATH")
    yield from _headers(source)
    yield from _waits(source.get("resilience", {}))


def _is_url(url: str) -> bool:
    try:
        urlsplit(url)
    except ValueError:  # such as "Invalid IPv6 URL"
        return False
    return True


def _url(source: dict[str, Any]) -> Iterator[Finding]:
    bad_port = Problem("is not a valid URL: a port is a number from 1 to 65535")
    url = urlsplit(source["url"])
    try:
        port = url.port
    except ValueError:
        yield ("url",), bad_port
        return
    if port == 0:
        yield ("url",), bad_port
    exposed = url.scheme.lower() == "http" and not is_loopback(url.hostname or "")
    if exposed and _holds_credentials(source) and not source.get("allow_insecure", False):
        what = "plain http would expose the credentials to anyone on the network path"
        yield ("url",), Problem(what, "use https, or set allow_insecure: true")


def _holds_credentials(source: dict[str, Any]) -> bool:
    url = urlsplit(source["url"])
    names = [name for name, _ in parse_qsl(url.query, True)]
    for place in ("headers", "query_params", "first_request_query_params"):
        names += source.get(place, {})
    return "auth" in source or "@" in url.netloc or any(map(is_secret_name, names))


def _parameters(source: dict[str, Any]) -> Iterator[Finding]:
    in_url = [name for name, _ in parse_qsl(urlsplit(source["url"]).query, True)]
    cursor = source.get("pagination", {}).get("cursor_param")
    watermark = source.get("incremental_from", {}).get("param_name")
    for place in ("query_params", "first_request_query_params"):
        for name in source.get(place, {}):
            if name == cursor:
                what = "is the cursor parameter, which helr sends itself"
                yield (place, name), Problem(what, "remove it")
            elif name in in_url:
                yield (place, name), Problem("is also in the url", "remove one of the two")
    if cursor in in_url:
        what = f"contains the cursor parameter {cursor}, which helr sends itself"
        yield ("url",), Problem(what, "remove it")
    if watermark is not None and watermark == cursor:
        what = "is also the cursor parameter"
        yield ("incremental_from", "param_name"), Problem(what, "name another parameter")


def _headers(source: dict[str, Any]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name in source.get("headers", {}):
        if name.lower() == "authorization" and "auth" in source:
            yield ("headers", name), Problem("is also set by auth", "remove one of the two")
        if name.lower() in seen:
            what = f"is the same header as {seen[name.lower()]}"
            yield ("headers", name), Problem(what, "keep only one of them")
        seen[name.lower()] = name


def _waits(resilience: dict[str, Any]) -> Iterator[Finding]:
    retries = resilience.get("retries", {})
    first, longest = retries.get("initial_backoff_secs"), retries.get("max_backoff_secs")
    if first is not None and longest is not None and first > longest:
        yield (
            ("resilience", "retries", "initial_backoff_secs"),
            Problem(f"the first wait of {first} s exceeds max_backoff_secs ({longest} s)"),
        )
    timeouts = resilience.get("timeouts", {})
    whole = timeouts.get("request_secs", resilience.get("timeout_secs", TIMEOUT_SECS))
    for name in ("connect_secs", "read_secs"):
        part = timeouts.get(name)
        if part is not None and part > whole:
            yield (
                ("resilience", "timeouts", name),
                Problem(f"exceeds the limit for a complete request, {whole} s"),
            )
