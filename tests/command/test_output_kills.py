"""A kill between any two lines of the output's code: each line of a file exactly once."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import pytest

from helr import output, state
from helr.output import file, rotation
from helr.output.file import FileOutput
from helr.output.rotation import Rotation
from helr.pytest_plugin import FakeClock
from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore
from tests.unit.output.support import PAGE, Batch, Files, Lanes, batch, collect, in_child

pytestmark = pytest.mark.unmeasured

OUTPUT = str(Path(output.__file__).parent)
STATE = str(Path(state.__file__).parent)


class Killer:
    """Traces the lines of code of these files and folders; the n-th is never run."""

    def __init__(self, at: int, *places: str) -> None:
        self.left, self.places = at, places

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self.places):
            return None
        self.left -= event == "line"
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self


def test_at_any_line_of_an_append(tmp_path: Path) -> None:
    kills = 0
    for number in range(1, 2000):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = Files(folder)

        def life(files: Files = files, number: int = number) -> None:
            output, _store = files.start()
            output.deliver(batch(0))
            sys.settrace(Killer(number, OUTPUT, STATE))
            output.deliver(batch(1))
            sys.settrace(None)

        status = in_child(life)
        if status == 0:
            break
        assert status == -signal.SIGKILL
        kills += 1
        before = files.out.read_bytes()
        output, store = files.start()
        assert files.out.read_bytes().startswith(before)
        collect(output, store)
        files.end()
        assert files.lines() == [line for page in PAGE for line in page], number
    assert kills > 60


def test_at_any_line_of_the_next_start(tmp_path: Path) -> None:
    """The first kill left a step that was committed, with nothing of it appended."""
    for number in range(1, 500, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = Files(folder)

        def first(files: Files = files) -> None:
            output, _store = files.start()
            output.deliver(batch(0))
            output.output._write = lambda step: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[attr-defined]
            output.deliver(batch(1))

        def second(files: Files = files, number: int = number) -> None:
            sys.settrace(Killer(number, OUTPUT, STATE))
            files.start()
            sys.settrace(None)

        assert in_child(first) == -signal.SIGKILL
        status = in_child(second)
        assert status in (0, -signal.SIGKILL)
        output, store = files.start()
        collect(output, store)
        files.end()
        assert files.lines() == [line for page in PAGE for line in page], number
        if status == 0:
            return
    raise AssertionError("the second start never came to its end")


def rotate_all(folder: Path, kill_at: int) -> None:
    """Deliver what the state says is missing of 1 to 3; killed at that line of code from 2 on."""
    with closing(SqliteStore(str(folder / "state.db"))) as store:
        made = FileOutput(str(folder / "f"), store, FakeClock(), Rotation(4, keep=9))
        output = Lanes(made, store)
        for number in range(int(store.source("s").load().values.get("cursor", "0")) + 1, 4):
            if number == 2 and kill_at:
                sys.settrace(Killer(kill_at, file.__file__, rotation.__file__))
            checkpoint = Checkpoint(values={"cursor": str(number)})
            output.deliver(Batch("s", [b"%d\n" % number], checkpoint))
        sys.settrace(None)


def test_at_any_line_of_a_rotation(tmp_path: Path) -> None:
    shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    for at in range(1, 10_000):
        with TemporaryDirectory(dir=shm) as name:
            folder = Path(name)
            status = in_child(lambda folder=folder, at=at: rotate_all(folder, at))
            assert status in (0, -signal.SIGKILL)
            assert in_child(lambda folder=folder: rotate_all(folder, 0)) == 0
            files = sorted(folder.glob("f.*"), key=lambda path: (len(path.name), path.name))
            lines = "".join(path.read_text() for path in [*files, folder / "f"])
        assert lines == "1\n2\n3\n", f"killed at the {at}th line"
        if status == 0:
            break
    assert at > 60
    assert len(files) == 1
