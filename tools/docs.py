"""Write every generated file (`make docs`), or with --check fail when one is stale.

They are pages of the docs, and the package's copies of the schema and of pages: files, because a
link in the tree does not survive a checkout on Windows or a download of a single file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools import architecture, config_reference, errors_doc, help_pages, help_texts

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "schema" / "helr.schema.json"
PACKAGED = ROOT / "helr" / "helr.schema.json"


def main(args: list[str]) -> int:
    """The exit status."""
    if args == ["--check"]:
        stale = [*_stale(schema()), *_stale(pages()), *_stale(help_pages.pages())]
        for path in [*stale, *help_pages.extra()]:
            print(f"{path.relative_to(ROOT)} is stale; run: make docs", file=sys.stderr)
        return int(bool(stale or help_pages.extra()))
    _write(schema())  # before the pages, which are made from helr's copy
    _write(pages())  # before their copies
    _write(help_pages.pages())
    for path in help_pages.extra():
        path.unlink()
    return 0


def schema() -> dict[Path, str]:
    """What the package's copy of the schema must be."""
    return {PACKAGED: SCHEMA.read_text(encoding="utf-8")}


def pages() -> dict[Path, str]:
    """What each generated page must be."""
    made = config_reference.pages() | errors_doc.pages() | help_texts.pages()
    return made | architecture.pages()


def _stale(fresh: dict[Path, str]) -> list[Path]:
    return [path for path, text in fresh.items() if _content(path) != text]


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _write(fresh: dict[Path, str]) -> None:
    for path in _stale(fresh):
        path.parent.mkdir(exist_ok=True)
        path.write_text(fresh[path], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
