"""The generated parts of bench/README.md, each between two markers."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).resolve().parent / "README.md"


def publish(part: str, text: str) -> None:
    """Replace that part by the text."""
    start, end = f"<!-- {part}: written by --publish -->\n", f"<!-- end of {part} -->\n"
    before, rest = README.read_text(encoding="utf-8").split(start)
    after = rest.split(end)[1]
    README.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")
