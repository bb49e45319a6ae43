"""docs/errors.yaml for tests: its entries, and its lines as patterns."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.conftest import ROOT

TABLE = yaml.safe_load((ROOT / "docs" / "errors.yaml").read_text(encoding="utf-8"))
_ANY = {
    "when": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "n": r"\d+(\.\d+)?",
    "why": r"[^\n:]+",
    "tries": r"( \(2 tries\))?",
}


def entries(kind: str) -> list[dict[str, Any]]:
    """All entries with that key: `faults` or `case`."""
    return [e for section in TABLE["sections"] for e in section["entries"] if kind in e]


def pattern(line: str, **known: str) -> str:
    """A line of the table as a regular expression; `known`: the values of {url} and others."""
    parts = re.split(r"\{(\w+)\}", line)
    texts = [re.escape(part) for part in parts[::2]]
    names = [re.escape(known[name]) if name in known else _ANY[name] for name in parts[1::2]]
    return "".join(text + name for text, name in zip(texts, [*names, ""], strict=True))


def level_and_text(log: str) -> list[str]:
    """The lines of a log without their times."""
    return [line.partition("Z ")[2] for line in log.splitlines()]
