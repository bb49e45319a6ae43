"""The command line: places of options, unknown commands, closed standard descriptors."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from mock_server import MockSlack
from tests.command.support import configure, ended, follow
from tests.command.test_ground import ids
from tests.conftest import Helr
from tests.support import INCREMENTAL, PAGING


def closed(helr: Helr, redirect: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run in a shell that closes a file descriptor."""
    command = " ".join([sys.executable, "-m", "helr", *args, redirect])
    return subprocess.run(
        command, shell=True, cwd=helr.cwd, env=helr.environment(),
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize(
    "args", [["validate"], ["test", "--source", "slack-audit"], ["state", "export"], ["status"]]
)
def test_a_closed_standard_output_is_reported(helr: Helr, args: list[str]) -> None:
    helr.slack("http://127.0.0.1:9")
    result = closed(helr, ">&-", *args)
    assert result.returncode == 2
    assert "standard output is closed" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_closed_standard_input_is_reported(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9")
    result = closed(helr, "<&-", "state", "import")
    assert result.returncode == 2
    assert "standard input is closed" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_closed_standard_error_puts_nothing_among_the_events(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url)
        assert len(ids(closed(helr, "2>&-", "run", "--once").stdout)) == 3
        assert len(ids(closed(helr, "2>&-", "test", "--source", "slack-audit").stdout)) == 3


@pytest.mark.parametrize("command", ["exprot", "rnu"])  # codespell:ignore
def test_a_word_that_is_not_a_command(helr: Helr, command: str) -> None:
    result = helr.run(command)
    assert result.returncode == 2
    meant = {
        "exprot": "the commands are run, validate,",  # codespell:ignore
        "rnu": "did you mean run?",
    }
    assert f"{command} is not a command; {meant[command]}" in result.stderr


def test_what_the_rust_helr_accepts_is_accepted(helr: Helr, mock_slack: MockSlack) -> None:
    helr.slack(mock_slack.url)
    assert helr.run("-V").stdout == helr.run("--version").stdout
    assert helr.run("help", "run").stdout == helr.run("run", "--help").stdout
    assert helr.run("help", "state", "set").stdout == helr.run("state", "set", "-h").stdout
    assert "  validate  " in helr.run("help").stdout
    plain = helr.run("test", "--source", "slack-audit")
    assert helr.run("test", "--source", "slack-audit", "--once").stdout == plain.stdout != ""


@pytest.mark.parametrize("args", [[], ["run", "--once"], ["state", "reset", "slack-audit"]])
@pytest.mark.parametrize("first", [True, False])
def test_a_dry_run_checks_the_config_and_does_nothing(
    helr: Helr, mock_slack: MockSlack, args: list[str], first: bool
) -> None:
    helr.slack(mock_slack.url)
    words = ["--dry-run", *args] if first else [*args, "--dry-run"]
    result = helr.run(*words)
    assert (result.returncode, result.stdout) == (0, "")
    assert "helr.yaml: valid, 1 source; dry run of" in result.stderr
    assert not mock_slack.requests
    assert not (helr.cwd / "helr-state.db").exists()
    helr.slack(mock_slack.url, shedule={})  # codespell:ignore
    result = helr.run(*words)
    assert (result.returncode, result.stdout) == (2, "")
    assert "did you mean schedule?" in result.stderr


def test_a_source_or_config_named_like_a_command(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url, name="test").rename(helr.cwd / "run")
        for args in (["--source", "test", "--once"], ["--once", "--source", "test"]):
            result = helr.run("-c", "run", *args)
            assert result.returncode == 0, result.stderr
            assert len(ids(result.stdout)) == 3


def test_v_never_logs_less_nor_q_more(helr: Helr, mock_slack: MockSlack) -> None:
    helr.slack(mock_slack.url, incremental_from=INCREMENTAL)
    (helr.cwd / "helr.yaml").rename(helr.cwd / "c.yaml")

    def said(level: str, *flags: str) -> int:
        helr.run("-cc.yaml", "state", "reset", "slack-audit")
        result = helr.run("-cc.yaml", *flags, "run", "--once", env={"HELR_LOG_LEVEL": level})
        assert result.returncode == 0
        return len(result.stderr.splitlines())

    assert said("trace", "-v") == said("trace") > said("info", "-v") > said("info") > 0
    assert said("error", "-q") == said("info", "-q") == 0


def test_a_run_warns_once_about_a_new_config_that_misses_events(
    helr: Helr, mock_slack: MockSlack
) -> None:
    helr.slack(mock_slack.url, pagination=None)
    first, second = (helr.run("run", "--once").stderr for _ in range(2))
    assert "sources.slack-audit.pagination: one page per poll: Slack has more" in first
    assert "one page per poll" not in second
    helr.slack(mock_slack.url, pagination=PAGING | {"cursor_path": "response_metadata.next"})
    assert "the events after it would never be fetched" in helr.run("run", "--once").stderr
    told = helr.run("test", "--source", "slack-audit").stderr
    assert "next page:   no, though this one is full" in told


def test_a_poll_does_not_wait_for_its_own_pace_past_its_time(helr: Helr) -> None:
    pace = {"max_requests_per_second": 0.001, "burst_size": 1}
    limits = {"rate_limit": pace, "timeouts": {"poll_tick_secs": 5}}
    with MockSlack(events=300) as mock:
        helr.slack(mock.url, resilience=limits)
        result = helr.run("run", "--once", timeout=20)
        assert result.returncode == 0
        assert "more in the next poll" in result.stderr
        assert len(ids(result.stdout)) == 200


def test_output_of_a_command_that_cannot_be_written_is_reported(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9")
    for args in (["validate"], ["state", "export"]):
        result = closed(helr, ">/dev/full", *args)
        assert result.returncode == 4
        assert "No space left on device" in result.stderr


def test_state_without_an_action_lists_the_actions(helr: Helr) -> None:
    for words in (["state"], ["-q", "state"], ["state", "-c", "missing.yaml"]):
        done = helr.run(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == helr.run("state", "--help").stdout


def test_a_source_that_works_again_is_reported(helr: Helr) -> None:
    with MockSlack(events=5) as mock:
        retries = {"max_attempts": 1}
        configure(helr, mock.url, resilience={"retries": retries})
        process = helr.start("run", stdout=subprocess.DEVNULL)
        log = follow(process.stderr)
        log.wait_for("5 delivered")
        mock.settings.token = "another"
        log.wait_for("HTTP 401", 2)
        mock.settings.token = mock.token
        log.wait_for("works again")
        process.terminate()
        assert ended(process, 5) == 0
    text = log.end().decode()
    failed = text.count("HTTP 401")
    again = re.findall(r" INFO  slack-audit: works again after (\d+) failed polls in \S+ s\n", text)
    assert again == [str(failed)]
