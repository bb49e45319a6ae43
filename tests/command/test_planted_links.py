"""A link that someone planted where helr makes a file is never written through; what helr makes is
its user's alone, whatever the umask."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Helr

PAGE = {"events": [{"id": "a"}], "next": None}


@pytest.fixture
def planted(helr: Helr, httpserver_json: Callable[[Any], str]) -> Callable[[str], Path]:
    """Put a link there, to a file that is precious."""
    helr.config(sources={"s": {"url": httpserver_json(PAGE)}})

    def plant(name: str) -> Path:
        victim = helr.cwd / "victim"
        victim.write_text("precious")
        link = helr.cwd / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(victim)
        return victim

    return plant


@pytest.mark.parametrize("name", ["000.json.part", "000.json", "state.json.part", "state.json"])
def test_a_recording_replaces_it(helr: Helr, planted: Callable[[str], Path], name: str) -> None:
    victim = planted(f"rec/s/{name}")
    done = helr.run("run", "--once", "--record-dir", "rec")
    assert victim.read_text() == "precious"
    if name.endswith(".part"):
        assert done.returncode == 0
        assert (helr.cwd / "rec/s/000.json").is_file()


def test_a_recording_is_not_made_in_a_linked_directory(
    helr: Helr, planted: Callable[[str], Path]
) -> None:
    (helr.cwd / "elsewhere").mkdir()
    (helr.cwd / "rec").mkdir()
    (helr.cwd / "rec/s").symlink_to(helr.cwd / "elsewhere")
    done = helr.run("run", "--once", "--record-dir", "rec")
    assert done.returncode == 2
    assert not list((helr.cwd / "elsewhere").iterdir())


def test_a_lock_is_not_taken_through_it(helr: Helr, planted: Callable[[str], Path]) -> None:
    victim = planted("helr-state.db.s.lock")
    done = helr.run("run", "--once")
    assert done.returncode == 2
    assert "helr-state.db.s.lock: it is a symbolic link; remove it" in done.stderr
    assert victim.read_text() == "precious"


def test_the_mark_of_a_checked_config_is_not_written_through_it(
    helr: Helr, planted: Callable[[str], Path]
) -> None:
    victim = planted("helr-state.db.checked")
    assert helr.run("run", "--once").returncode == 0
    assert victim.read_text() == "precious"


def test_with_no_umask_files_are_private(helr: Helr, httpserver_json: Callable[[Any], str]) -> None:
    helr.config(sources={"s": {"url": httpserver_json(PAGE)}})
    for more in (["-o", "events"], ["--record-dir", "rec/deep"]):
        command = [sys.executable, "-m", "helr", "run", "--once", *more]
        subprocess.run(
            ["sh", "-c", 'umask 0; exec "$@"', "sh", *command],
            cwd=helr.cwd,
            env=helr.environment(),
            capture_output=True,
            check=True,
        )
    made = [path for path in helr.cwd.rglob("*") if path.name not in ("helr.yaml",)]
    assert len(made) > 5
    for path in made:
        mode = path.stat().st_mode & 0o777
        assert mode & 0o027 == 0, (path, oct(mode))
