"""A source's lock: named after it, dropped with its process, and only ever on a file of its own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from helr.errors import LockedError, StateError, UnusableError
from helr.state.lock import lock_path, lock_source
from tests.unit.output.support import in_child

HELD = 42


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


def try_to_hold(state: str, source: str) -> None:
    try:
        lock_source(state, source)
    except LockedError as error:
        os._exit(HELD if f"process {os.getppid()})" in str(error) else 1)


def test_another_process_is_told_who_holds_it(state: str) -> None:
    fd = lock_source(state, "s")
    assert in_child(lambda: try_to_hold(state, "s")) == HELD
    assert in_child(lambda: try_to_hold(state, "other")) == 0
    assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
    os.close(fd)
    assert in_child(lambda: try_to_hold(state, "s")) == 0


def test_it_ends_with_its_process(state: str) -> None:
    assert in_child(lambda: lock_source(state, "s")) == 0
    os.close(lock_source(state, "s"))


def test_a_links_target_has_the_same_lock(state: str, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(state)
    assert lock_path(str(tmp_path / "link.db"), "s") == lock_path(state, "s")


def test_any_name_of_a_source_is_one_file_name(state: str) -> None:
    assert lock_path(state, "a-b_c.é1") == f"{os.path.realpath(state)}.a-b_c.é1.lock"
    assert lock_path(state, "../x %") == f"{os.path.realpath(state)}...%2fx%20%25.lock"
    assert len({lock_path(state, name) for name in ("a/b", "a%2fb", "a b", "ab")}) == 4


def test_what_is_not_a_file_of_its_own_is_refused(state: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    Path(lock_path(state, "link")).symlink_to(victim)
    Path(lock_path(state, "folder")).mkdir()
    os.mkfifo(lock_path(state, "fifo"))
    for name in ("link", "folder", "fifo", "x" * 300):
        with pytest.raises(UnusableError):
            lock_source(state, name)
    with pytest.raises(StateError):
        lock_source(str(tmp_path / "nowhere" / "state.db"), "s")
    assert victim.read_text() == "precious"
