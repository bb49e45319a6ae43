"""What was written in another language than YAML, or lost on the way from another program: one
cause, said instead of all that follows from it. Looked for only in a config that has problems.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from helr.config import schema as schemas
from helr.config.problems import ConfigError, Problem

# In the order in which they are worth saying: pattern of a line, and what to say of the match.
_SIGNS = (
    (
        r"^\s*\[+(?:sources|global)[\w.\"'-]*\]+\s*$",
        "is TOML, and a config is YAML: write the name with a colon, and what belongs to it "
        "indented below it",
    ),
    (
        r"^[ ]*[^\S\n\r\t ]+(?=\S)",
        "is indented with a character that only looks like a space ({code}); delete it and type "
        "spaces",
    ),
    (r"^\s*//", "is a comment of JavaScript; a comment begins with #"),
    (
        r"[:\-,\[]\s+[“”„‘’«»]",
        'has a typographic quotation mark; write " instead',
    ),
    (
        r"\{\{.*?\}\}",
        "is a placeholder of a template, which helr does not fill in; render the file first, or "
        "write ${{NAME}} for an environment variable",
    ),
)
_MOST = 4_000_000  # characters that are looked at
_VARIABLE = re.compile(r"(?<![\w$])\$([A-Za-z_][A-Za-z0-9_]*)")
_KEY = re.compile(r"( *)([\w.-]+):(?: +(.*))?$")


def explained(path: str, error: ConfigError) -> ConfigError:
    """The error, or the one cause behind all its problems."""
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
    for pattern, said in _SIGNS:
        for number, line in enumerate(lines, 1):
            match = re.search(pattern, line)
            if match and not line.lstrip().startswith("#"):
                char = next((c for c in match[0] if c.isspace() and c != " "), " ")
                message = said.format(code=f"U+{ord(char):04X}")
                yield Problem(path, number, match.start() + 1, "", message)
    if any(problem.line for problem in error.problems):
        yield from _flattened(path, lines)


def _flattened(path: str, lines: list[str]) -> Iterator[Problem]:
    """A source whose settings are no further indented than its name, as when it was copied from a
    page that drops blanks."""
    known = set(schemas.parse(schemas.content())["$defs"]["source"]["properties"])
    keys = [(number, m) for number, line in enumerate(lines, 1) if (m := _KEY.match(line))]
    for (number, above), (_, below) in itertools.pairwise(keys):
        indent, name, value = above.groups()
        same = below[1] == indent and not value
        if same and below[2] in known and name not in known | {"sources"}:
            where = "" if indent else f", and {name} belongs under sources:"
            message = (
                f"the settings of {name} are not indented: each belongs two spaces further right "
                f"than the line that it is part of, as `helr init` writes them{where}"
            )
            yield Problem(path, number, len(indent) + 1, "", message)


def _with_variables(lines: list[str], problems: Iterable[Problem]) -> Iterator[Problem]:
    """The problems; one on a line with $NAME says how a variable is written."""
    for problem in problems:
        line = lines[problem.line - 1] if 0 < problem.line <= len(lines) else ""
        match = _VARIABLE.search(line)
        if match is None or "${" in problem.message or "_env" in line:
            yield problem
            continue
        name = match[1]
        message = f"{problem.message}; an environment variable is written ${{{name}}}, not ${name}"
        yield Problem(problem.file, problem.line, problem.column, problem.path, message)
