"""The command line: where options stand, what is no command, closed standard descriptors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mock_server import MockSlack
from tests.command.test_ground import ids
from tests.conftest import Helr


def closed(helr: Helr, redirect: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run in a shell that closes a descriptor."""
    command = " ".join([sys.executable, "-m", "helr", *args, redirect])
    return subprocess.run(
        command, shell=True, cwd=helr.cwd, env=helr.environment(),
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


@pytest.mark.parametrize(
    "args", [["validate"], ["test", "--source", "slack-audit"], ["state", "export"], ["status"]]
)
def test_a_closed_standard_output_is_told(helr: Helr, args: list[str]) -> None:
    helr.slack("http://127.0.0.1:9")
    result = closed(helr, ">&-", *args)
    assert result.returncode == 2
    assert "standard output is closed" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_closed_standard_input_is_told(helr: Helr) -> None:
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


@pytest.mark.parametrize("command", ["exprot", "rnu"])
def test_a_word_that_is_no_command(helr: Helr, command: str) -> None:
    result = helr.run(command)
    assert result.returncode == 2
    assert "choose from" in result.stderr
    assert "validate" in result.stderr


def test_a_source_or_config_named_like_a_command(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url, name="test").rename(helr.cwd / "run")
        for args in (["--source", "test", "--once"], ["--once", "--source", "test"]):
            result = helr.run("-c", "run", *args)
            assert result.returncode == 0, result.stderr
            assert len(ids(result.stdout)) == 3


def test_what_a_command_prints_and_cannot_be_written_is_told(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9")
    for args in (["validate"], ["state", "export"]):
        result = closed(helr, ">/dev/full", *args)
        assert result.returncode == 4
        assert "No space left on device" in result.stderr
