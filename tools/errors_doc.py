"""docs/errors.md, from docs/errors.yaml."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import yaml

from helr.cli import EXIT_STATUS

DOCS = Path(__file__).resolve().parent.parent / "docs"
TABLE, PAGE = DOCS / "errors.yaml", DOCS / "errors.md"
EXAMPLES = {
    "url": "https://api.slack.com/audit/v1/logs",
    "elsewhere": "https://slack.example/audit/v1/logs",
    "when": "2025-10-09T09:45:20Z",
    "n": "12",
    "why": "…",
    "folder": "/var/lib/helr",
    "tries": " (5 tries)",
}
INTRO = """<!-- Written by `make docs` from docs/errors.yaml; do not edit. -->
# Errors: what you see, what it means, what to do

Every failure is one line on standard error that says what happened, where, and what to do.
This page lists those lines as `helr run --once` writes them, wrapped and without the time at the start; `helr test --source NAME` shows the same with more context.
The tests provoke each of them and compare it word for word, except for the URL, times and numbers.
No line ever contains a token.

Unless an entry says otherwise, helr does not try again, and ends with status 1.
Everything before the failure is delivered, the state is at the last delivered page, and the next poll requests the failed page again: nothing that the API returned is lost.
A failed source does not stop the others.

```
{status}
```
"""  # noqa: E501


def pages() -> dict[Path, str]:
    """The page's file and content."""
    return {PAGE: page(yaml.safe_load(TABLE.read_text(encoding="utf-8")))}


def page(table: dict[str, Any]) -> str:
    """The whole document."""
    parts = [INTRO.format(status=EXIT_STATUS.strip())]
    for section in table["sections"]:
        parts.append(f"## {section['title']}\n")
        if "text" in section:
            parts.append(section["text"] + "\n")
        parts += [_entry(entry, table["outcomes"]) for entry in section["entries"]]
    return "\n".join(parts)


def _entry(entry: dict[str, Any], outcomes: dict[str, str]) -> str:
    names = entry.get("faults") or [
        next(entry[kind] for kind in ("case", "warning", "disk") if kind in entry)
    ]
    config = ", ".join(f"`{key}: {value}`" for key, value in _settings(entry))
    lines = [f"### {', '.join(names)}{f' with {config}' if config else ''}\n"]
    shown = [_example(entry[key], entry, names) for key in ("line", "middle") if key in entry]
    if shown:
        lines.append("```\n" + "\n".join(shown) + "\n```\n")
    lines.append(f"- **Means:** {entry['means']}")
    if does := _does(entry, outcomes):
        lines.append(f"- **helr:** {does}")
    lines.append(f"- **Do:** {entry['do']}\n")
    return "\n".join(lines)


def _does(entry: dict[str, Any], outcomes: dict[str, str]) -> str:
    """What helr does, unless the introduction says it."""
    status = f"Exit status {entry['exit']}." if entry["exit"] != 1 else ""
    return f"{outcomes[entry['outcome']]} {status}".strip()


def _settings(entry: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(k, v) for k, v in entry.get("config", {}).items() if not isinstance(v, dict)]


def _example(line: str, entry: dict[str, Any], names: list[str]) -> str:
    first = entry.get("code", {}).get(names[0], names[0])
    known = EXAMPLES | {"fault": first, "code": first}
    text = re.sub(r"\{(\w+)\}", lambda match: known[match[1]], line)
    return textwrap.fill(
        text, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
