"""File systems that lack something, and disks on which a call fails once.

helr either works and keeps its promise, or says exactly what is missing; whatever fails, the next
start on a sound disk completes the output, with each event in it exactly once.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mock_server import MockSlack
from tests.command.support import configure, ids
from tests.conftest import Helr
from tests.errors_table import entries, level_and_text, pattern

pytestmark = pytest.mark.unmeasured

Faulty = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux":
        pytest.skip("libraries are preloaded in another way")
    if not shutil.which("gcc") and not os.environ.get("CI"):
        pytest.skip("needs gcc")
    made = tmp_path_factory.mktemp("library") / "faulty_disk.so"
    source = Path(__file__).with_name("faulty_disk.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", made, source, "-ldl"], check=True)
    return made


@pytest.fixture
def faulty(library: Path) -> Faulty:
    """The environment in which a call fails; `at`: only the n-th such call."""

    def environment(call: str, path: str, error: int, at: int = 0) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(library),
            "FAULT_CALL": call,
            "FAULT_PATH": path,
            "FAULT_ERRNO": str(error),
            "FAULT_AT": str(at),
        }

    return environment


@pytest.fixture
def mock(helr: Helr) -> Iterator[MockSlack]:
    with MockSlack(events=500) as mock:
        configure(helr, mock.url)
        yield mock


def came(helr: Helr) -> Counter[str]:
    found = helr.cwd / "out"
    return Counter(ids(found.read_bytes())) if found.exists() else Counter()


NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EIO)


@pytest.mark.parametrize("error", NO_LOCKS, ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/out", "output file {}/out: cannot be locked"),
        (".lock", "lock file {}/helr-state.db.slack-audit.lock: cannot be locked"),
    ],
)
def test_no_locks(
    helr: Helr, mock: MockSlack, faulty: Faulty, path: str, said: str, error: int
) -> None:
    done = helr.run("run", "--once", "-o", "out", env=faulty("lock", path, error))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert said.format(helr.cwd) in line
    assert f"({os.strerror(error)}): its file system has no working file locks" in line
    assert mock.requests == []


@pytest.mark.parametrize("error", NO_LOCKS, ids=errno.errorcode.get)
@pytest.mark.parametrize("command", ["run", "state", "status"])
def test_no_locks_for_the_state(
    helr: Helr, mock: MockSlack, faulty: Faulty, command: str, error: int
) -> None:
    """Neither "locked by another program" nor "check its disk"."""
    args = {"run": ["--once"], "state": ["show", "slack-audit"], "status": []}[command]
    if command != "run":
        assert helr.run("run", "--once").returncode == 0
    asked = len(mock.requests)
    done = helr.run(command, *args, env=faulty("lock", "", error))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "its file system has no working file locks" in line
    assert line.endswith("set global.state.path to a file on a local disk")
    assert len(mock.requests) == asked


def test_a_lock_that_is_held_is_no_missing_lock(
    helr: Helr, mock: MockSlack, faulty: Faulty
) -> None:
    done = helr.run("run", "--once", env=faulty("lock", ".lock", errno.EAGAIN))
    assert done.returncode == 3
    assert "locked by another helr" in done.stderr


@pytest.mark.parametrize("error", [errno.ENODEV, errno.EINVAL, errno.EACCES])
def test_no_shared_memory(helr: Helr, mock: MockSlack, faulty: Faulty, error: int) -> None:
    done = helr.run("run", "--once", env=faulty("mmap", "-shm", error))
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"its file system has no shared memory (mmap) ({os.strerror(error)})" in line
    assert mock.requests == []
    assert not [path for path in helr.cwd.iterdir() if path.name.count("-shm") > 1]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_no_sync(helr: Helr, mock: MockSlack, faulty: Faulty, error: int) -> None:
    """Of a directory, of the file, and of the state."""
    folder = faulty("fsync", f"/{helr.cwd.name}", error)
    done = helr.run("run", "--once", "-o", "out", env=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("its directory cannot be synced") == 1
    assert came(helr) == Counter(mock.ids())
    mock.add_events(10)
    done = helr.run("run", "--once", "-o", "out", env=faulty("fsync", "/out", error))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot sync it") == 1
    assert came(helr) == Counter(mock.ids())
    done = helr.run("run", "--once", env=faulty("fsync", "", error))
    assert done.returncode == 2
    assert f"its file system cannot sync a file ({os.strerror(error)})" in done.stderr


DISKS = {
    "no locks for the output": ("lock", "/out", errno.ENOLCK),
    "no locks beside the state": ("lock", ".lock", errno.ENOLCK),
    "no locks for the state": ("lock", "", errno.ENOLCK),
    "no shared memory": ("mmap", "-shm", errno.ENODEV),
    "output that fails": ("fsync", "/out", errno.EIO),
}
TABLE = {entry["disk"]: entry for entry in entries("disk")}


def test_every_disk_of_the_table_is_tried() -> None:
    assert set(TABLE) == set(DISKS)


@pytest.mark.parametrize("name", list(DISKS))
def test_the_line_of_the_table(helr: Helr, mock: MockSlack, faulty: Faulty, name: str) -> None:
    done = helr.run("run", "--once", "-o", "out", env=faulty(*DISKS[name]))
    assert done.returncode == TABLE[name]["exit"]
    told = level_and_text(done.stderr)[-1]
    assert re.fullmatch(pattern(TABLE[name]["line"], folder=str(helr.cwd)), told), told


ADVICE = {
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "raise this user's disk quota",
    errno.EIO: "check its disk",
    errno.EFBIG: "raise the limit on file sizes",
}


@pytest.mark.parametrize("error", list(ADVICE), ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["write", "fsync"])
def test_an_output_that_fails_once(
    helr: Helr, mock: MockSlack, faulty: Faulty, call: str, error: int
) -> None:
    done = helr.run("run", "--once", "-o", "out", env=faulty(call, "/out", error, 2))
    assert done.returncode == 4
    assert f"out: {os.strerror(error)}; missing lines are appended" in done.stderr
    assert ADVICE[error] in done.stderr
    assert helr.run("run", "--once", "-o", "out").returncode == 0
    assert came(helr) == Counter(mock.ids())


CALLS = {
    "/out": ("write", "fsync"),
    "/helr-state.db": ("write", "fsync", "lock", "truncate"),
    "-wal": ("write", "fsync", "truncate"),
    "-shm": ("lock", "mmap", "truncate"),
}


@pytest.mark.parametrize(("at", "error"), [(1, errno.EIO), (2, errno.ENOSPC), (5, errno.EIO)])
@pytest.mark.parametrize(("path", "call"), [(path, call) for path in CALLS for call in CALLS[path]])
def test_any_call_may_fail_once(
    helr: Helr, mock: MockSlack, faulty: Faulty, path: str, call: str, error: int, at: int
) -> None:
    failing = helr.run("run", "--once", "-o", "out", env=faulty(call, path, error, at))
    assert failing.returncode in (0, 1, 2, 4, 5)
    assert "Traceback" not in failing.stderr
    assert "internal error" not in failing.stderr
    assert failing.returncode == 0 or "ERROR" in failing.stderr
    before = (helr.cwd / "out").read_bytes() if (helr.cwd / "out").exists() else b""
    sound = helr.run("run", "--once", "-o", "out")
    assert sound.returncode == 0, sound.stderr
    assert (helr.cwd / "out").read_bytes().startswith(before)
    assert came(helr) == Counter(mock.ids())
