"""A regular file: each line exactly once, whatever ends the process and wherever."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from helr.clock import Clock
from helr.errors import LockedError, OutputGoneError, StateError, UnusableError
from helr.output.file import FileOutput, complete_others
from helr.state.memory import MemoryStore
from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore
from tests.unit.output.support import Batch, Lanes

PAGES = 3
PAGE = [[b"%d.%d %s\n" % (page, n, b"x" * 50) for n in range(4)] for page in range(PAGES)]


class Files:
    """A state and an output, closed as the end of a process would."""

    def __init__(self, folder: Path) -> None:
        self.state, self.out = folder / "state.db", folder / "out.ndjson"
        self.open: list[Any] = []

    def start(self, path: Path | None = None) -> tuple[Lanes, SqliteStore]:
        store = SqliteStore(str(self.state), busy_secs=0.1)
        output = FileOutput(str(path or self.out), store, Clock())
        self.open += [output, store]
        return Lanes(output, store), store

    def end(self) -> None:
        for each in self.open:
            each.close()
        self.open.clear()

    def lines(self) -> list[bytes]:
        return self.out.read_bytes().splitlines(keepends=True)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    made = Files(tmp_path)
    yield made
    made.end()


def batch(page: int, source: str = "s") -> Batch:
    ids = [f"{page}.{n}" for n in range(4)]
    checkpoint = Checkpoint(values={"cursor": str(page + 1)}, ids=ids, capacity=100)
    return Batch(source, list(PAGE[page]), checkpoint)


def collect(output: Lanes, store: SqliteStore, source: str = "s") -> None:
    """What a poller does: go on from the page that the state names."""
    for page in range(int(store.source(source).load().values.get("cursor", "0")), PAGES):
        output.deliver(batch(page, source))


def at_line(kill_at: int) -> Callable[[FrameType, str, Any], Any]:
    """A trace function that kills this process at that line of helr's output and state."""
    seen = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal seen
        if "/helr/output/" not in frame.f_code.co_filename and (
            "/helr/state/" not in frame.f_code.co_filename
        ):
            return None
        seen += event == "line"
        if seen >= kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def in_a_child(work: Callable[[], None]) -> int:
    """The wait status of a forked process that does it."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        except BaseException:  # noqa: BLE001
            os._exit(1)
    return os.waitpid(pid, 0)[1]


@pytest.mark.unmeasured
def test_a_kill_at_any_line_loses_and_repeats_nothing(tmp_path: Path) -> None:
    kills = 0
    for number in range(1, 2000):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = Files(folder)

        def life(files: Files = files, number: int = number) -> None:
            output, _store = files.start()
            output.deliver(batch(0))
            sys.settrace(at_line(number))
            output.deliver(batch(1))
            sys.settrace(None)

        status = in_a_child(life)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        kills += 1
        before = files.out.read_bytes()
        output, store = files.start()
        assert files.out.read_bytes().startswith(before)
        collect(output, store)
        files.end()
        assert files.lines() == [line for page in PAGE for line in page], number
    assert kills > 60


@pytest.mark.unmeasured
def test_a_second_kill_while_the_first_is_made_good(tmp_path: Path) -> None:
    """The step was committed, nothing of it appended; the next start is killed as well."""
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
            sys.settrace(at_line(number))
            files.start()
            sys.settrace(None)

        assert os.WIFSIGNALED(in_a_child(first))
        status = in_a_child(second)
        output, store = files.start()
        collect(output, store)
        files.end()
        assert files.lines() == [line for page in PAGE for line in page], number
        if os.WIFEXITED(status):
            return
    raise AssertionError("the second start never came to its end")


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
    with pytest.raises(OutputGoneError, match=r"No space left on device: .* next start; make room"):
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
    assert "moved away; beginning a new one" in caplog.text


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
    assert "is not the one written last" in caplog.text


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
    assert "somebody wrote into its last step" in caplog.text


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
        with pytest.raises(LockedError, match=rf"held by another helr \(process {os.getppid()}\)"):
            Files(files.out.parent).start()

    assert in_a_child(second) == 0


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

    in_a_child(killed)
    assert files.lines() == []
    other = files.out.with_name("other")
    store = SqliteStore(str(files.state))
    complete_others(store, str(other), Clock())
    assert files.lines() == PAGE[0]
    assert store.journal.unfinished() == []
    assert "its last step was completed" in caplog.text


def test_without_a_durable_state_lines_are_simply_appended(tmp_path: Path) -> None:
    store = MemoryStore()
    output = Lanes(FileOutput(str(tmp_path / "out"), store, Clock()), store)
    output.deliver(batch(0))
    output.deliver(batch(1))
    output.close()
    assert (tmp_path / "out").read_bytes() == b"".join(PAGE[0] + PAGE[1])
