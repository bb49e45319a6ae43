"""No memory, no thread, no descriptor: a line with advice and a status, and no event is lost."""

from __future__ import annotations

import json
import resource
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from mock_server import MockSlack
from tests.command.support import careful, ids
from tests.conftest import Helr

pytestmark = pytest.mark.unmeasured

# Steps through what a start, a poll and a page need; below the least, Python itself does not start.
LIMITS = [
    *((resource.RLIMIT_AS, size * 10**6) for size in (40, 70, 90, 100, 110, 120, 140, 160)),
    *((resource.RLIMIT_NOFILE, number) for number in range(5, 13)),
]
NO_THREAD = """
import threading
left = {count}
start = threading.Thread.start
def limited(self):
    global left
    left -= 1
    if left < 0:
        raise RuntimeError("can't start new thread")
    start(self)
threading.Thread.start = limited
"""


def check(helr: Helr, mock: MockSlack, done: subprocess.CompletedProcess[str]) -> None:
    """One line says what is lacking; the next run brings what this one did not."""
    assert done.returncode in (0, 1, 5), done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    told = [
        line for line in done.stderr.splitlines() if " INFO " not in line and "DEBUG" not in line
    ]
    assert len(told) <= 2, done.stderr  # a source's, and helr's own
    if done.returncode:
        words = ("not enough memory", "unable to open", "no thread can be started", "oo many")
        assert any(word in line for line in told for word in words), done.stderr
    for line in done.stdout.split("\n")[:-1]:
        json.loads(line)
    assert done.stdout.endswith("\n") or not done.stdout
    came = ids(done.stdout) + ids(helr.run("-q", "run", "--once").stdout)
    assert Counter(came).keys() == set(mock.ids())


@pytest.mark.parametrize(("kind", "limit"), LIMITS)
def test_the_system_gives_no_more(helr: Helr, kind: int, limit: int) -> None:
    with MockSlack(events=2000) as mock:
        source = careful(mock.url, resilience={"retries": {"max_attempts": 1}})
        helr.config(sources={"slack-audit": source | {"query_params": {"limit": 1000}}})
        done = helr.run(
            "run", "--once", preexec_fn=lambda: resource.setrlimit(kind, (limit, limit))
        )
        check(helr, mock, done)


@pytest.mark.parametrize("count", range(7))
def test_there_is_no_thread_to_be_had(helr: Helr, tmp_path: Path, count: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_THREAD.format(count=count))
    with MockSlack(events=20) as mock:
        helr.config(
            **{"global": {"output": {"settle_secs": 0.1}}},
            sources={"slack-audit": careful(mock.url)},
        )
        done = helr.run("run", "--once", env={"PYTHONPATH": str(tmp_path)})
        assert (done.returncode == 5) == (count < 4), done.stderr
        check(helr, mock, done)
