"""`helr validate` from the command line: its output and exit status."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Helr
from tests.support import INCREMENTAL

URL = "http://127.0.0.1:1"  # nothing listens there: validate must not notice
EVERYTHING: dict[str, Any] = {
    "incremental_from": {**INCREMENTAL, "lookback_secs": 600},
    "dedupe": {"id_path": "id"},
    "schedule": {"interval_secs": 300, "jitter_secs": 30},
    "resilience": {"rate_limit": {"page_delay_secs": 2}},
}


def test_a_good_config(helr: Helr) -> None:
    helr.slack(URL, **EVERYTHING)
    done = helr.run("validate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "helr.yaml: valid, 1 source",
        "slack-audit: GET http://127.0.0.1:1/audit/v1/logs",
        "  every 300 s plus up to 30 s, at most 100 pages of 200 events per poll",
        "  starts at the newest event so far (date_create), initially all events; "
        "100000 ids remembered",
        "  30 s and 3 attempts per request, 2 s between pages; at most 31 calls a minute",
        "state: ./helr-state.db; settle time 0 s",
    ]
    assert [path.name for path in helr.cwd.iterdir()] == ["helr.yaml"]


def test_warnings_do_not_fail(helr: Helr) -> None:
    helr.slack(URL, **{**EVERYTHING, "query_params": {"limit": 10000}, "checkpoint": "end_of_tick"})
    done = helr.run("validate")
    assert done.returncode == 0
    assert "valid, 1 source" in done.stdout
    lines = done.stderr.splitlines()
    assert "sources.slack-audit.checkpoint: ignored: " in lines[0]
    assert "warning: sources.slack-audit.query_params.limit: Slack returns at most 9999" in "".join(
        lines
    )
    assert all(line.startswith("helr.yaml:") for line in lines)


def test_every_problem_at_once(helr: Helr) -> None:
    helr.slack(URL, schedule={"interval_secs": "5m"}, on_cursor_eror="reset")
    done = helr.run("validate", env={"SLACK_AUDIT_TOKEN": ""})
    assert (done.returncode, done.stdout) == (2, "")
    assert "must be a number, not 5m; write 300, in seconds" in done.stderr
    assert "on_cursor_eror: unknown key; did you mean on_cursor_error?" in done.stderr
    assert "SLACK_AUDIT_TOKEN" in done.stderr
    assert done.stderr.endswith("\n3 problems\n")


@pytest.mark.parametrize("command", [("run", "--once"), ("test", "--source", "slack-audit")])
def test_other_commands_say_the_same(helr: Helr, command: tuple[str, ...]) -> None:
    helr.slack(URL, on_cursor_eror="reset")
    done = helr.run(*command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "helr.yaml:" in done.stderr
    assert "on_cursor_eror: unknown key; did you mean on_cursor_error?" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_for_editors(helr: Helr) -> None:
    path = helr.slack(URL, on_cursor_eror="reset")
    done = helr.run("validate", "--format", "json")
    assert (done.returncode, done.stderr) == (2, "")
    report = json.loads(done.stdout)
    line = path.read_text().split("\n").index("    on_cursor_eror: reset") + 1
    assert report == {
        "valid": False,
        "problems": [
            {
                "file": "helr.yaml",
                "line": line,
                "column": 5,
                "path": "sources.slack-audit.on_cursor_eror",
                "message": "unknown key; did you mean on_cursor_error? "
                "(helr help configuration source)",
            }
        ],
        "warnings": [],
    }


def test_json_of_a_good_one(helr: Helr) -> None:
    no_lookback = {**EVERYTHING["incremental_from"], "lookback_secs": None}
    helr.slack(URL, **{**EVERYTHING, "dedupe": None, "incremental_from": no_lookback})
    done = helr.run("validate", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["valid"] is True
    assert "sources.slack-audit" in [warning["path"] for warning in report["warnings"]]
    assert report["sources"][0]["calls_per_minute"] == 31
    assert report["sources"][0]["page_size"] == 200


def test_only_some_sources(helr: Helr) -> None:
    source = {"url": f"{URL}/a", "auth": {"type": "bearer", "token_env": "ABSENT"}}
    helr.config(sources={"a": {"url": f"{URL}/b"}, "b": source})
    assert helr.run("validate", "--source", "a").returncode == 0
    done = helr.run("validate", "--source", "c")
    assert done.returncode == 2
    assert "there is no source 'c'; the sources are a, b" in done.stderr


def test_a_secret_in_the_url_is_not_shown(helr: Helr) -> None:
    helr.slack("https://user:planted@127.0.0.1:1", **EVERYTHING)
    done = helr.run("validate")
    assert done.returncode == 0
    assert "planted" not in done.stdout + done.stderr
    done = helr.run("validate", "--format", "json")
    assert "planted" not in done.stdout + done.stderr
