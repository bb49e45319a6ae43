"""The drawing in docs/architecture.md: the layers of setup.cfg, and what each folder imports.

`python -m tools.architecture [TREE]` prints figures of a tree's shape instead, this one's unless
another is given: modules, imports between them, circles, and the length of functions.
"""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- drawing: make docs -->\n", "<!-- end of the drawing -->\n"

Arrows = set[tuple[str, str]]


def pages() -> dict[Path, str]:
    """The page with its drawing."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return {PAGE: f"{before}{BEGIN}{drawing()}{END}{after}"}


def drawing() -> str:
    """Each layer in a row, what is above first: its folders and files, and what they import."""
    modules = _modules(ROOT)
    arrows = {(_room(one), _room(other)) for one, other in _arrows(modules)}
    rows = ["| | what it is | imports |", "| --- | --- | --- |"]
    for layer in _layers():
        for room in layer:
            what = _first_sentence(modules[f"helr.{room}"])
            used = sorted(other for one, other in arrows if one == room != other != "__init__")
            rows.append(f"| **{room}** | {what} | {' '.join(used)} |")
    return "\n".join(rows) + "\n"


def figures(tree: Path) -> str:
    """The shape of a tree, in a few lines."""
    modules = _modules(tree)
    arrows, lengths = _arrows(modules), sorted(_lengths(modules.values()))
    circles = sum((other, one) in arrows for one, other in arrows) // 2
    return (
        f"{len(modules)} modules, {len(arrows)} imports between them, {circles} mutual\n"
        f"{len(lengths)} functions; lines: median {median(lengths):.0f}, "
        f"p90 {quantiles(lengths, n=10)[8]:.0f}, longest {lengths[-1]}"
    )


def _layers() -> list[list[str]]:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    given = config["importlinter:contract:layers"]["layers"].split("\n")
    return [[name.strip().removeprefix("helr.") for name in row.split("|")] for row in given if row]


def _modules(tree: Path) -> dict[str, Path]:
    found = {}
    for path in sorted((tree / "helr").rglob("*.py")):
        name = ".".join(path.relative_to(tree).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def _arrows(modules: dict[str, Path]) -> Arrows:
    """Imports at run time: (module, imported module)."""
    return {
        (name, target)
        for name, path in modules.items()
        for target in _imported(ast.parse(path.read_text(encoding="utf-8")), modules)
        if target != name
    }


def _imported(tree: ast.AST, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "helr":
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in modules else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        else:
            yield from _imported(node, modules)


def _room(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def _first_sentence(path: Path) -> str:
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    return text.partition(". ")[0].removesuffix(".").replace("|", "\\|")


def _lengths(paths: Iterable[Path]) -> Iterator[int]:
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                yield node.end_lineno - node.lineno + 1


if __name__ == "__main__":
    print(figures(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT))
