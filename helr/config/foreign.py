"""Configs in a language other than YAML, or damaged by copying: one cause, reported instead of all
its consequences. Checked only for a config that has problems.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from helr.config import schema as schemas
from helr.config.problems import ConfigError, Problem
from helr.errors import all_advice

# Pattern of a line, what is wrong with it, what to do about it; the first that matches counts.
_SIGNS = (
    (
        r"^\s*\[+(?:sources|global)[\w.\"'-]*\]+\s*$",
        "is TOML, but a config is YAML",
        "write the name with a colon, and indent its settings below it",
    ),
    (
        r"^[ ]*[^\S\n\r\t ]+(?=\S)",
        "is indented with a character that only looks like a space ({code})",
        "replace it with spaces",
    ),
    (r"^\s*//", "is a JavaScript comment", "start a comment with #"),
    (r"[:\-,\[]\s+[“”„‘’«»]", "has a typographic quotation mark", 'write " instead'),
    (
        r"\{\{.*?\}\}",
        "is a template placeholder, which helr does not expand",
        "render the file first, or write ${{NAME}} for an environment variable",
    ),
)
_MOST = 4_000_000  # characters that are checked
_VARIABLE = re.compile(r"(?<![\w$])\$([A-Za-z_][A-Za-z0-9_]*)")
_KEY = re.compile(r"( *)([\w.-]+):(?: +(.*))?$")


def explained(path: str, error: ConfigError) -> ConfigError:
    """The error, or the single cause of all its problems."""
    try:
        if not Path(path).is_file():  # a device may have no end
            return error
        with open(path, encoding="utf-8") as file:
            lines = file.read(_MOST).splitlines()
    except (OSError, ValueError):
        return error
    cause = next(_causes(path, lines, error), None)
    if cause is not None:
        return ConfigError([cause])
    return ConfigError(_with_variables(lines, error.problems))


def _causes(path: str, lines: list[str], error: ConfigError) -> Iterator[Problem]:
    for pattern, what, do in _SIGNS:
        for number, line in enumerate(lines, 1):
            match = re.search(pattern, line)
            if match and not line.lstrip().startswith("#"):
                char = next((c for c in match[0] if c.isspace() and c != " "), " ")
                shown = what.format(code=f"U+{ord(char):04X}")
                yield Problem(path, number, match.start() + 1, "", shown, do.format())
    if any(problem.line for problem in error.problems):
        yield from _flattened(path, lines)


def _flattened(path: str, lines: list[str]) -> Iterator[Problem]:
    """A source whose settings are not indented, as after copying from a page that drops spaces."""
    known = set(schemas.parse(schemas.content())["$defs"]["source"]["properties"])
    keys = [(number, m) for number, line in enumerate(lines, 1) if (m := _KEY.match(line))]
    for (number, above), (_, below) in itertools.pairwise(keys):
        indent, name, value = above.groups()
        same = below[1] == indent and not value
        if same and below[2] in known and name not in known | {"sources"}:
            what = f"the settings of {name} are not indented"
            do = "indent each by two spaces from its parent, as `helr init` does"
            do += "" if indent else f", and put {name} under sources:"
            yield Problem(path, number, len(indent) + 1, "", what, do)


def _with_variables(lines: list[str], problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems, with advice for those on a line with $NAME."""
    for problem in problems:
        line = lines[problem.line - 1] if 0 < problem.line <= len(lines) else ""
        match = _VARIABLE.search(line)
        if match is None or "${" in problem.message or "_env" in line:
            yield problem
            continue
        advice = f"to use an environment variable, write ${{{match[1]}}}, not ${match[1]}"
        yield replace(problem, do=all_advice(problem.do, advice))
