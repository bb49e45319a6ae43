"""One helr at a time for a source and for an output file, and no more than that."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from mock_server import MockSlack
from tests.command.support import careful, configure, ended, follow, ids
from tests.conftest import Helr
from tests.support import until

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=20) as mock:
        yield mock


def test_a_second_helr_is_told_who_holds_the_source(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    first = helr.start("run")
    follow(first.stdout)
    until(lambda: mock.requests)
    for args in (["run", "--once"], ["run", "--once", "-o", "out"], ["run"]):
        second = helr.run(*args, timeout=10)
        assert second.returncode == 3
        [line] = second.stderr.splitlines()
        assert f"source slack-audit: locked by another helr (process {first.pid})" in line
        assert second.stdout == ""
    first.send_signal(signal.SIGTERM)
    assert ended(first, 3) == 0
    assert helr.run("run", "--once").returncode == 0


def test_a_killed_holder_holds_nothing(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    first = helr.start("run")
    until(lambda: mock.requests)
    first.kill()
    first.wait()
    assert helr.run("run", "--once").returncode == 0


def test_the_same_state_by_another_name_is_the_same(helr: Helr, mock: MockSlack) -> None:
    os.symlink(helr.cwd, helr.cwd / "link")
    helr.config(sources={"a": careful(mock.url)})
    helr.config(
        "other.yaml",
        sources={"a": careful(mock.url)},
        **{"global": {"state": {"path": "link/helr-state.db"}}},
    )
    first = helr.start("run")
    until(lambda: mock.requests)
    assert helr.run("-c", "other.yaml", "run", "--once").returncode == 3
    first.kill()
    first.wait()


def test_what_only_looks_needs_no_lock(helr: Helr, mock: MockSlack) -> None:
    configure(helr, mock.url)
    first = helr.start("run")
    reader = follow(first.stdout)
    until(lambda: reader.data.count(b"\n") == 20)
    for args in (
        ["validate"],
        ["test", "--source", "slack-audit"],
        ["state", "show", "slack-audit"],
        ["state", "export"],
    ):
        result = helr.run(*args)
        assert result.returncode == 0, result.stderr
    assert helr.run("state", "reset", "slack-audit").returncode == 3
    first.kill()
    first.wait()


def test_two_helrs_with_a_source_each_share_a_state_file(helr: Helr) -> None:
    with MockSlack(events=300, seed=1) as one, MockSlack(events=300, seed=2) as two:
        helr.config(
            sources={
                "a": careful(one.url, query_params={"limit": 20}),
                "b": careful(two.url, query_params={"limit": 20}),
            }
        )
        running = {name: helr.start("run", "--source", name) for name in "ab"}
        readers = {name: follow(process.stdout) for name, process in running.items()}
        logs = {name: follow(process.stderr) for name, process in running.items()}
        mocks = {"a": one, "b": two}
        for _ in range(5):
            one.add_events(30)
            two.add_events(30)
            for name in "ab":
                until(
                    lambda n=name: (  # type: ignore[misc]
                        readers[n].data.count(b"\n") >= len(mocks[n].ids())
                    )
                )
        for name, process in running.items():
            process.send_signal(signal.SIGTERM)
            assert ended(process, 3) == 0
            assert Counter(ids(readers[name].end())) == Counter(mocks[name].ids())
            assert b"ERROR" not in logs[name].end()
        both = helr.run("run", "--once")
        assert (both.returncode, both.stdout) == (0, "")


def test_an_output_file_has_one_writer(helr: Helr, mock: MockSlack) -> None:
    helr.config(sources={"a": careful(mock.url), "b": careful(mock.url)})
    first = helr.start("run", "--source", "a", "-o", "out")
    until(lambda: mock.requests)
    second = helr.run("run", "--once", "--source", "b", "-o", "./out")
    assert second.returncode == 3
    assert f"out: locked by another helr (process {first.pid})" in second.stderr
    assert second.stderr.endswith(
        "only one helr at a time writes a file; wait until it ends, or stop it\n"
    )
    assert helr.run("run", "--once", "--source", "b", "-o", "other").returncode == 0
    first.kill()
    first.wait()
