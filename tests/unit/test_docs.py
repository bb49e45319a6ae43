"""The documents' links lead somewhere: to a file of the checkout, and to a heading in it.

Their ```yaml blocks are checked as configs in tests/unit/config/test_schema.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
FENCED = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def prose(path: Path) -> str:
    """The page without its blocks of code."""
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def anchors(path: Path) -> set[str]:
    """What a link into that page may name: its headings as GitHub spells them, and its <a id>."""
    text = prose(path)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return slugs | set(re.findall(r'<a (?:id|name)="([^"]+)"', text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name} links to {link}: no such file"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}: no such heading"


def test_there_are_links_to_check() -> None:
    assert ROOT / "README.md" in PAGES
    assert "docs/slack.md" in LINK.findall(prose(ROOT / "README.md"))
    assert "which-shape" in anchors(ROOT / "docs" / "shippers" / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":  # it names files as they were then
        return
    folders = "helr|tests|tools|mock_server|docs|deploy|schema"
    for name in re.findall(rf"`((?:{folders})/[\w./-]+)`", prose(page)):
        assert "NAME" in name or (ROOT / name).exists(), f"{page.name} names {name}"


def test_the_index_of_decisions_lists_each_of_them() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = LINK.findall(prose(folder / "README.md"))
    pages = sorted(path.name for path in folder.glob("0*.md"))
    assert listed == pages
    numbers = [int(name[:4]) for name in pages]
    assert numbers == list(range(1, len(pages) + 1))
    for name in pages:
        title = (folder / name).read_text(encoding="utf-8").partition("\n")[0]
        assert title.startswith(f"# {name[:4]}: "), name
