"""Write the command's help texts into the docs, or with --check fail when they are stale.

README.md has the command's own, docs/commands.md all of them. They stand between two marker lines,
and come from the parser that the command uses.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from helr.cli import build_parser

ROOT = Path(__file__).resolve().parent.parent
START = "<!-- help: written by `make docs` from the parser; do not edit -->\n"
END = "<!-- end of help -->\n"


def main(args: list[str]) -> int:
    os.environ["COLUMNS"] = "80"  # argparse wraps at the terminal's width
    os.environ["NO_COLOR"] = "1"  # Python 3.14 colours help
    every = list(parsers(build_parser()))
    pages = {
        ROOT / "README.md": every[:1],
        ROOT / "docs/commands.md": every,
    }
    stale = [path for path, those in pages.items() if _write(path, those, check="--check" in args)]
    if stale and "--check" in args:
        names = ", ".join(path.name for path in stale)
        print(f"{names}: the help texts are stale; run: make docs", file=sys.stderr)
        return 1
    return 0


def _write(path: Path, those: Iterable[argparse.ArgumentParser], *, check: bool) -> bool:
    """Whether the page was stale."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    fresh = before + START + "".join(map(_help, those)) + END + after
    if fresh != text and not check:
        path.write_text(fresh, encoding="utf-8")
    return fresh != text


def _help(parser: argparse.ArgumentParser) -> str:
    return f"\n```\n$ {parser.prog} --help\n{parser.format_help().rstrip()}\n```\n"


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and its subcommands', in the order of the help text."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                yield from parsers(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
