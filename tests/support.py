"""What tests of every kind share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import hypothesis

T = TypeVar("T")

# `make test` sets it: all examples and all cases of the tests that take only a part of them
# otherwise, so that the unit tests can be run after every change.
FULL = bool(os.environ.get("HELR_FULL"))
PART = 5


def examples(count: int = 100, **options: object) -> hypothesis.settings:
    """The settings of a test with that many random examples; a fifth of them unless FULL."""
    return hypothesis.settings(max_examples=count if FULL else count // PART, **options)


def some(cases: Sequence[T], first: int = 0) -> Sequence[T]:
    """All of these cases; every fifth, beginning with number `first % 5`, unless FULL."""
    return cases if FULL else cases[first % PART :: PART]
