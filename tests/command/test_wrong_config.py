"""Promise 10: a config that does not fit its API shows itself before it loses anything silently."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Helr

EVENTS = [{"uuid": f"e{n}", "time": f"2026-11-01T00:00:0{n}Z"} for n in range(5)]
INCREMENTAL = {"state_key": "t", "event_timestamp_path": "time", "param_name": "since"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {
                "pagination": {
                    "strategy": "cursor",
                    "cursor_param": "c",
                    "cursor_path": "next_cursor",
                }
            },
            "there are more events (paging.nextPageToken), but nothing is at "
            "pagination.cursor_path (next_cursor)",
        ),
        ({}, "there are more events (paging.nextPageToken), but pagination is not set"),
        (
            {"dedupe": {"id_path": "event_id"}},
            "no id at dedupe.id_path (event_id) in 5 events: nothing is recognised as a repeat; "
            "the keys of an event: uuid, time",
        ),
        (
            {"transform": {"timestamp_field": "tme"}},
            "nothing at transform.timestamp_field (tme) in 5 events; the keys of an event: "
            "uuid, time",
        ),
        ({"transform": {"id_field": "uid"}}, "nothing at transform.id_field (uid) in 5 events"),
    ],
)
def test_run_and_test_say_so(
    helr: Helr, httpserver_json: Callable[[Any], str], settings: dict[str, Any], said: str
) -> None:
    url = httpserver_json({"events": EVENTS, "paging": {"nextPageToken": "abc"}})
    helr.config(sources={"s": {"url": url, "incremental_from": INCREMENTAL, **settings}})
    tried = helr.run("test", "--source", "s")
    assert said in tried.stderr
    ran = helr.run("run", "--once")
    assert ran.returncode == 0
    assert f"WARN  s: {'the API shows that ' if 'more events' in said else ''}{said}" in ran.stderr
    again = helr.run("run", "--once")
    assert "more events" not in again.stderr, "only before the first watermark"


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
