"""Another program renames, compresses, deletes or truncates the output file at any moment."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.clock import Clock
from helr.errors import OutputGoneError, StateError
from helr.output import file
from helr.output.file import FileOutput
from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore
from tests.support import FULL, examples
from tests.unit.output.support import Batch, Lanes, in_child

pytestmark = pytest.mark.unmeasured

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
LINES = [[b"%d.%d\n" % (page, n) for n in range(3)] for page in range(3)]
ALL = Counter(line for page in LINES for line in page)

Act = Callable[[Path], None]


def rename(out: Path) -> None:
    out.rename(out.with_name("out.1"))


def create(out: Path) -> None:
    out.touch(mode=0o640)


def compress(out: Path) -> None:
    """What gzip reads of the renamed file; it is deleted later."""
    shutil.copyfile(out.with_name("out.1"), out.with_name("out.1.gz"))


def delete_renamed(out: Path) -> None:
    out.with_name("out.1").unlink()


def delete(out: Path) -> None:
    """What was in the file is kept under another name: to count it."""
    os.link(out, out.with_name("out.kept"))
    out.unlink()


def copy_and_truncate(out: Path) -> None:
    shutil.copyfile(out, out.with_name("out.1"))
    os.truncate(out, 0)


def nothing(_: Path) -> None:
    pass


# what happens one after the other, each at the next line of helr's code
ROTATIONS: dict[str, Sequence[Act]] = {
    "rename": [rename],
    "rename, create": [rename, create],
    "rename, create late": [rename, *[nothing] * 5, create],
    "compress at once": [rename, create, compress, delete_renamed],
    "compress slowly": [rename, create, compress, *[nothing] * 7, delete_renamed],
    "compress late": [rename, create, *[nothing] * 7, compress, *[nothing] * 7, delete_renamed],
    "delete": [delete],
    "delete, create": [delete, create],
    "copy and truncate": [copy_and_truncate],
}


class Disturber:
    """Does one thing after the other at lines of helr/output/file.py, from the n-th on, and
    kills the process at the line `kill_at`, if that is given."""

    def __init__(self, out: Path, acts: Sequence[Act], at: int, kill_at: int = 0) -> None:
        self._out, self._at, self._kill_at = out, at, kill_at
        self.left = list(acts)
        self.line = 0
        self.struck: list[set[str]] = []  # in which function, and what called it, each time

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename != file.__file__:
            return None
        if event == "line":
            self.line += 1
            if self.line >= self._at and self.left:
                act = self.left.pop(0)
                if act is not nothing and act is not create:
                    self.struck.append(_names(frame))
                act(self._out)
            if self.line == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def _names(frame: FrameType) -> set[str]:
    """The function, and the one that called it."""
    return {frame.f_code.co_name, frame.f_back.f_code.co_name if frame.f_back else ""}


def start(folder: Path) -> tuple[Lanes, SqliteStore]:
    store = SqliteStore(str(folder / "state.db"))
    return Lanes(FileOutput(str(folder / "out"), store, Clock()), store), store


def deliver(output: Lanes, page: int) -> None:
    output.deliver(Batch("s", LINES[page], Checkpoint(values={"cursor": str(page + 1)})))


def life(folder: Path, disturber: Disturber | None = None) -> None:
    """Deliver what the state says is missing; disturbed from the second page on."""
    output, store = start(folder)
    try:
        for page in range(int(store.source("s").load().values.get("cursor", "0")), len(LINES)):
            if page == 1:
                sys.settrace(disturber)
            deliver(output, page)
    finally:
        sys.settrace(None)
        output.close()
        store.close()


def came(folder: Path) -> Counter[bytes]:
    kept = [path for path in folder.glob("out*") if path.name != "out.1" or not gone(folder)]
    return Counter(line for path in kept for line in path.read_bytes().splitlines(keepends=True))


def gone(folder: Path) -> bool:
    """Whether the renamed file is being compressed: it is as good as deleted."""
    return (folder / "out.1.gz").exists()


@pytest.mark.parametrize("name", list(ROTATIONS))
def test_a_rotation_at_any_line_loses_nothing(name: str) -> None:
    for at in range(1, 1000, 1 if FULL else 5):
        with TemporaryDirectory(dir=MEMORY) as made:
            folder = Path(made)
            disturber = Disturber(folder / "out", ROTATIONS[name], at)
            life(folder, disturber)
            found = came(folder)
        assert set(found) == set(ALL), f"from line {at} on"
        if found != ALL:  # repeated: only when it struck between the two looks of an append
            slow = {"_record", "_sync", "_finish"}
            assert not disturber.struck[0] & slow, f"repeated from line {at} on"
            assert max(found.values()) == 2
        if disturber.left:
            break
    assert at > 50


@given(
    name=st.sampled_from(sorted(ROTATIONS)),
    at=st.integers(1, 70),
    more=st.integers(0, 40),
)
@examples(60)
def test_a_rotation_and_a_kill_lose_nothing(name: str, at: int, more: int) -> None:
    with TemporaryDirectory(dir=MEMORY) as made:
        folder = Path(made)
        disturber = Disturber(folder / "out", ROTATIONS[name], at, at + more)
        in_child(lambda: life(folder, disturber))
        if gone(folder):
            (folder / "out.1").unlink(missing_ok=True)
        life(folder)
        found = came(folder)
        assert set(found) == set(ALL)
        assert max(found.values()) <= 2


def test_a_path_that_is_always_moved_ends_helr_and_keeps_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, store = start(tmp_path)
    deliver(output, 0)
    monkeypatch.setattr(
        output.output, "_named", lambda: False
    )  # a file system without lasting inodes
    with pytest.raises(OutputGoneError, match="is moved away whenever helr writes to it"):
        deliver(output, 1)
    with pytest.raises(OutputGoneError):
        output.ready("other")
    output.close()
    store.close()
    life(tmp_path)
    assert came(tmp_path) == ALL


def test_a_state_that_fails_once_the_file_was_moved_away_keeps_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is recorded: another source's step may not take the place of this one."""
    output, store = start(tmp_path)
    deliver(output, 0)
    commit = store.commit_step

    def slow(*args: Any) -> None:
        if not args[1]:  # of no source
            raise StateError("the disk is full")
        commit(*args)
        (tmp_path / "out").rename(tmp_path / "out.1")

    monkeypatch.setattr(store, "commit_step", slow)
    with pytest.raises(OutputGoneError, match="the disk is full"):
        deliver(output, 1)
    with pytest.raises(OutputGoneError):
        output.ready("other")
    output.close()
    store.close()
    monkeypatch.undo()
    life(tmp_path)
    assert came(tmp_path) == ALL


def test_a_link_that_takes_the_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    output, store = start(tmp_path)
    deliver(output, 0)
    (tmp_path / "out").rename(tmp_path / "out.1")
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "out").symlink_to(tmp_path / "victim")
    with pytest.raises(OutputGoneError, match="remove the symbolic link that is there now"):
        deliver(output, 1)
    assert (tmp_path / "victim").read_text() == "precious"
    output.close()
    store.close()
