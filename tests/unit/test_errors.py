"""Errors: the one line that a user reads is made of the fields, and each has its exit status."""

from __future__ import annotations

import pytest

from helr import errors
from helr.errors import HelrError, Problem


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "it broke"),
        ({"where": "a.yaml:3"}, "a.yaml:3: it broke"),
        ({"do": "mend it"}, "it broke; mend it"),
        ({"where": "a.yaml:3", "do": "mend it"}, "a.yaml:3: it broke; mend it"),
    ],
)
def test_a_line_is_source_where_what_do(fields: dict[str, str], text: str) -> None:
    error = HelrError("it broke", **fields)
    assert (str(error), error.text) == (text, text)
    of_source = HelrError("it broke", source="s", **fields)
    assert (str(of_source), of_source.text) == (f"s: {text}", text)


def test_a_problem_is_what_and_do() -> None:
    assert str(Problem("is wrong")) == "is wrong"
    assert str(Problem("is wrong", "mend it")) == "is wrong; mend it"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("PollError", 1),
        ("UnusableError", 2),
        ("DamagedStateError", 2),
        ("LockedError", 3),
        ("OutputGoneError", 4),
        ("StateError", 5),
        ("LackingError", 5),
    ],
)
def test_each_kind_has_its_exit_status(kind: str, status: int) -> None:
    assert getattr(errors, kind)("x").exit_status == status
