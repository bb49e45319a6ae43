"""The files that helr makes: whose they are, whatever the umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server import MockSlack
from tests.command.support import careful, ended
from tests.conftest import Helr
from tests.support import until

pytestmark = pytest.mark.unmeasured


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=3) as mock:
        yield mock


def modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode)
        for path in folder.rglob("*")
        if path.name != "helr.yaml"
    }


def test_modes_with_no_umask(helr: Helr, mock: MockSlack) -> None:
    """Every file and directory that helr makes, however it is told to run."""
    helr.config(sources={"a": careful(mock.url)})
    rotated = ("-o", "out", "--output-rotate", "size:0.0001")
    for args in ((), ("--record-dir", "rec/x/y"), rotated):
        mock.add_events(3)
        assert helr.run("run", "--once", *args, umask=0).returncode == 0
    process = helr.start("run", "-o", "other", umask=0)
    until(lambda: (helr.cwd / "other").exists() and (helr.cwd / "helr-state.db-shm").exists())
    found = modes(helr.cwd)
    process.terminate()
    assert ended(process, 3) == 0
    outputs = {name for name in found if name.startswith(("out", "other"))}
    assert {name: oct(found[name]) for name in outputs} == dict.fromkeys(outputs, oct(0o640))
    folders = {name for name in found if (helr.cwd / name).is_dir()}
    assert folders == {"rec", "rec/x", "rec/x/y", "rec/x/y/a"}
    assert {found[name] for name in folders} == {0o700}
    others = {name: oct(mode) for name, mode in found.items() if name not in outputs | folders}
    assert others == dict.fromkeys(others, oct(0o600))
    assert {"helr-state.db", "helr-state.db-wal", "helr-state.db-shm"} < set(others)
    assert {"helr-state.db.a.lock", "helr-state.db.checked", "rec/x/y/a/000.json"} < set(others)


def test_the_config_that_init_writes(helr: Helr) -> None:
    assert helr.run("init", umask=0).returncode == 0
    assert stat.S_IMODE((helr.cwd / "helr.yaml").stat().st_mode) == 0o644
    os.symlink("elsewhere", helr.cwd / "link.yaml")
    assert helr.run("-c", "link.yaml", "init").returncode == 2
    assert not (helr.cwd / "elsewhere").exists()


def test_a_state_behind_a_link_to_nothing(helr: Helr, mock: MockSlack) -> None:
    helr.config(sources={"a": careful(mock.url)})
    os.symlink("elsewhere.db", helr.cwd / "helr-state.db")
    assert helr.run("run", "--once", umask=0).returncode == 0
    assert stat.S_IMODE((helr.cwd / "elsewhere.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["dangling link", "directory", "FIFO"])
def test_something_else_in_place_of_a_lock(helr: Helr, mock: MockSlack, kind: str) -> None:
    helr.config(sources={"a": careful(mock.url)})
    lock, victim = helr.cwd / "helr-state.db.a.lock", helr.cwd / "victim"
    if kind.endswith("link"):
        lock.symlink_to(victim)
    elif kind == "directory":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    done = helr.run("run", "--once")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"lock file {lock}: " in line
    assert line.endswith("remove it")
    assert not victim.exists()
    assert mock.requests == []
