"""What is wrong with a config: where, what, and what to do about it, in one line."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from helr import errors
from helr.errors import UnusableError
from helr.secrets import printable

KeyPath = tuple[str | int, ...]  # from the top of the file to a key or an element
Finding = tuple[KeyPath, errors.Problem]  # a path in the config, and what is wrong there


class Problem(msgspec.Struct, frozen=True, order=True):
    """One problem, or one warning. `line` and `column` count from 1; 0 where there is none.

    `more`: the command that prints what the documentation says about it.
    """

    file: str
    line: int
    column: int
    path: str  # dotted, as in `sources.slack-audit.url`; empty for the file itself
    what: str
    do: str = ""
    more: str = ""

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def message(self) -> str:
        """Everything but the place and the path."""
        text = str(errors.Problem(self.what, self.do))
        return f"{text} ({self.more})" if self.more else text

    def __str__(self) -> str:
        return self.line_of()

    def line_of(self, kind: str = "") -> str:
        """The line that a user reads. `kind`: what it is, unless it is a problem."""
        parts = (self.place, kind, self.path, self.message)
        return printable(": ".join(filter(None, parts)))


class ConfigError(UnusableError):
    """A config that cannot be used; the text is every problem, one a line, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(map(str, self.problems)))


def no_such_source(name: str, names: Iterable[str]) -> errors.Problem:
    """The problem with the name of a source that the config does not have."""
    import difflib

    names = list(names)
    near = difflib.get_close_matches(name, names, 1)
    near = near or [known for known in names if known.lower() == name.lower()]
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    are = "the sources are" if len(names) > 1 else "the only source is"
    hint = f"did you mean {near[0]}?" if near else f"{are} {', '.join(names[:10])}{more}"
    return errors.Problem(f"there is no source {name!r}", hint)


def dotted(path: KeyPath) -> str:
    """The path as it is written in messages: `sources.slack-audit.headers`, `codes[2]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
