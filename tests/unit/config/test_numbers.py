"""Numbers of every form, at every key that accepts one, are used or refused in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helr.commands import validate
from helr.config import schema
from tests.support import some

SHAPES = (
    *("0", "-1", "1", "2.5", "5e-324", "1e-9", "1e300", "1e400", ".inf", "-.inf", ".nan", "0x10"),
    *("0o17", "010", "1_000", "1,000", "1:30", "true", "null", "''", "'5'", "'٣'", "[5]", "{}"),
    *("9" * 30, "9" * 5000, "0." + "9" * 400, "-0", "+5", "5s", "1e", "e5", "--1"),
)
ROOT: Any = schema.parse(schema.content())
BASE = """\
sources:
  a:
    url: https://api.example.com/logs
    pagination: {{strategy: cursor, cursor_param: c, cursor_path: n}}
    incremental_from: {{state_key: s, event_timestamp_path: t, param_name: o}}
    dedupe: {{id_path: id}}
"""


def numeric(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The paths of all keys that may hold a number."""
    kinds = node.get("type", [])
    if {"number", "integer"} & set([kinds] if isinstance(kinds, str) else kinds):
        yield path
    for name, below in node.get("properties", {}).items():
        if not below.get("deprecated"):
            yield from numeric(below, (*path, name))


SOURCE_KEYS = list(numeric(ROOT["$defs"]["source"], ()))
GLOBAL_KEYS = list(numeric(ROOT["properties"]["global"], ()))


def config(path: tuple[str, ...], value: str, *, of_source: bool) -> str:
    inner = value
    for name in reversed(path[1:]):
        inner = f"{{{name}: {inner}}}"
    if not of_source:
        return f"global:\n  {path[0]}: {inner}\n" + BASE.format()
    lines = [line for line in BASE.format().splitlines() if f"    {path[0]}:" not in line]
    known = {
        "pagination": "strategy: cursor, cursor_param: c, cursor_path: n, ",
        "incremental_from": "state_key: s, event_timestamp_path: t, param_name: o, ",
        "dedupe": "id_path: id, ",
    }
    if path[0] in known and len(path) > 1:
        inner = "{" + known[path[0]] + inner[1:]
    return "\n".join([*lines, f"    {path[0]}: {inner}\n"])


@pytest.mark.parametrize("path", SOURCE_KEYS + GLOBAL_KEYS, ids=".".join)
def test_every_shape(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = SOURCE_KEYS + GLOBAL_KEYS
    for value in some(SHAPES, keys.index(path)):
        Path("helr.yaml").write_text(config(path, value, of_source=path in SOURCE_KEYS))
        assert validate.run("helr.yaml") in (0, 2)


def test_there_are_many() -> None:
    assert len(SOURCE_KEYS) > 25
    assert ("output", "settle_secs") in GLOBAL_KEYS
