"""The ground: Slack's events from the mock to a pipe, each once, unchanged; and plain errors."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mock_server import MockSlack
from tests.conftest import Helr, slack_source
from tests.support import CAREFUL, INCREMENTAL, PAGING

pytestmark = pytest.mark.unmeasured


def lines(output: str) -> list[str]:
    """str.splitlines would also split at characters that JSON leaves as they are."""
    return output.split("\n")[:-1]


def ids(output: str) -> list[str]:
    return [json.loads(line)["event"]["id"] for line in lines(output)]


@pytest.mark.parametrize("limit", [200, 9999])
def test_ten_thousand_events_over_several_runs_come_exactly_once(helr: Helr, limit: int) -> None:
    with MockSlack(events=10_000) as mock:
        helr.slack(
            mock.url,
            query_params={"limit": limit},
            pagination=PAGING | {"max_pages": 3},
            **CAREFUL,
        )
        came: list[str] = []
        for run in range(40):
            result = helr.run("run", "--once")
            assert result.returncode == 0, result.stderr
            came += ids(result.stdout)
            if not result.stdout:
                break
            if run < 5:
                mock.add_events(7)
        assert Counter(came) == Counter(mock.ids())


def test_without_dedupe_events_of_the_watermarks_second_come_once(helr: Helr) -> None:
    with MockSlack(events=300) as mock:
        helr.slack(mock.url, incremental_from=INCREMENTAL)
        came = ids(helr.run("run", "--once").stdout)
        for _ in range(3):
            mock.add_events(5)
            came += ids(helr.run("run", "--once").stdout)
        assert Counter(came) == Counter(mock.ids())


def test_an_expired_cursor_in_the_middle_of_a_backlog_loses_nothing(helr: Helr) -> None:
    with MockSlack(events=2_000) as mock:
        helr.slack(mock.url, pagination=PAGING | {"max_pages": 3}, **CAREFUL)
        came = ids(helr.run("run", "--once").stdout)
        mock.expire_cursors()
        mock.add_events(10)
        reset = helr.run("run", "--once")
        assert reset.returncode == 0
        assert not reset.stdout
        assert "invalid_cursor" in reset.stderr
        assert "restarting from the first page" in reset.stderr
        for _ in range(8):
            came += ids(helr.run("run", "--once").stdout)
        assert Counter(came) == Counter(mock.ids())


def test_a_refused_cursor_fails_and_stays_by_default(helr: Helr) -> None:
    with MockSlack(events=1_000) as mock:
        helr.slack(mock.url, pagination=PAGING | {"max_pages": 2}, incremental_from=INCREMENTAL)
        helr.run("run", "--once")
        before = helr.run("state", "export").stdout
        mock.expire_cursors()
        failed = helr.run("run", "--once")
        assert failed.returncode == 1
        assert len(mock.requests) == 3, "a refused cursor was retried"
        assert json.loads(helr.run("state", "export").stdout) == json.loads(before)


def test_events_pass_byte_for_byte_with_their_own_time(helr: Helr) -> None:
    with MockSlack(events=500) as mock:
        helr.slack(mock.url)
        came = lines(helr.run("run", "--once").stdout)
        for line, raw in zip(came, mock.raw_events(), strict=True):
            event = raw.decode()
            assert line.startswith('{"endpoint":"/audit/v1/logs","event":' + event + ',"meta":{},')
            tail = json.loads(line)
            assert list(tail) == ["endpoint", "event", "meta", "source", "ts"]
            assert tail["source"] == "slack-audit"
            from helr.timestamps import rfc3339

            assert tail["ts"] == rfc3339(tail["event"]["date_create"])


def test_labels_and_ids_are_put_in_as_configured(helr: Helr) -> None:
    with MockSlack(events=1) as mock:
        source = slack_source(mock.url, transform={"id_field": "id"}, source_label_value="acme")
        helr.config(sources={"slack-audit": source}, **{"global": {"source_label_key": "tenant"}})
        line = json.loads(helr.run("run", "--once").stdout)
        assert list(line) == ["endpoint", "event", "meta", "tenant", "ts"]
        assert line["tenant"] == "acme"
        assert line["meta"] == {"id": line["event"]["id"]}


@pytest.mark.parametrize("key", ["items", "events", "data", "logs", "a.b.c", None])
def test_events_are_found_where_an_api_puts_them(
    helr: Helr, key: str | None, httpserver_json: Any
) -> None:
    page: Any = [{"id": 1}, {"id": 2}]
    for part in reversed((key or "").split(".") if key else []):
        page = {part: page}
    url = httpserver_json(page)
    where = {"response_events_path": key} if key and "." in key else {}
    helr.config(sources={"s": {"url": url, **where}})
    assert ids(helr.run("run", "--once").stdout) == [1, 2]


def test_sources_are_polled_side_by_side_and_never_mix(helr: Helr) -> None:
    with MockSlack(events=3_000, seed=1) as one, MockSlack(events=3_000, seed=2) as two:
        helr.config(
            sources={
                "one": slack_source(one.url),
                "two": slack_source(two.url),
                "three": slack_source(two.url),
            }
        )
        result = helr.run("run", "--once")
        assert result.returncode == 0, result.stderr
        assert Counter(ids(result.stdout)) == Counter(one.ids() + 2 * two.ids())


def test_a_source_that_hangs_holds_up_no_other(helr: Helr) -> None:
    with MockSlack(events=100, seed=1) as one, MockSlack(events=100, seed=2) as two:
        two.fault("hang@1+")
        helr.config(sources={"hung": slack_source(two.url), "one": slack_source(one.url)})
        process = helr.start("run", "--once")
        assert process.stdout is not None
        came = [json.loads(process.stdout.readline())["source"] for _ in range(100)]
        assert came == ["one"] * 100
        assert process.poll() is None, "it ended although one source still hangs"
        process.terminate()
        process.communicate(timeout=5)
        assert process.returncode == 143, "a one-shot run was interrupted"


def test_only_the_named_sources_are_polled(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        helr.config(
            sources={
                "one": slack_source(mock.url),
                "two": slack_source(mock.url, auth={"type": "bearer", "token_env": "UNSET"}),
            }
        )
        result = helr.run("run", "--once", "--source", "one")
        assert result.returncode == 0, result.stderr
        assert {json.loads(line)["source"] for line in lines(result.stdout)} == {"one"}


def one_line(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


def test_a_missing_token(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9", auth={"type": "bearer", "token_env": "NO_SUCH_TOKEN"})
    result = helr.run("run", "--once")
    assert result.returncode == 2
    line = one_line(result.stderr)
    assert line.startswith("helr.yaml:")
    assert "NO_SUCH_TOKEN" in line


def test_an_unknown_key(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9", pagination=PAGING | {"max_page": 3})
    result = helr.run("run", "--once")
    assert result.returncode == 2
    line = one_line(result.stderr)
    assert "sources.slack-audit.pagination.max_page" in line
    assert "max_pages" in line


def test_a_bad_yaml_file(helr: Helr) -> None:
    (helr.cwd / "helr.yaml").write_text("sources:\n\t- x\n")
    result = helr.run("run", "--once")
    assert result.returncode == 2
    assert one_line(result.stderr).startswith("helr.yaml:2:")


def test_no_config(helr: Helr) -> None:
    result = helr.run("run", "--once")
    assert result.returncode == 2
    assert "helr.yaml" in one_line(result.stderr)


def test_an_unreachable_host(helr: Helr) -> None:
    quick = {"retries": {"max_attempts": 1}}
    helr.slack("http://127.0.0.1:9", resilience=quick)
    result = helr.run("run", "--once")
    assert result.returncode == 1
    line = one_line(result.stderr)
    assert "slack-audit: http://127.0.0.1:9/audit/v1/logs" in line
    assert not result.stdout


def test_an_output_that_cannot_be_written(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9")
    for path in ("missing/dir/out.ndjson", "."):
        result = helr.run("run", "--once", "-o", path)
        assert result.returncode == 2
        assert "output" in one_line(result.stderr)


def test_a_state_file_that_cannot_be_made(helr: Helr) -> None:
    helr.config(
        sources={"slack-audit": slack_source("http://127.0.0.1:9")},
        **{"global": {"state": {"path": "missing/dir/state.db"}}},
    )
    result = helr.run("run", "--once")
    assert result.returncode == 2
    assert "missing/dir" in one_line(result.stderr)


def test_state_in_memory_keeps_nothing(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        helr.config(
            sources={"s": slack_source(mock.url, **CAREFUL)},
            **{"global": {"state": {"backend": "memory"}}},
        )
        assert len(ids(helr.run("run", "--once").stdout)) == 10
        assert len(ids(helr.run("run", "--once").stdout)) == 10
        assert [p.name for p in helr.cwd.iterdir() if "state" in p.name] == []


def test_a_continuous_run_polls_again_and_ends_on_sigterm(helr: Helr) -> None:
    with MockSlack(events=10) as mock:
        helr.slack(mock.url, schedule={"interval_secs": 1}, **CAREFUL)
        process = helr.start("run")
        assert process.stdout is not None
        came = [process.stdout.readline() for _ in range(10)]
        new = mock.add_events(2)
        came += [process.stdout.readline() for _ in range(2)]
        assert Counter(ids(b"".join(came).decode())) == Counter(mock.ids())
        assert set(new) <= set(mock.ids())
        process.terminate()
        _, errors = process.communicate(timeout=5)
        assert process.returncode == 0
        assert b"collecting from slack-audit every 1 s\n" in errors
        assert b"stopped by signal 15\n" in errors, "and nothing comes again"


def test_no_command_means_run(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url)
        assert len(ids(helr.run("--once").stdout)) == 3
        assert len(ids(helr.run("-c", "helr.yaml", "--once", "-q").stdout)) == 3


def test_verbose_and_quiet_stand_before_or_after_the_command(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url)
        for args in (["-q", "run", "--once"], ["run", "--once", "-q"]):
            assert helr.run(*args).stderr == ""
        for args in (["-v", "run", "--once"], ["run", "--once", "-v"]):
            assert "3 delivered" in helr.run(*args).stderr


@pytest.mark.parametrize(
    "command", [[], ["run"], ["validate"], ["test"], ["init"], ["state"], ["state", "import"]]
)
def test_help_has_an_example(helr: Helr, command: list[str]) -> None:
    result = helr.run(*command, "--help")
    assert result.returncode == 0
    assert "example" in result.stdout
    assert "helr " in result.stdout.split("example", 1)[1]


def test_a_bad_command_line(helr: Helr) -> None:
    for args in (["--nonsense"], ["run", "--source"], ["state", "set", "x"], ["test"]):
        result = helr.run(*args)
        assert result.returncode == 2
        assert "usage: helr" in result.stderr


def test_ignored_keys_of_helr_are_said_once(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url, checkpoint="end_of_tick", on_state_write_error="skip_checkpoint")
        result = helr.run("run", "--once")
        assert result.returncode == 0
        for key in ("checkpoint", "on_state_write_error"):
            assert sum(key in line for line in result.stderr.splitlines()) == 1


def test_log_settings_come_from_the_environment(helr: Helr, tmp_path: Path) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url)
        env = {"HELR_LOG_FORMAT": "json", "HELR_LOG_LEVEL": "debug"}
        result = helr.run("run", "--once", env=env)
        for line in result.stderr.splitlines():
            assert {"ts", "level", "msg", "source"} <= set(json.loads(line))
