"""A wrong command line gets one line of explanation, after the command's own usage."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from helr import cli
from helr.errors import UnusableError


def refused(*words: str) -> list[str]:
    """The lines about a command line that cannot be used."""
    with pytest.raises(UnusableError) as error:
        cli._parse(words)
    return str(error.value).splitlines()


def parsers(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from parsers(child, (*words, name))


COMMANDS = [(words, parser) for words, parser in parsers(cli.build_parser()) if words]
OPTIONS = [
    (words, option, action)
    for words, parser in COMMANDS
    for action in parser._actions
    for option in action.option_strings
    if option.startswith("--")
]
NEEDED = {"test": ("--source", "s"), "show": ("s",), "reset": ("s",), "set": ("s", "cursor", "x")}


@pytest.mark.parametrize(("words", "option"), [(words, option) for words, option, _ in OPTIONS])
def test_a_misspelt_option_is_understood(words: tuple[str, ...], option: str) -> None:
    """With two letters transposed, in every option of every command."""
    wrong = option[:-2] + option[-1] + option[-2]
    if wrong == option:
        wrong = option[:-1]
    lines = refused(*words, wrong, *NEEDED.get(words[-1], ()))
    assert lines[0].startswith(f"usage: helr {' '.join(words)} ")
    assert lines[-1] == (
        f"helr {' '.join(words)}: {wrong} is not an option of helr {' '.join(words)}"
        f"; did you mean {option}?"
    )


@pytest.mark.parametrize("words", [words for words, _ in COMMANDS])
def test_a_misspelt_command_is_understood(words: tuple[str, ...]) -> None:
    *before, name = words
    wrong = name + name[-1]
    kind = "an action" if before else "a command"
    assert refused(*before, wrong)[-1].endswith(f"{wrong} is not {kind}; did you mean {name}?")
    assert refused(*before, name.upper())[-1].endswith(f"did you mean {name}?")


NUMBERS = (
    "", " ", "nan", "inf", "-inf", "1e400", "1e5", "1_000", "0x10", "٣", "²", "1" + "0" * 400,
    "9" * 5000, "-1", "1:30", "true", "1,5", "½",
)  # fmt: skip
NUMERIC = [
    (words, option)
    for words, option, action in OPTIONS
    if callable(action.type) and action.nargs is None
]


def test_there_are_numeric_options() -> None:
    assert {option for _, option in NUMERIC} == {"--max-age", "--output-keep"}


@pytest.mark.parametrize(("words", "option"), NUMERIC)
@pytest.mark.parametrize("text", NUMBERS)
def test_an_odd_number_is_refused(words: tuple[str, ...], option: str, text: str) -> None:
    last = refused(*words, f"{option}={text}")[-1]
    assert f"{option}: must be a" in last
    assert len(last) < 200


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (["test", "slack"], "--source NAME is missing; write --source slack"),
        (["test", "-c", "x.yaml"], "--source NAME is missing"),
        (["run", "slack"], "unexpected argument slack; to select a source, write --source slack"),
        (
            ["validate", "a.yaml"],
            "unexpected argument a.yaml; to select the config, write -c a.yaml",
        ),
        (["validate", "--format", "jsno"], "must be text or json, not jsno; did you mean json?"),
        (["help", "slack", "token", "x"], "helr help: unexpected argument x"),
        (["-qc", "x", "status", "--nope"], "--nope is not an option of helr status"),
        (["state", "show", "a", "b"], "helr state show: unexpected argument b"),
    ],
)
def test_an_error_is_explained(words: list[str], end: str) -> None:
    assert refused(*words)[-1].endswith(end)


@pytest.mark.parametrize("words", [["-qcx", "run"], ["-c", "x", "-q", "run"], ["--config=x", "-q"]])
def test_options_before_the_command(words: list[str]) -> None:
    args = cli._parse(words)
    assert (args.command, args.config, args.quiet) == ("run", "x", True)
