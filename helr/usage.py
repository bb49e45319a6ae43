"""Explains what is wrong with a command line; imported only when something is."""

from __future__ import annotations

import difflib
import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence

from helr.errors import Problem

_CHOICE = re.compile(r"argument (.+?): invalid choice: '?(.*?)'? \(choose from (.*)\)", re.S)


def near(word: str, known: Iterable[str]) -> str:
    """`did you mean WORD?`, or nothing."""
    known = list(known)
    found = difflib.get_close_matches(word, known, 1, 0.65)
    found = found or [name for name in known if name.lower() == word.lower()]
    return f"did you mean {found[0]}?" if found else ""


def unknown_command(word: str, commands: Iterable[str], kind: str = "command") -> Problem:
    """The problem with a word in the place of a command, or of another `kind` of name."""
    commands = list(commands)
    article = "an" if kind[0] in "aeiou" else "a"
    hint = near(word, commands) or f"the {kind}s are {', '.join(commands)}"
    return Problem(f"{word[:60]} is not {article} {kind}", hint)


def explain(message: str, words: Sequence[str]) -> Problem:
    """The problem behind one of argparse's own errors. `words`: the whole command line."""
    choice = _CHOICE.fullmatch(message)
    if choice:
        what, word, given = choice.groups()
        choices = [name.strip(" '") for name in given.split(",")]
        if what in ("COMMAND", "ACTION"):
            return unknown_command(word, choices, what.lower())
        wrong = f"{what} must be {' or '.join(choices)}, not {word[:60]}"
        return Problem(wrong, near(word, choices))
    if message == "the following arguments are required: --source":
        loose = _loose(words)
        return Problem("--source NAME is missing", f"write --source {loose}" if loose else "")
    return Problem(message)


def unexpected(parser: ArgumentParser, left: Sequence[str]) -> Problem:
    """The problem with words that no option and no argument of the command accepts."""
    word = next((word for word in left if word.startswith("-")), left[0])
    options = [name for action in parser._actions for name in action.option_strings]
    if word.startswith("-"):
        name = word.partition("=")[0]
        return Problem(f"{name[:60]} is not an option of {parser.prog}", near(name, options))
    hint = ""
    if re.search(r"[./]", word):
        hint = f"to select the config, write -c {word}"
    elif "--source" in options:
        hint = f"to select a source, write --source {word}"
    return Problem(f"unexpected argument {word[:60]}", hint[:160])


def _loose(words: Sequence[str]) -> str:
    """The word after the command that looks like a source name."""
    after = iter(words[1:])
    for word in after:
        if word in ("-c", "--config"):
            next(after, None)
        elif not word.startswith("-"):
            return word[:60]
    return ""
