"""Variables are expanded in values and keys, and a scalar is what YAML 1.2 says that it is."""

from __future__ import annotations

from typing import Any

import pytest

from helr.config.expand import Values, resolve
from helr.config.yaml_tree import Document, parse

ENVIRON = {"HOST": "api.example", "N": "5", "EMPTY": "", "YES": "true"}


def values(text: str) -> Values:
    return Values(parse("helr.yaml", text), ENVIRON)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("FALSE", False),
        ("yes", "yes"), ("on", "on"), ("12:30", "12:30"), ("0x1F", "0x1F"), ("1_000", "1_000"),
        ("007", 7), ("-1", -1), ("+5", 5), ("1.50", 1.5), ("1e3", 1000.0), ("1e999", "1e999"),
        (".inf", ".inf"), ("-", "-"), ("1.2.3", "1.2.3"), ("9" * 101, "9" * 101),
    ],
)  # fmt: skip
def test_a_plain_scalar(text: str, value: Any) -> None:
    found = resolve(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${N}", 5),
        ('"${N}"', "5"),
        ("${N}0", "50"),
        ("https://${HOST}/${N}", "https://api.example/5"),
        ("${YES}", True),
        ("${NONE:-7}", 7),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY}", None),
        ("$${N}", "${N}"),
        ("$N", "$N"),
        ("${NONE:-a:-b}", "a:-b"),
    ],
)
def test_a_placeholder(text: str, value: Any) -> None:
    found = values(f"k: {text}")
    assert found.tree.get("k") == value
    assert type(found.tree.get("k")) is type(value)
    assert not found.unset


@pytest.mark.parametrize("text", ["${NONE}", "${}", "${N", "${1N}", "${a b}", "x${N}${NONE}"])
def test_one_that_cannot_be_expanded_makes_the_value_unusable(text: str) -> None:
    [path] = values(f"k: '{text}'").unset
    assert path == ("k",)


def test_a_key_is_expanded_too() -> None:
    found = values("sources:\n  ${HOST}:\n    ${N}: x\n")
    assert found.tree == {"sources": {"api.example": {"5": "x"}}}


def test_keys_that_become_equal_are_a_problem() -> None:
    document: Document = parse("helr.yaml", "k:\n  '5': a\n  ${N}: b\n")
    Values(document, ENVIRON)
    assert [(problem.line, problem.path) for problem in document.problems] == [(3, "k.5")]


def test_what_came_from_where_is_remembered() -> None:
    found = values("a: 1.50\nb: x${N}y\nc:\nsources:\n  s:\n")
    assert found.text(("a",), found.tree["a"]) == "1.50"
    assert found.variables == {("b",): [("N", "5")]}
    assert found.from_environment == {("b",): "x${N}y"}
    assert ("c",) in found.empty
    assert "c" not in found.tree
    assert found.tree["sources"] == {"s": None}  # a mistake, not an absence
