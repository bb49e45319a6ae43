"""`--output-rotate`, `--output-keep`: names, what is deleted, and each line exactly once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from helr.errors import LockedError, StateError
from helr.output import file
from helr.output.file import FileOutput
from helr.output.rotation import Rotation
from helr.pytest_plugin import FakeClock
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint, Step
from helr.state.sqlite import SqliteStore
from tests.unit.output.support import Batch, Lanes, in_child

pytestmark = pytest.mark.unmeasured

DAY = 86_400
NOW = 1_700_000_000.0  # 2023-11-14


def batch(number: int) -> Batch:
    return Batch("s", [b"%d\n" % number], Checkpoint(values={"cursor": str(number)}))


class Written:
    """An output file in a directory, and the state beside it."""

    def __init__(self, folder: Path, rotation: Rotation | None) -> None:
        self.path = folder / "events.ndjson"
        self.rotation = rotation
        self.clock = FakeClock(NOW)
        self.store = SqliteStore(str(folder / "state.db"))
        self.output = self.open()

    def open(self) -> Lanes:
        return Lanes(FileOutput(str(self.path), self.store, self.clock, self.rotation), self.store)

    def deliver(self, *numbers: int) -> None:
        for number in numbers:
            self.output.deliver(batch(number))
            os.utime(self.path, (self.clock.time, self.clock.time))

    def files(self) -> dict[str, str]:
        """The text of each output file, by what follows its name."""
        found = self.path.parent.glob(self.path.name + "*")
        return {each.name[len(self.path.name) :]: each.read_text() for each in sorted(found)}


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[Rotation | None], Written]]:
    opened: list[Written] = []

    def make(rotation: Rotation | None) -> Written:
        opened.append(Written(tmp_path, rotation))
        return opened[-1]

    yield make
    for each in opened:
        each.store.close()


# -- names


def test_daily_begins_a_file_with_the_first_lines_of_a_day(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(None))
    files.deliver(1, 2)
    files.clock.time += DAY
    files.deliver(3)
    files.clock.time += 2 * DAY
    files.deliver(4)
    assert files.files() == {"": "4\n", ".2023-11-14": "1\n2\n", ".2023-11-15": "3\n"}


def test_a_file_of_an_earlier_day_is_rotated_by_the_next_start(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(None))
    files.deliver(1)
    files.clock.time += DAY
    files.output = files.open()
    files.deliver(2)
    assert files.files() == {"": "2\n", ".2023-11-14": "1\n"}


def test_size_counts_before_writing_and_splits_no_step(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(4))
    files.deliver(1, 2, 3)
    files.output.deliver(Batch("s", [b"a\n", b"b\n", b"c\n"], Checkpoint()))
    os.utime(files.path, (NOW, NOW))
    files.deliver(4)
    assert files.files() == {
        "": "4\n",
        ".2023-11-14": "1\n2\n",
        ".2023-11-14.1": "3\n",
        ".2023-11-14.2": "a\nb\nc\n",
    }


def test_an_empty_file_and_an_empty_page_rotate_nothing(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(None))
    files.clock.time += DAY
    files.deliver(1)
    files.clock.time += DAY
    files.output.deliver(Batch("s", [], Checkpoint(values={"cursor": "x"})))
    files.output.deliver(Batch("s", [b""], Checkpoint(values={"cursor": "y"})))
    assert files.files() == {"": "1\n"}
    assert files.store.source("s").load().values == {"cursor": "y"}


def test_no_name_is_used_twice_though_its_file_is_compressed_moved_or_gone(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(2))
    files.deliver(1, 2)
    os.rename(f"{files.path}.2023-11-14", f"{files.path}.2023-11-14.gz")
    files.deliver(3)
    os.unlink(f"{files.path}.2023-11-14.1")
    files.output = files.open()
    files.deliver(4)
    assert sorted(files.files()) == ["", ".2023-11-14.2", ".2023-11-14.gz"]


def test_nothing_of_anybody_else_is_overwritten_or_deleted(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(2, keep=1))
    others = [".2023-11-14.gz", ".2023-11-13.gz", ".1", ".bak", ".2023-11-14x", ".2023-11-1"]
    for other in others:
        Path(f"{files.path}{other}").write_text("theirs")
    Path(f"{files.path}.2023-01-01").mkdir()
    files.deliver(1, 2)
    for other in others:
        assert Path(f"{files.path}{other}").read_text() == "theirs"
    assert Path(f"{files.path}.2023-11-14.1").read_text() == "1\n"


def test_keep_deletes_the_oldest_in_the_order_of_their_numbers(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(2, keep=2))
    files.deliver(*range(14))
    assert files.files() == {"": "13\n", ".2023-11-14.11": "11\n", ".2023-11-14.12": "12\n"}
    files.clock.time += DAY
    files.deliver(14, 15)
    assert list(files.files()) == ["", ".2023-11-14.13", ".2023-11-15"]


@pytest.mark.parametrize("memory", [False, True])
def test_keep_goes_by_the_order_of_rotation_though_the_clock_was_wrong(
    tmp_path: Path, memory: bool
) -> None:
    """Days are only names: the newest files stay, also across restarts where the state is kept."""
    path = tmp_path / "f"
    store: Any = MemoryStore() if memory else SqliteStore(str(tmp_path / "state.db"))
    clock = FakeClock(NOW)
    output = Lanes(FileOutput(str(path), store, clock, Rotation(2, keep=2)), store)
    for number, day in enumerate([0, 4000, 4000, 4000, 0, 1, -300, 1, 0, 1, 2]):
        if not memory and number % 3 == 0:
            output.close()
            output = Lanes(FileOutput(str(path), store, clock, Rotation(2, keep=2)), store)
        output.deliver(batch(number))
        os.utime(path, (NOW + day * DAY,) * 2)
        texts = sorted(int(each.read_text()) for each in tmp_path.glob("f*"))
        assert texts == list(range(max(number - 2, 0), number + 1))
    output.close()
    store.close()


def test_keep_takes_files_that_the_state_does_not_know_for_older(
    written: Callable[[Rotation], Written],
) -> None:
    files = written(Rotation(2, keep=2))
    for old in (".2036-01-01", ".2036-01-01.1", ".2020-01-01"):
        Path(f"{files.path}{old}").write_text("old")
    files.deliver(1, 2)
    assert list(files.files()) == ["", ".2023-11-14", ".2036-01-01.1"]
    files.deliver(3, 4)
    assert list(files.files()) == ["", ".2023-11-14.1", ".2023-11-14.2"]


def test_what_helr_0_1_kept_of_a_rotation_is_understood(
    written: Callable[[Rotation], Written],
) -> None:
    """The path of the last rotated file alone: its name is not used again."""
    files = written(Rotation(2, keep=9))
    last = os.fsencode(f"{files.path}.2023-11-14.7")
    files.store.journal.commit(Step(f"{files.path}.*", 1, 2, 3, last))
    files.deliver(1, 2)
    assert list(files.files()) == ["", ".2023-11-14.8"]


# -- while it runs


def test_the_lock_follows_to_the_new_file(written: Callable[[Rotation], Written]) -> None:
    files = written(Rotation(2))
    before = os.stat(files.path).st_ino
    files.deliver(1, 2)
    assert os.stat(files.path).st_ino != before
    assert os.stat(f"{files.path}.2023-11-14").st_ino == before
    assert stat.S_IMODE(os.stat(files.path).st_mode) & 0o137 == 0
    assert in_child(lambda: _locked(files.path)) == 3


def _locked(path: Path) -> None:
    try:
        file.lock_file(os.open(path, os.O_WRONLY), "it", "writes")
    except LockedError:
        os._exit(3)


def test_a_file_that_cannot_be_renamed_goes_on(
    written: Callable[[Rotation], Written],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    files = written(Rotation(2))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    files.deliver(1, 2)
    assert files.files() == {"": "1\n2\n"}
    assert "cannot be rotated: Permission denied" in caplog.text
    monkeypatch.undo()
    files.deliver(3)
    assert "".join(reversed(files.files().values())) == "1\n2\n3\n"


def test_a_step_that_is_not_known_to_be_whole_holds_the_rotation_back(
    written: Callable[[Rotation], Written], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a kill after the rename would append the step again, to the new file."""
    files = written(Rotation(2))

    def full(*_: object) -> None:
        raise StateError("disk full")

    monkeypatch.setattr(files.store.journal, "finish", full)
    files.deliver(1)
    with pytest.raises(StateError):
        files.deliver(2)
    assert files.files() == {"": "1\n"}
    assert files.store.source("s").load().values == {"cursor": "1"}
    monkeypatch.undo()
    files.deliver(2)
    assert files.files() == {"": "2\n", ".2023-11-14": "1\n"}
