"""docs/slack.md does what it says: its commands, run in order against the mock."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from helr import vendors
from mock_server import MockSlack
from tests.conftest import ROOT, Helr

PAGE = (ROOT / "docs" / "slack.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


class Reader:
    """Follows the page: one command after the other, in one directory and environment."""

    def __init__(self, helr: Helr, mock: MockSlack) -> None:
        self.cwd, self.mock = helr.cwd, mock
        tools = self.cwd / "bin"
        tools.mkdir()
        command = tools / "helr"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m helr "$@"\n')
        command.chmod(0o755)
        self.env = {**helr.environment(), "PATH": f"{tools}:{os.environ['PATH']}"}
        self.env.pop("SLACK_AUDIT_TOKEN")

    def follow(self, line: str) -> str:
        """Run one line of the page; its standard output."""
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.env[name] = value.replace("xoxp-...", "xoxp-mock")
            return ""
        if line.startswith("cd "):
            self.cwd /= line.removeprefix("cd ")
            return ""
        if line == "helr run":
            return self.run_for_a_while()
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.cwd,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if line == "helr init":
            self.turn_to_the_mock()
        return done.stdout

    def turn_to_the_mock(self) -> None:
        path = self.cwd / "helr.yaml"
        text = path.read_text().replace("https://api.slack.com", self.mock.url)
        path.write_text(text.replace("page_delay_secs: 2", "page_delay_secs: 0"))

    def run_for_a_while(self) -> str:
        with subprocess.Popen(
            ["sh", "-c", "exec helr run"],
            cwd=self.cwd,
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            first = process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read()
            assert process.wait(10) == 0
        return first + rest


@pytest.fixture
def came(helr: Helr) -> list[tuple[str, str]]:
    """Each command of the page, with its standard output."""
    with MockSlack(events=300) as mock:
        reader = Reader(helr, mock)
        found = []
        for line in COMMANDS:
            if line in ("helr run --once", "helr run"):
                mock.add_events(7)
            found.append((line, reader.follow(line)))
    return found


@pytest.mark.unmeasured
def test_its_commands_do_what_it_says(came: list[tuple[str, str]]) -> None:
    output: dict[str, str] = {}
    for line, text in came:
        output.setdefault(line, text)
    assert "slack-audit: GET http://127.0.0.1" in output["helr validate"]
    for line in ("helr test --source slack-audit", "helr run --once", "helr run"):
        events = [json.loads(event) for event in output[line].split("\n")[:-1]]
        assert events, line
        assert all(event["source"] == "slack-audit" for event in events)
    assert output["date -u -d 2024-01-01 +%s"] == "1704067200\n"
    assert "1704067200" in output["helr state show slack-audit"]
    recorded = output["helr run --once --record-dir ./recordings"]
    assert recorded
    assert output["helr run --once --replay-dir ./recordings"] == recorded
    assert "xoxp-mock" not in "".join(output.values())


def test_it_covers_every_command_it_should() -> None:
    for part in ("init", "validate", "test", "run --once", "run", "state set", "--replay-dir"):
        assert any(part in line for line in COMMANDS), part


def test_troubleshooting_knows_the_errors_that_helr_gives_advice_on() -> None:
    table = PAGE.partition("## Troubleshooting")[2].partition("## Quick reference")[0]
    vendor = vendors.find("https://api.slack.com/audit/v1/logs")
    assert vendor
    first_cells = "".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE))
    errors = set(re.findall(r"`([a-z]+_[a-z_]+)`", first_cells))
    assert len(errors) >= 7
    assert errors <= set(vendor["errors"])


def test_links_lead_to_files() -> None:
    for target in re.findall(r"\]\((\w+\.md)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_the_table_of_first_runs_is_right() -> None:
    rows = re.findall(r"^\| (\d+) million \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    units = {"minute": 1, "hour": 60, "day": 1440}
    for millions, *cells in rows:
        for limit, cell in zip((200, 1000, 9999), cells, strict=True):
            number, unit = cell.split()
            minutes = int(number) * units[unit.rstrip("s")]
            exact = int(millions) * 1_000_000 / (limit * 40)
            assert abs(minutes - exact) / exact < 0.25, (millions, limit, cell, exact)
