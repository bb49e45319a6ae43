"""What is wrong with a config: where it stands, and one line that says how to put it right."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from helr.errors import UnusableError
from helr.secrets import printable

KeyPath = tuple[str | int, ...]  # from the top of the file to a key or an element


class Problem(msgspec.Struct, frozen=True, order=True):
    """One problem, or one warning. `line` and `column` count from 1; 0 where there is none."""

    file: str
    line: int
    column: int
    path: str  # dotted, as in `sources.slack-audit.url`; empty for the file itself
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return printable(": ".join(part for part in (place, self.path, self.message) if part))


class ConfigError(UnusableError):
    """A config that cannot be used; the text is every problem, one a line, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


def no_such_source(name: str, names: Iterable[str]) -> str:
    """What to say of a source that the config does not have."""
    import difflib

    names = list(names)
    near = difflib.get_close_matches(name, names, 1)
    near = near or [known for known in names if known.lower() == name.lower()]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    hint = f"did you mean {near[0]}?" if near else f"there is: {', '.join(names[:10])}{more}"
    return f"there is no source {name!r}; {hint}"


def dotted(path: KeyPath) -> str:
    """The path as a person writes it: `sources.slack-audit.headers`, `codes[2]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
