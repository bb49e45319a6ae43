"""Write every generated text anew (`make docs`), or with --check fail when one is stale.

Each generator is a program of its own that takes --check too.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

TOOLS = Path(__file__).resolve().parent


def generators() -> list[list[str]]:
    """The command line of each generator whose subject exists."""
    found = []
    if find_spec("helr.cli"):
        found.append([str(TOOLS / "readme_help.py")])
    if find_spec("helr.config.reference"):
        found.append(["-m", "helr.config.reference"])
    return found


def main(args: list[str]) -> int:
    results = [subprocess.run([sys.executable, *g, *args], check=False) for g in generators()]
    return max((result.returncode for result in results), default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
