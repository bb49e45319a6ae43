"""A sync that fails once, or that the file system does not have."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helr.clock import Clock
from helr.errors import OutputGoneError, UnusableError
from helr.output.file import FileOutput
from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore
from tests.unit.output.support import Batch, Lanes

UNSUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


class Disk:
    """An output file whose bytes, once written, are safe only after a sync that succeeded.

    A failed sync forgets which bytes are not on the disk yet, as Linux does.
    """

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.out = folder / "out"
        self.store = SqliteStore(str(folder / "state.db"))
        self.fails: dict[bool, list[int]] = {True: [], False: []}  # errors to come; a directory's?
        self.safe = bytearray()
        self._dirty: list[tuple[int, bytes]] = []
        self._real = {name: getattr(os, name) for name in ("write", "pwrite", "fsync")}
        for name in self._real:
            patch.setattr(os, name, getattr(self, name))

    def open(self) -> Lanes:
        return Lanes(FileOutput(str(self.out), self.store, Clock()), self.store)

    def write(self, fd: int, data: Any) -> int:
        at = os.fstat(fd).st_size
        return self._written(self._real["write"](fd, data), at, data)

    def pwrite(self, fd: int, data: Any, at: int) -> int:
        return self._written(self._real["pwrite"](fd, data, at), at, data)

    def _written(self, count: int, at: int, data: Any) -> int:
        self._dirty.append((at, bytes(data[:count])))
        return count

    def fsync(self, fd: int) -> None:
        errors = self.fails[stat.S_ISDIR(os.fstat(fd).st_mode)]
        dirty, self._dirty = self._dirty, []
        if errors:
            number = errors.pop(0)
            raise OSError(number, os.strerror(number))
        for at, data in dirty:
            self.safe.extend(bytes(max(at + len(data) - len(self.safe), 0)))
            self.safe[at : at + len(data)] = data


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk(tmp_path, monkeypatch)
    yield made
    made.store.close()


def deliver(output: Lanes, *numbers: int) -> None:
    for number in numbers:
        lines = [b"%d.%d\n" % (number, n) for n in range(3)]
        output.deliver(Batch("s", lines, Checkpoint(values={"cursor": str(number)})))


def test_what_a_failed_sync_left_in_doubt_is_written_again_at_its_place(disk: Disk) -> None:
    output = disk.open()
    deliver(output, 0)
    disk.fails[False] = [errno.EIO]
    with pytest.raises(OutputGoneError, match=r"Input/output error; .* check its disk, then start"):
        deliver(output, 1)
    output.close()
    before = disk.out.read_bytes()
    assert bytes(disk.safe) != before
    output = disk.open()
    assert disk.out.read_bytes() == before
    assert bytes(disk.safe) == before
    deliver(output, 2)
    output.close()
    assert bytes(disk.safe) == disk.out.read_bytes() == before + b"2.0\n2.1\n2.2\n"


def test_a_sync_that_fails_again_is_not_trusted_either(disk: Disk) -> None:
    output = disk.open()
    disk.fails[False] = [errno.EIO, errno.EIO]
    with pytest.raises(OutputGoneError):
        deliver(output, 0)
    output.close()
    with pytest.raises(OutputGoneError):
        disk.open()
    disk.open().close()
    assert bytes(disk.safe) == disk.out.read_bytes() == b"0.0\n0.1\n0.2\n"


@pytest.mark.parametrize("number", UNSUPPORTED)
def test_a_directory_that_cannot_be_synced_is_told_once(
    disk: Disk, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    caplog.set_level("INFO")
    for page in range(2):
        disk.fails[True] = [number]
        output = disk.open()
        deliver(output, page)
        output.close()
    assert caplog.text.count("its directory cannot be synced") == 1
    assert disk.out.read_bytes().count(b"\n") == 6


def test_a_directory_whose_sync_fails_is_an_error(disk: Disk) -> None:
    disk.fails[True] = [errno.EIO]
    with pytest.raises(UnusableError, match="Input/output error; check its disk"):
        disk.open()


@pytest.mark.parametrize("number", UNSUPPORTED)
def test_a_file_that_cannot_be_synced_is_told_once_and_written(
    disk: Disk, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    disk.fails[False] = [number] * 2
    output = disk.open()
    deliver(output, 0, 1)
    output.close()
    assert caplog.text.count("cannot sync it") == 1
    assert disk.out.read_bytes().count(b"\n") == 6
