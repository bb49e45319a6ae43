"""When an output file is rotated, its name after that, and which rotated files are deleted.

`FILE` becomes `FILE.YYYY-MM-DD` or `FILE.YYYY-MM-DD.N`: the UTC day of its last write. A name is
never used twice, even if its file was compressed or deleted. The order in which the names were
given shows which file is older; the days may not, because a clock may be wrong.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from helr.errors import UnusableError

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Rotation:
    """`size`: the maximum bytes of a file with more than one step; None: one file per day.

    `keep`: how many rotated files to keep; None: all.
    """

    size: int | None
    keep: int | None = None

    def due(self, file: os.stat_result, adding: int, now: float) -> bool:
        """Whether to rotate the file before adding that many bytes to it."""
        if not file.st_size:
            return False
        if self.size is None:
            return _day(file.st_mtime) < _day(now)
        return file.st_size + adding > self.size


def parse(text: str | None, keep: int | None) -> Rotation | None:
    """`daily` or `size:N` as on the command line. Raises UnusableError."""
    if keep is not None and keep < 1:
        raise UnusableError(f"--output-keep {keep} is too few", do="keep at least 1 rotated file")
    if text is None:
        if keep is not None:
            raise UnusableError("--output-keep requires --output-rotate daily or size:N")
        return None
    if text == "daily":
        return Rotation(None, keep)
    match = re.fullmatch(r"size:(\d{1,9}(?:\.\d+)?)", text, re.ASCII)
    size = int(float(match[1]) * _MEGABYTE) if match else 0
    if not size:
        raise UnusableError(
            f"--output-rotate {text} is neither daily nor size:N",
            do="give daily, or size:N with N megabytes",
        )
    return Rotation(size, keep)


def next_name(path: str, written: float, given: Sequence[str]) -> str:
    """An unused name for a file that was last written at that time (Unix seconds).

    `given`: the names (without directory) of earlier files, including deleted ones.
    """
    day, pattern = _day(written), _pattern(path)
    used = [number for a_day, number, _, _ in _rotated(path) if a_day == day]
    matches = [match for match in map(pattern.fullmatch, given) if match and match[1] == day]
    used += [int(match[2] or 0) for match in matches]
    return f"{path}.{day}" + (f".{max(used) + 1}" if used else "")


def prune(path: str, keep: int, given: Sequence[str]) -> list[str]:
    """Delete all but the last `keep` rotated files; returns the deleted ones. Raises OSError.

    `given`: names in the order in which they were given. Files with other names are older; they
    are ordered by day and number.
    """
    order = {name: index for index, name in enumerate(given)}
    files = sorted(
        (order.get(os.path.basename(file), -1), day, number, file)
        for day, number, suffix, file in _rotated(path)
        if not suffix
    )
    gone = [
        file
        for *_, file in files[: max(len(files) - keep, 0)]
        if stat.S_ISREG(os.lstat(file).st_mode)
    ]
    for file in gone:
        os.unlink(file)
    return gone


def _rotated(path: str) -> Iterator[tuple[str, int, str, str]]:
    """Day, number, suffix (of a compressed one, say) and path of each rotated file."""
    folder, pattern = os.path.dirname(path), _pattern(path)
    for entry in os.listdir(folder):
        match = pattern.fullmatch(entry)
        if match:
            yield match[1], int(match[2] or 0), match[3] or "", os.path.join(folder, entry)


def _pattern(path: str) -> re.Pattern[str]:
    base = re.escape(os.path.basename(path))
    return re.compile(base + r"\.(\d{4}-\d\d-\d\d)(?:\.(\d+))?(\.[^\d].*)?", re.ASCII | re.DOTALL)


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))
