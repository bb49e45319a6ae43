"""Checks and notes of a release: `python -m tools.release check|notes TAG`.

check: fail unless the tag is `v` and helr's version, and the changelog has a dated section for it.
notes: print that section.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import helr

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def notes(changelog: str, version: str) -> str | None:
    """The changelog's section for a version; None without a dated section."""
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    found = re.search(rf"{heading}\n(.*?)(?=^## \[|^\[|\Z)", changelog, re.M | re.S)
    return found[1].strip() + "\n" if found else None


def problem(tag: str, changelog: str) -> str | None:
    """Why this tag cannot be released; None if it can."""
    if tag != f"v{helr.__version__}":
        return f"the tag is {tag}, but helr/__init__.py has version {helr.__version__}"
    if notes(changelog, helr.__version__) is None:
        return f"CHANGELOG.md has no heading '## [{helr.__version__}] - YYYY-MM-DD'"
    return None


def main(args: list[str]) -> int:
    """The exit status."""
    action, tag = args
    changelog = CHANGELOG.read_text(encoding="utf-8")
    wrong = problem(tag, changelog)
    if wrong is not None:
        print(f"release: {wrong}", file=sys.stderr)
        return 1
    if action == "notes":
        print(notes(changelog, helr.__version__), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
