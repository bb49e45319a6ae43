"""Promise 10: a config that does not fit its API is reported before it loses anything silently."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Helr
from tests.errors_table import entries, level_and_text, pattern

EVENTS = [{"uuid": f"e{n}", "time": f"2026-11-01T00:00:0{n}Z"} for n in range(5)]
INCREMENTAL = {"state_key": "t", "event_timestamp_path": "time", "param_name": "since"}


CURSOR = {"strategy": "cursor", "cursor_param": "c", "cursor_path": "next_cursor"}
SETTINGS: dict[str, dict[str, Any]] = {
    "more pages": {},
    "cursor_path finds nothing": {"pagination": CURSOR},
    "no ids": {"dedupe": {"id_path": "event_id"}},
    "some events without ids": {"dedupe": {"id_path": "uuid"}},
    "one part of an id is not there": {"dedupe": {"id_path": ["time", "event_id"]}},
    "one id for several events": {"dedupe": {"id_path": "uuid"}},
    "nothing at a transform path": {"transform": {"timestamp_field": "tme"}},
    "an event that is not one": {"on_parse_error": "skip_event"},
}
WARNINGS = {entry["warning"]: entry for entry in entries("warning")}


def test_every_warning_of_the_table_is_tried() -> None:
    assert set(WARNINGS) == set(SETTINGS)


@pytest.mark.parametrize("name", list(WARNINGS))
def test_run_and_test_say_so(helr: Helr, httpserver_json: Callable[[Any], str], name: str) -> None:
    events = [*EVENTS]
    if name == "some events without ids":
        events.append({"time": "2026-11-01T00:00:09Z"})
    if name == "one id for several events":
        events.append({**EVENTS[1], "what": "another"})
    if name == "an event that is not one":
        events.append(None)  # type: ignore[arg-type]
    url = httpserver_json({"events": events, "paging": {"nextPageToken": "abc"}})
    source = {"url": url, "incremental_from": INCREMENTAL, **SETTINGS[name]}
    helr.config(sources={"s": source})
    line = re.compile(pattern(WARNINGS[name]["line"], url=url))
    tried = helr.run("test", "--source", "s")
    said = any(map(line.fullmatch, level_and_text(tried.stderr)))
    assert said or "set aside:   events[5] is null" in tried.stderr
    ran = helr.run("run", "--once")
    assert ran.returncode == 0
    assert any(map(line.fullmatch, level_and_text(ran.stderr))), ran.stderr


@pytest.mark.parametrize(
    "more",
    [
        {"paging": {"next": {"link": "https://x/2"}}},
        {"has_more": True},
        ({}, {"Link": '<https://x/2>; rel="next"'}),
    ],
)
def test_each_process_says_that_pages_are_not_followed(
    helr: Helr, httpserver_pages: Callable[[list[Any]], str], more: Any
) -> None:
    """Even if the config was changed after the first watermark, since every poll loses them."""
    document = (more[0] | {"events": EVENTS}, more[1]) if isinstance(more, tuple) else None
    url = httpserver_pages([document or {"events": EVENTS, **more}])
    helr.config(sources={"s": {"url": url, "incremental_from": INCREMENTAL}})
    for _ in range(2):
        assert helr.run("run", "--once").stderr.count("shows that there are more events") == 1


def test_a_config_that_fits_is_left_alone(
    helr: Helr, httpserver_json: Callable[[Any], str]
) -> None:
    url = httpserver_json({"events": EVENTS, "paging": {"nextPageToken": None}})
    helr.config(
        sources={
            "s": {
                "url": url,
                "incremental_from": INCREMENTAL,
                "dedupe": {"id_path": ["time", "uuid"]},
                "transform": {"timestamp_field": "time", "id_field": "uuid"},
            }
        }
    )
    ran = helr.run("run", "--once")
    assert "WARN" not in ran.stderr
    assert helr.run("run", "--once").stdout == ""


@pytest.mark.parametrize("times", [["00:00:01Z", "00:00:09Z"], ["00:00:09Z", "00:00:01Z"]])
def test_an_id_that_is_used_again_at_another_time_is_another_event(
    helr: Helr, httpserver_pages: Callable[[list[Any]], str], times: list[str]
) -> None:
    """elastic/integrations#4500: on one page, on two, in two polls, in two processes."""
    one, other = ({"uuid": "x", "time": f"2026-11-01T{at}"} for at in times)
    pages = [[one], [other], [one, other], [other, one]]
    url = httpserver_pages([{"events": page} for page in pages])
    lookback = {**INCREMENTAL, "lookback_secs": 600}
    unique = {"id_path": "uuid"}
    helr.config(sources={"s": {"url": url, "incremental_from": lookback, "dedupe": unique}})
    delivered = [helr.run("run", "--once").stdout for _ in pages]
    assert [text.count("\n") for text in delivered] == [1, 1, 0, 0]
