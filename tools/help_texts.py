"""The commands' help texts in the docs, between two marker lines, from the parsers.

README.md has the command's own, docs/commands.md all of them, docs/mock.md the mock's.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from helr.cli import build_parser
from mock_server.__main__ import build_parser as build_mock_parser

ROOT = Path(__file__).resolve().parent.parent
START = "<!-- help: written by `make docs` from the parser; do not edit -->\n"
END = "<!-- end of help -->\n"


def pages() -> dict[Path, str]:
    """The pages' files and content."""
    os.environ["NO_COLOR"] = "1"  # Python 3.14 colours help
    every = list(_parsers(build_parser()))
    return {
        ROOT / "README.md": _with_help(ROOT / "README.md", every[:1]),
        ROOT / "docs/commands.md": _with_help(ROOT / "docs/commands.md", every),
        ROOT / "docs/mock.md": _with_help(
            ROOT / "docs/mock.md", [build_mock_parser()], columns=100
        ),
    }


def _with_help(path: Path, those: Iterable[argparse.ArgumentParser], *, columns: int = 80) -> str:
    os.environ["COLUMNS"] = str(columns)  # argparse wraps at the terminal's width
    before, rest = path.read_text(encoding="utf-8").split(START)
    return before + START + "".join(map(_help, those)) + END + rest.split(END)[1]


def _help(parser: argparse.ArgumentParser) -> str:
    return f"\n```\n$ {parser.prog} --help\n{parser.format_help().rstrip()}\n```\n"


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and its subcommands', in the order of the help text."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                yield from _parsers(child)
