"""helr/docs/: the pages that `helr help` prints, copied from docs/.

A link to another page becomes the command that prints it, as a reader of the copy has no tree.
"""

from __future__ import annotations

import re
from pathlib import Path

from helr.commands.help import FOLDER, TOPICS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_CODE = re.compile(r"(^```.*?^```)", re.M | re.S)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")


def sources() -> dict[Path, str]:
    """Each page of docs/ that is a topic, and the topic's name."""
    found = sorted([*DOCS.glob("*.md"), *DOCS.glob("shippers/*.md"), *DOCS.glob("evidence/*.md")])
    return {path: _name(path) for path in found}


def pages() -> dict[Path, str]:
    """What the copies must be."""
    return {FOLDER / f"{name}.md": copy(path) for path, name in sources().items() if name in TOPICS}


def extra() -> list[Path]:
    """Copies of pages that are gone."""
    return [path for path in FOLDER.glob("*") if path.stem not in TOPICS]


def copy(path: Path) -> str:
    """The page for a reader who has only the package."""

    def link(match: re.Match[str]) -> str:
        text, target = match.groups()
        if re.match(r"[a-z]+:", target):
            return match[0]
        return f"{text} ({_reference(path, target)})"

    parts = _CODE.split(path.read_text(encoding="utf-8"))
    return "".join(part if _CODE.fullmatch(part) else _LINK.sub(link, part) for part in parts)


def _name(path: Path) -> str:
    return path.parent.name if path.name == "README.md" else path.stem


def _reference(page: Path, link: str) -> str:
    """What leads a reader of that page from the link to its target."""
    file, _, anchor = link.partition("#")
    target = (page.parent / file).resolve() if file else page
    topic = sources().get(target)
    if topic is None:
        return f"{target.relative_to(ROOT)} in helr's repository"
    return f"`helr help {topic} {anchor}`" if anchor else f"`helr help {topic}`"
