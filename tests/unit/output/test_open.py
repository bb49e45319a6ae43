"""Which output a path is, and what cannot be one."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from helr.errors import UnusableError
from helr.output import Output
from helr.output.file import FileOutput
from helr.output.open import check_path, open_output
from helr.output.rotation import Rotation
from helr.output.stream import StreamOutput
from helr.pytest_plugin import FakeClock
from helr.state.memory import MemoryStore


def opened(path: str | None, rotation: Rotation | None = None) -> Output:
    return open_output(path, rotation, 0, MemoryStore(), FakeClock(), lambda error: None)


def test_a_regular_file_that_is_there_or_will_be(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("theirs\n")
    for name in ("old", "new"):
        output = opened(str(tmp_path / name))
        assert isinstance(output, FileOutput)
        output.close()
    assert (tmp_path / "old").read_text() == "theirs\n"


def test_a_device() -> None:
    assert isinstance(opened("/dev/null"), StreamOutput)


def test_a_fifo_is_opened_as_soon_as_it_has_a_reader(tmp_path: Path) -> None:
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    made: list[Output] = []
    thread = threading.Thread(target=lambda: made.append(opened(path)), daemon=True)
    thread.start()
    thread.join(0.05)
    assert made == []
    reader = os.open(path, os.O_RDONLY)
    thread.join(5)
    os.close(reader)
    assert isinstance(made[0], StreamOutput)


@pytest.mark.parametrize("path", [None, "/dev/null"])
def test_only_a_regular_file_can_be_rotated(path: str | None) -> None:
    with pytest.raises(UnusableError, match="--output-rotate requires -o FILE"):
        opened(path, Rotation(5))


def test_a_directory_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(UnusableError):
        opened(str(tmp_path))


@pytest.mark.parametrize("path", ["", "https://logs.example/in", "s3://bucket/x", "TCP://h:1"])
def test_what_is_not_a_path(path: str) -> None:
    with pytest.raises(UnusableError, match=r"^--record-dir"):
        check_path("record_dir", path)


@pytest.mark.parametrize("path", ["events.ndjson", "./a://b", "/var/log/a b", "C:"])
def test_what_is_one(path: str) -> None:
    check_path("output", path)
