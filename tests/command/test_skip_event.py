"""on_parse_error: skip_event through the command: a reject is named and kept, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.conftest import Helr

PAGE = {"events": [{"id": "a"}, None, {"id": "b"}, 17, None], "next": None}


def configure(helr: Helr, url: str, **changes: Any) -> None:
    helr.config(sources={"s": {"url": url, "dedupe": {"id_path": "id"}, **changes}})


def test_the_rest_is_delivered_and_the_bad_are_kept(
    helr: Helr, httpserver_json: Callable[[Any], str]
) -> None:
    url = httpserver_json(PAGE)
    configure(helr, url, on_parse_error="skip_event")
    done = helr.run("run", "--once")
    assert done.returncode == 0
    assert [json.loads(line)["event"]["id"] for line in done.stdout.splitlines()] == ["a", "b"]
    kept = helr.cwd / "helr-state.db.rejected"
    assert (
        f"WARN  s: {url}: events[1] is null, not an event and 2 more: set aside "
        f"(on_parse_error: skip_event), kept in ./{kept.name}" in done.stderr
    )
    assert kept.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [(line["place"], line["text"]) for line in lines] == [
        ("events[1]", "null"),
        ("events[3]", "17"),
        ("events[4]", "null"),
    ]
    again = helr.run("run", "--once")
    assert (again.returncode, again.stdout) == (0, "")
    assert "set aside" not in again.stderr
    assert kept.read_text().count("\n") == 3


def test_a_link_in_the_place_of_the_file_is_not_followed(
    helr: Helr, httpserver_json: Callable[[Any], str]
) -> None:
    (helr.cwd / "precious").write_text("mine")
    (helr.cwd / "helr-state.db.rejected").symlink_to("precious")
    configure(helr, httpserver_json(PAGE), on_parse_error="skip_event")
    done = helr.run("run", "--once")
    assert done.returncode == 0
    assert "helr-state.db.rejected cannot be written" in done.stderr
    assert (helr.cwd / "precious").read_text() == "mine"


def test_to_fail_is_the_default_and_names_the_way_out(
    helr: Helr, httpserver_json: Callable[[Any], str]
) -> None:
    configure(helr, httpserver_json(PAGE))
    done = helr.run("run", "--once")
    assert (done.returncode, done.stdout) == (1, "")
    assert "events[1] is null, not an event" in done.stderr
    assert "on_parse_error: skip_event" in done.stderr
