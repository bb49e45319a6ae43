"""A tag is released only when it is the version, and the changelog says what is in it."""

from __future__ import annotations

import pytest

import helr
from tools.release import notes, problem

VERSION = helr.__version__
TEXT = f"""\
# Changelog

## [Unreleased]

- not yet

## [{VERSION}] - 2026-11-25

### Added

- this

## [0.0.1] - 2026-01-01

- an older one
"""


def test_the_notes_are_that_versions_section() -> None:
    assert notes(TEXT, VERSION) == "### Added\n\n- this\n"
    assert notes(TEXT, "0.0.1") == "- an older one\n"
    assert notes(TEXT, "0.0") is None


@pytest.mark.parametrize(
    ("tag", "text", "expected"),
    [
        (f"v{VERSION}", TEXT, None),
        (VERSION, TEXT, "the tag is"),
        (f"v{VERSION}.1", TEXT, "the tag is"),
        (f"v{VERSION}", TEXT.replace(" - 2026-11-25", ""), "CHANGELOG.md has no heading"),
        (f"v{VERSION}", TEXT.replace(f"[{VERSION}]", "[9.9.9]"), "CHANGELOG.md has no heading"),
    ],
)
def test_a_tag_must_be_the_version_and_in_the_changelog(
    tag: str, text: str, expected: str | None
) -> None:
    found = problem(tag, text)
    assert (found or "").startswith(expected or "") and (found is None) == (expected is None)
