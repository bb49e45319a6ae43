"""What is wrong with a command line, and what was meant: imported only when something is."""

from __future__ import annotations

import difflib
import re
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence

_CHOICE = re.compile(r"argument (.+?): invalid choice: '?(.*?)'? \(choose from (.*)\)", re.S)


def near(word: str, known: Iterable[str]) -> str:
    """`; did you mean WORD?`, or nothing."""
    known = list(known)
    found = difflib.get_close_matches(word, known, 1, 0.65)
    found = found or [name for name in known if name.lower() == word.lower()]
    return f"; did you mean {found[0]}?" if found else ""


def unknown_command(word: str, commands: Iterable[str]) -> str:
    """What to say of a word where a command belongs."""
    commands = list(commands)
    hint = near(word, commands) or f"; the commands are {', '.join(commands)}"
    return f"{word[:60]} is not a command{hint}"


def explain(parser: ArgumentParser, message: str, words: Sequence[str]) -> str:
    """The line for an error of argparse's own. `words`: the whole command line."""
    choice = _CHOICE.fullmatch(message)
    if choice:
        what, word, given = choice.groups()
        choices = [name.strip(" '") for name in given.split(",")]
        if what in ("COMMAND", "ACTION"):
            return unknown_command(word, choices).replace("a command", f"an {what.lower()}", 1)
        return f"{what} must be {' or '.join(choices)}, not {word[:60]}{near(word, choices)}"
    if message == "the following arguments are required: --source":
        loose = _loose(words)
        return f"--source NAME is missing{f'; write --source {loose}' if loose else ''}"
    return message


def unexpected(parser: ArgumentParser, left: Sequence[str]) -> str:
    """The line for words that no option and no argument of this command takes."""
    word = next((word for word in left if word.startswith("-")), left[0])
    options = [name for action in parser._actions for name in action.option_strings]
    if word.startswith("-"):
        name = word.partition("=")[0]
        return f"{name[:60]} is not an option of {parser.prog}{near(name, options)}"
    hint = ""
    if re.search(r"[./]", word):
        hint = f"; write -c {word} to name the config"
    elif "--source" in options:
        hint = f"; write --source {word} to select a source"
    return f"unexpected argument {word[:60]}{hint[:160]}"


def _loose(words: Sequence[str]) -> str:
    """The word after the command that looks like a source's name."""
    after = iter(words[1:])
    for word in after:
        if word in ("-c", "--config"):
            next(after, None)
        elif not word.startswith("-"):
            return word[:60]
    return ""
