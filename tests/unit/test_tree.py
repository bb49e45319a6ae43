"""The unit tests mirror the tree: helr/X/Y.py has tests/unit/X/test_Y.py, a package test_X.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

HELR, UNIT = ROOT / "helr", ROOT / "tests" / "unit"
LINES = 40  # of code, without comments and docstrings

# Modules without a unit-test file of their name, and the tests that run them.
ELSEWHERE = {
    "cli.py": "tests/command/test_cli.py",
    "commands/init.py": "tests/command/test_init.py",
    "commands/run.py": "tests/command/test_ground.py",
    "commands/state.py": "tests/command/test_state.py",
    "commands/status.py": "tests/command/test_status.py",
    "commands/test.py": "tests/command/test_command_test.py",
    "commands/validate.py": "tests/command/test_validate.py",
    "config/build.py": "tests/unit/config/test_load.py",
    "config/foreign.py": "tests/unit/config/test_gallery.py",
    "config/preflight.py": "tests/command/test_validate.py",
    "config/validation.py": "tests/unit/config/test_gallery.py",
    "config/yaml_tree.py": "tests/unit/config/test_load.py",
    "engine/assemble.py": "tests/unit/engine/test_engine_stateful.py",
    "model.py": "tests/unit/config/test_load.py",  # values without logic
    "output/own_files.py": "tests/command/test_own_files.py",
    "recording/recorder.py": "tests/command/test_record_replay.py",
    "recording/replayer.py": "tests/command/test_record_replay.py",
    "terminal.py": "tests/command/test_progress.py",
}


def modules() -> Iterator[Path]:
    return (path.relative_to(HELR) for path in sorted(HELR.rglob("*.py")))


def unit_tests(module: Path) -> Path:
    name = module.parent.name if module.name == "__init__.py" else module.stem
    return UNIT / module.parent / f"test_{name}.py"


def lines_of_code(module: Path) -> int:
    """The lines on which an expression or statement stands, but for those that are only a text."""
    tree = ast.parse((HELR / module).read_text(encoding="utf-8"))
    texts = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return len(
        {
            line
            for node in ast.walk(tree)
            if (isinstance(node, ast.expr) and id(node) not in texts) or isinstance(node, ast.alias)
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
        }
    )


def test_each_module_has_its_unit_tests_or_is_tested_elsewhere() -> None:
    without = [str(module) for module in modules() if not unit_tests(module).exists()]
    large = [module for module in without if lines_of_code(Path(module)) > LINES]
    assert sorted(set(large) - set(ELSEWHERE)) == [], "write tests/unit/X/test_Y.py for these"
    assert sorted(set(ELSEWHERE) - set(without)) == [], "these have one now, or are gone"


def test_what_tests_the_others_exists() -> None:
    assert [path for path in ELSEWHERE.values() if not (ROOT / path).exists()] == []
