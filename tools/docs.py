"""Write every generated text anew (`make docs`), or with --check fail when one is stale.

Each generator is a program of its own that takes --check too.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent


GENERATORS = [
    [str(TOOLS / "help_texts.py")],
    [str(TOOLS / "errors_doc.py")],
    ["-m", "helr.config.reference"],
    ["-m", "mock_server.reference"],
]


def main(args: list[str]) -> int:
    results = [subprocess.run([sys.executable, *g, *args], check=False) for g in GENERATORS]
    return max((result.returncode for result in results), default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
