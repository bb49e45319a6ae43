"""Write the command's help texts into README.md, or with --check fail when they are stale.

They stand between the two marker lines, and come from the parser that the command uses.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from helr.cli import build_parser

README = Path(__file__).resolve().parent.parent / "README.md"
START = "<!-- help: written by `make docs` from the parser; do not edit -->\n"
END = "<!-- end of help -->\n"


def main(args: list[str]) -> int:
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    fresh = before + START + help_texts() + END + after
    if args == ["--check"]:
        if fresh != text:
            print("README.md: the help texts are stale; run: make docs", file=sys.stderr)
            return 1
        return 0
    README.write_text(fresh, encoding="utf-8")
    return 0


def help_texts() -> str:
    os.environ["COLUMNS"] = "80"  # argparse wraps at the terminal's width
    os.environ["NO_COLOR"] = "1"  # Python 3.14 colours help
    return "".join(
        f"\n```\n$ {parser.prog} --help\n{parser.format_help().rstrip()}\n```\n"
        for parser in parsers(build_parser())
    )


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and its subcommands', in the order of the help text."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in dict.fromkeys(action.choices.values()):
                yield from parsers(child)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
