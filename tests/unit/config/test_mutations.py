"""Any change to a valid config leaves it valid, or gets a message with the right line."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from helr.commands import init
from helr.config import ConfigError, load
from tests.support import examples

GOOD = init.text(1_700_000_000).replace("SLACK_AUDIT_TOKEN", "HOME")
LINES = GOOD.split("\n")
SETTINGS = [n for n, line in enumerate(LINES) if ":" in line and not line.lstrip().startswith("#")]


def check(lines: list[str]) -> ConfigError | None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "helr.yaml"
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            load(str(path), environ=os.environ, writes=False)
        except ConfigError as error:
            return error
    return None


def around(number: int) -> set[int]:
    """The line, its mapping, and the keys above it, counted from 1."""
    found, indent = {number + 1}, _indent(LINES[number])
    for n in range(number, -1, -1):
        if n in SETTINGS and _indent(LINES[n]) < indent:
            found |= {line + 1 for line in block(n)} if len(found) == 1 else {n + 1}
            indent = _indent(LINES[n])
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def block(number: int) -> range:
    """The line and the more deeply indented ones below it."""
    end = number + 1
    while end < len(LINES) and (
        not LINES[end].strip() or _indent(LINES[end]) > _indent(LINES[number])
    ):
        end += 1
    return range(number, end)


def test_the_good_one_is_good() -> None:
    assert check(LINES) is None
    assert len(SETTINGS) > 40


setting = st.sampled_from(SETTINGS)
few = examples(40)


@few
@given(setting, st.text("abcdefgh_-", min_size=1, max_size=8))
def test_a_renamed_key(number: int, name: str) -> None:
    lines = list(LINES)
    indent = _indent(lines[number])
    lines[number] = " " * indent + name + lines[number][lines[number].index(":") :]
    error = check(lines)
    if error:
        # A renamed key is unknown there, leaves its mapping incomplete, or is a duplicate.
        touched = {problem.line for problem in error.problems}
        assert touched & around(number) or touched <= {n + 1 for n in block(number)}, str(error)


VALUES = st.sampled_from(
    [
        "[]",
        "{}",
        "[a, 1]",
        "{a: b}",
        "-1",
        "1.5",
        "1e99",
        "text",
        "'7'",
        "true",
        "~",
        '""',
        "a: b",
        "*x",
        "${NOT_SET_AT_ALL}",
        "'",
    ]
)


@few
@given(setting, VALUES)
def test_a_retyped_value(number: int, value: str) -> None:
    lines = list(LINES)
    if list(block(number)) != [number]:
        lines[number : block(number).stop] = [lines[number].split(":")[0] + ": " + value]
    else:
        lines[number] = lines[number].split(":")[0] + ": " + value
    error = check(lines)
    if error:
        touched = {problem.line for problem in error.problems}
        assert touched & around(number), str(error)


@few
@given(setting, setting)
def test_a_moved_block(source: int, target: int) -> None:
    moved = block(source)
    if target in moved:
        return
    kept = [(n, line) for n, line in enumerate(LINES) if n not in moved]
    at = next(i for i, (n, _) in enumerate(kept) if n == target) + 1
    shift = _indent(LINES[target]) - _indent(LINES[source])
    piece = [(n, " " * (_indent(LINES[n]) + shift) + LINES[n].lstrip()) for n in moved]
    lines = kept[:at] + piece + kept[at:]
    error = check([line for _, line in lines])
    if error:
        origin = {i + 1: n for i, (n, _) in enumerate(lines)}
        touched = {origin[problem.line] for problem in error.problems}
        beside = {n - 1 for n in around(source) | around(target)} | set(moved) | set(block(target))
        assert touched & beside, str(error)


@few
@given(st.integers(0, len(LINES) - 1), st.integers(1, 7))
def test_a_line_moved_sideways(number: int, spaces: int) -> None:
    lines = list(LINES)
    lines[number] = " " * spaces + lines[number]
    error = check(lines)
    if error:
        nearest = min(abs(problem.line - 1 - number) for problem in error.problems)
        touched = {problem.line for problem in error.problems}
        assert nearest <= 2 or touched & around(number), str(error)


@few
@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_rubbish_in_the_middle(rubbish: bytes, at: int) -> None:
    data = GOOD.encode()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "helr.yaml"
        path.write_bytes(data[:at] + rubbish + data[at:])
        try:
            load(str(path), environ=os.environ, writes=False)
        except ConfigError as error:
            count = len(path.read_bytes().decode("utf-8", "replace").splitlines()) + 1
            assert all(0 <= problem.line <= count for problem in error.problems)
