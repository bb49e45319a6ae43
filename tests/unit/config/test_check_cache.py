"""A config that was found valid is not checked again, and a changed one always is."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

import helr
from helr.config import schema as schemas
from tests.unit.config.conftest import Load, Problems

TEXT = """
sources:
  a:
    url: https://api.example.com/logs
    source_label_value: ${NAME:-x}
"""


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one for each check against the schema."""
    from helr.config.validation import Checker

    done: list[object] = []
    real = Checker.problems
    monkeypatch.setattr(Checker, "problems", lambda self: done.append(self) or real(self))
    return done


def test_once_is_enough(loaded: Load, checks: list[object]) -> None:
    first, second = loaded(TEXT), loaded(TEXT)
    assert first == second
    assert len(checks) == 1
    kept = Path("helr-state.db.checked")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert len(kept.read_text()) == 65


def test_what_is_seen_again(
    loaded: Load, checks: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(TEXT)
    loaded(TEXT, {"NAME": "other"})
    loaded(TEXT + "    on_cursor_error: reset\n")
    loaded(TEXT + "    url2:\n".replace("url2", "headers"))
    assert len(checks) == 4
    loaded(TEXT)
    monkeypatch.setattr(helr, "__version__", "99")
    loaded(TEXT)
    assert len(checks) == 6
    changed = schemas.content().replace(b"How often the source is polled", b"How often")
    monkeypatch.setattr(schemas, "content", lambda: changed)
    loaded(TEXT)
    assert len(checks) == 7
    loaded(TEXT)
    assert len(checks) == 7


def test_a_wrong_one_is_never_taken_for_right(loaded: Load, problems: Problems) -> None:
    loaded(TEXT)
    for _ in range(2):
        assert "unknown key" in problems(TEXT + "    frobs: 1\n")[0]
        assert "unknown key" in problems(TEXT + "    frobs:\n")[0]


def test_secrets_and_the_machine_are_looked_at_each_time(
    loaded: Load, problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT + "    auth: {type: bearer, token_env: T}\n"
    monkeypatch.setenv("T", "x")
    loaded(text)
    monkeypatch.delenv("T")
    assert "is not set" in problems(text)[0]


def test_memory_keeps_nothing(loaded: Load, checks: list[object], tmp_path: Path) -> None:
    for _ in range(2):
        loaded("\nglobal: {state: {backend: memory}}\n" + TEXT)
    assert len(checks) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["helr.yaml"]


def test_a_digest_that_cannot_be_kept_is_no_failure(loaded: Load, tmp_path: Path) -> None:
    (tmp_path / "helr-state.db.checked").mkdir()
    assert loaded(TEXT) == loaded(TEXT)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "helr-state.db.checked",
        "helr.yaml",
    ]


def test_damage_means_checking_again(loaded: Load, checks: list[object], tmp_path: Path) -> None:
    loaded(TEXT)
    (tmp_path / "helr-state.db.checked").write_bytes(b"\xff" * 64)
    loaded(TEXT)
    assert len(checks) == 2


def test_the_second_time_imports_no_jsonschema(loaded: Load, tmp_path: Path) -> None:
    import subprocess

    loaded(TEXT)
    code = (
        "import sys, helr.config; helr.config.load('helr.yaml', environ={});"
        "print([m for m in ('jsonschema', 'difflib', 'requests') if m in sys.modules])"
    )
    root = str(Path(helr.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": root},
        cwd=tmp_path,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("options", [{"replay": True}, {"writes": False}])
def test_who_only_reads_leaves_nothing(
    loaded: Load, tmp_path: Path, options: dict[str, bool]
) -> None:
    loaded(TEXT, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["helr.yaml"]
