"""Write the command's help into docs/mock.md, or with --check fail when it is stale.

It stands between two marker lines, and comes from the parser and the table of faults.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mock_server.__main__ import build_parser

PAGE = Path(__file__).resolve().parent.parent / "docs" / "mock.md"
START = "<!-- help: written by `make docs` from the parser; do not edit -->\n"
END = "<!-- end of help -->\n"


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    fresh = before + START + help_text() + END + after
    if arguments == ["--check"]:
        if fresh != text:
            print("docs/mock.md: the help text is stale; run: make docs", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


def help_text() -> str:
    """The help as a code block, the same on every terminal."""
    os.environ["COLUMNS"] = "100"
    os.environ["NO_COLOR"] = "1"
    parser = build_parser()
    return f"```\n$ {parser.prog} --help\n{parser.format_help().rstrip()}\n```\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
