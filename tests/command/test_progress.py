"""The live line of `helr run --once`: on a terminal only, above it whole log lines, then a summary.

A terminal is a pty here, and what a person would see is worked out from the bytes it was sent.
"""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from mock_server import MockSlack
from tests.conftest import Helr, slack_source
from tests.support import INCREMENTAL

BASE = 1_700_000_000
LIVE = re.compile(r"\d+ pages?, [\d,]+ events.* in [\d.]+ s, [\d,]+/s")
LOG = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z]+ +\S.*")


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=1000, base_time=BASE) as mock:
        mock.settings.latency_ms = 300
        yield mock


class Terminal:
    """Runs helr with standard error on a terminal of its own."""

    def __init__(self, helr: Helr, *args: str, term: str = "xterm", **options: Any) -> None:
        self.master, slave = pty.openpty()
        self.sent = b""
        options.setdefault("stdout", subprocess.DEVNULL)
        if options["stdout"] == "terminal":
            options["stdout"] = slave
        env = {"TERM": term, "NO_COLOR": "1"}
        self.process = helr.start("run", *args, env=env, stderr=slave, **options)
        os.close(slave)

    def read_until(self, pattern: str) -> None:
        while not re.search(pattern.encode(), self.sent):
            self.sent += os.read(self.master, 4096)

    def end(self) -> list[str]:
        """The lines on the screen in the end."""
        while True:
            try:
                data = os.read(self.master, 4096)
            except OSError:  # EIO: nobody has the other side open any more
                break
            if not data:
                break
            self.sent += data
        os.close(self.master)
        self.process.wait(10)
        return screen(self.sent.decode())


def screen(sent: str) -> list[str]:
    """What is seen after CR, LF and "erase to the end of the line"."""
    lines, column = [""], 0
    for part in re.findall(r"\x1b\[K|\r|\n|[^\x1b\r\n]+", sent):
        if part == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif part == "\r":
            column = 0
        elif part == "\n":
            lines.append("")
        else:
            lines[-1] = lines[-1][:column] + part + lines[-1][column + len(part) :]
            column += len(part)
    return lines


def drawn(sent: bytes) -> list[str]:
    """Each text that was drawn as the live line."""
    return [text for text in re.findall(r"\r\x1b\[K([^\r\n\x1b]*)", sent.decode()) if text]


def test_it_tells_pages_events_rate_and_how_far_back(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url, incremental_from=INCREMENTAL)
    terminal = Terminal(helr, "--once", "-o", "f")
    seen = terminal.end()
    assert terminal.process.returncode == 0
    texts = drawn(terminal.sent)
    assert any(
        re.match(r"[1-4] pages?, [2-8]00 events in .* s, .*/s, back to 2023-", text)
        for text in texts
    )
    assert LIVE.match(seen[-2])
    assert seen[-2].startswith("5 pages, 1,000 events in ")
    assert seen[-1] == ""
    for line in seen[:-2]:
        assert LOG.fullmatch(line), seen


@pytest.mark.unmeasured
def test_log_lines_stand_above_it_whole_and_waits_count_down(helr: Helr, mock: MockSlack) -> None:
    mock.settings.retry_after = 3
    mock.fault("rate_limited@3")
    helr.slack(mock.url)
    terminal = Terminal(helr, "--once", "-o", "f")
    seen = terminal.end()
    assert terminal.process.returncode == 0
    waits = re.findall(r", waiting (\d) s", "\n".join(drawn(terminal.sent)))
    assert {"3", "2"} <= set(waits)
    assert waits == sorted(waits, reverse=True)
    assert any("waiting 3.0 s" in line and "Retry-After" in line for line in seen), seen
    for line in seen[:-2]:
        assert LOG.fullmatch(line), seen
    assert LIVE.match(seen[-2])


def test_all_sources_together(helr: Helr, mock: MockSlack) -> None:
    helr.config(sources={name: slack_source(mock.url) for name in "ab"})
    seen = Terminal(helr, "--once", "-o", "f").end()
    assert seen[-2].startswith("10 pages, 2,000 events in ")


@pytest.mark.unmeasured
def test_repeats_are_told_apart(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url, dedupe={"id_path": "id"})
    assert helr.run("run", "--once", "-o", "f").returncode == 0
    mock.add_events(3)
    assert "6 pages, 1,003 events (3 new) in" in Terminal(helr, "--once", "-o", "f").end()[-2]


@pytest.mark.unmeasured
def test_a_failure_and_a_stop_leave_a_clean_screen(helr: Helr, mock: MockSlack) -> None:
    mock.fault("missing_authentication@4+")
    helr.slack(mock.url)
    terminal = Terminal(helr, "--once", "-o", "f")
    seen = terminal.end()
    assert terminal.process.returncode == 1
    assert seen[-2].startswith("3 pages, 600 events in ")
    mock.clear_faults()
    terminal = Terminal(helr, "--once", "-o", "f")
    terminal.read_until("1 page, ")
    terminal.process.send_signal(signal.SIGTERM)
    seen = terminal.end()
    assert terminal.process.returncode == 128 + signal.SIGTERM
    assert all(LOG.fullmatch(line) or LIVE.match(line) for line in seen[:-1]), seen


@pytest.mark.unmeasured
@pytest.mark.parametrize(
    ("args", "options", "why"),
    [
        (["--once", "-q", "-o", "f"], {}, "-q"),
        (["--once"], {"stdout": "terminal"}, "the events are on the terminal"),
        (["--once"], {"stdout": subprocess.PIPE}, "the pipe's reader may write to the terminal"),
        (["--once", "-o", "f"], {"term": "dumb"}, "the terminal cannot erase"),
    ],
)
def test_no_live_line_where_it_would_disturb(
    helr: Helr, mock: MockSlack, args: list[str], options: dict[str, Any], why: str
) -> None:
    mock.settings.latency_ms = 200
    helr.slack(mock.url)
    terminal = Terminal(helr, *args, **options)
    if terminal.process.stdout:
        terminal.process.stdout.read()
        terminal.process.stdout.close()
    terminal.end()
    assert terminal.process.returncode == 0
    assert b"\x1b[K" not in terminal.sent, why
    assert b" events in " not in terminal.sent, why


def test_nothing_of_it_in_a_pipe_or_a_log_file(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url)
    done = helr.run("run", "--once", "-o", "f", env={"TERM": "xterm"})
    assert done.returncode == 0
    assert "\r" not in done.stderr
    assert all(LOG.fullmatch(line) for line in done.stderr.splitlines())


def test_standard_output_into_a_file_is_out_of_the_way(helr: Helr, mock: MockSlack) -> None:
    helr.slack(mock.url)
    with open(helr.cwd / "f", "wb") as file:
        terminal = Terminal(helr, "--once", stdout=file)
        seen = terminal.end()
    assert drawn(terminal.sent)
    assert seen[-2].startswith("5 pages, 1,000 events in ")
    assert len((helr.cwd / "f").read_bytes().splitlines()) == 1000
