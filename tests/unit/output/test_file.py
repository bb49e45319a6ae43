"""A regular file: each line exactly once, whatever ends the process and wherever."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helr.clock import Clock
from helr.errors import LockedError, OutputGoneError, StateError, UnusableError
from helr.output.file import FileOutput, complete_others
from helr.state.memory import MemoryStore
from helr.state.sqlite import SqliteStore
from tests.unit.output.support import PAGE, PAGES, Files, Lanes, batch, collect, in_child


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path)
    yield made
    made.end()


def test_a_step_that_cannot_be_appended_is_completed_by_the_next_start(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, store = files.start()
    output.deliver(batch(0))
    write = os.write
    room = [30]  # bytes until the disk is full

    def full(fd: int, data: Any) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = write(fd, bytes(data)[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(
        OutputGoneError, match=r"No space left on device; .* next start; free space on its disk"
    ):
        output.deliver(batch(1))
    with pytest.raises(OutputGoneError):  # another source must not append behind the torn line
        output.deliver(batch(0, "other"))
    with pytest.raises(OutputGoneError):
        output.ready("other")
    monkeypatch.undo()
    assert store.source("other").load().values == {}
    files.end()
    output, store = files.start()
    collect(output, store)
    assert files.lines() == [line for page in PAGE for line in page]


def test_a_state_that_cannot_be_written_leaves_the_file_alone(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, store = files.start()
    output.deliver(batch(0))

    def broken(*_: Any) -> None:
        raise StateError("the disk is full")

    monkeypatch.setattr(store, "commit_step", broken)
    for _ in range(2):
        with pytest.raises(StateError):
            output.deliver(batch(1))
    assert files.lines() == PAGE[0]
    monkeypatch.undo()
    output.deliver(batch(1))
    assert files.lines() == PAGE[0] + PAGE[1]


@pytest.mark.parametrize("theirs", [b"", b"theirs\n"])
def test_a_lost_note_that_a_step_is_whole_changes_nothing(
    files: Files, monkeypatch: pytest.MonkeyPatch, theirs: bytes
) -> None:
    output, store = files.start()

    def broken(*_: Any) -> None:
        raise StateError("the disk is full")

    monkeypatch.setattr(store.journal, "finish", broken)
    output.deliver(batch(0))
    output.deliver(batch(1))
    files.end()
    with files.out.open("ab") as file:  # somebody else, before the next start
        file.write(theirs)
    output, store = files.start()
    collect(output, store)
    ours = [line for line in files.lines() if line != theirs]
    assert ours == [line for page in PAGE for line in page]


def test_a_file_moved_away_while_running_is_left_alone_and_a_new_one_begun(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    output, _ = files.start()
    output.deliver(batch(0))
    moved = files.out.with_name("moved")
    files.out.rename(moved)
    output.deliver(batch(1))
    assert moved.read_bytes() == b"".join(PAGE[0])
    assert files.lines() == PAGE[1]
    assert "moved away; starting a new one" in caplog.text


def test_a_file_moved_away_between_two_runs(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    output, _ = files.start()
    output.deliver(batch(0))
    files.end()
    moved = files.out.with_name("moved")
    files.out.rename(moved)
    output, store = files.start()
    collect(output, store)
    assert moved.read_bytes() == b"".join(PAGE[0])
    assert files.lines() == PAGE[1] + PAGE[2]
    assert "is not the one helr last wrote" in caplog.text


@pytest.mark.parametrize("running", [True, False])
def test_a_file_cut_short_is_not_repaired_and_no_line_is_glued_to_its_end(
    files: Files, caplog: pytest.LogCaptureFixture, running: bool
) -> None:
    output, store = files.start()
    output.deliver(batch(0))
    if not running:
        files.end()
    os.truncate(files.out, len(PAGE[0][0]) + 5)
    if not running:
        output, store = files.start()
    collect(output, store)
    assert files.lines() == [PAGE[0][0], PAGE[0][1][:5] + b"\n", *PAGE[1], *PAGE[2]]
    assert "short" in caplog.text


def test_what_somebody_wrote_into_an_unfinished_step_costs_no_event(
    files: Files, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, _ = files.start()

    def full(fd: int, data: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OutputGoneError):
            output.deliver(batch(0))
    files.end()
    files.out.write_bytes(b"theirs\n")
    output, store = files.start()
    collect(output, store)
    assert files.lines() == [b"theirs\n", *(line for page in PAGE for line in page)]
    assert "another program modified the last batch" in caplog.text


def test_a_file_of_somebody_elses_is_appended_to(files: Files) -> None:
    files.out.write_bytes(b"theirs\n")
    output, store = files.start()
    collect(output, store)
    assert files.lines()[0] == b"theirs\n"
    assert len(files.lines()) == 1 + 4 * PAGES


def test_sources_take_turns_a_step_at_a_time(files: Files) -> None:
    output, store = files.start()
    threads = [
        threading.Thread(target=collect, args=(output, store, name)) for name in ("a", "b", "c")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(files.lines()) == sorted(line for page in PAGE * 3 for line in page)


def test_only_one_helr_writes_a_file_and_the_other_is_told_who(files: Files) -> None:
    files.start()

    def second() -> None:
        with pytest.raises(
            LockedError, match=rf"locked by another helr \(process {os.getppid()}\)"
        ):
            Files(files.out.parent).start()

    assert in_child(second) == 0


def test_what_cannot_be_opened(files: Files) -> None:
    for path in (files.out.parent, files.out.parent / "no" / "file"):
        with pytest.raises(UnusableError, match="name a file in a directory"):
            files.start(path)


def test_an_unfinished_step_is_completed_though_the_output_is_another_one_now(
    files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def killed() -> None:
        output, _ = files.start()
        output.output._write = lambda step: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[attr-defined]
        output.deliver(batch(0))

    in_child(killed)
    assert files.lines() == []
    other = files.out.with_name("other")
    store = SqliteStore(str(files.state))
    complete_others(store, str(other), Clock())
    assert files.lines() == PAGE[0]
    assert store.journal.unfinished() == []
    assert "its last lines, which were missing, were appended" in caplog.text


def test_without_a_durable_state_lines_are_simply_appended(tmp_path: Path) -> None:
    store = MemoryStore()
    output = Lanes(FileOutput(str(tmp_path / "out"), store, Clock()), store)
    output.deliver(batch(0))
    output.deliver(batch(1))
    output.close()
    assert (tmp_path / "out").read_bytes() == b"".join(PAGE[0] + PAGE[1])
