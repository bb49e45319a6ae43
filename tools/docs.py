"""Write every generated page anew (`make docs`), or with --check fail when one is stale."""

from __future__ import annotations

import sys
from pathlib import Path

from tools import config_reference, errors_doc, help_texts

ROOT = Path(__file__).resolve().parent.parent


def main(args: list[str]) -> int:
    """The exit status."""
    fresh = config_reference.pages() | errors_doc.pages() | help_texts.pages()
    stale = [path for path, text in fresh.items() if path.read_text(encoding="utf-8") != text]
    if args == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale; run: make docs", file=sys.stderr)
        return int(bool(stale))
    for path in stale:
        path.write_text(fresh[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
