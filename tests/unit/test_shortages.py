"""What the machine lacks is recognized behind any error, and in its causes."""

from __future__ import annotations

import errno

import pytest

from helr import shortages


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (MemoryError(), shortages.MEMORY),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), shortages.MEMORY),
        (ImportError("libz.so.1: failed to map segment from shared object"), shortages.MEMORY),
        (RuntimeError("can't start new thread"), shortages.THREADS),
        (OSError(errno.EMFILE, "Too many open files"), shortages.FILES),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), shortages.DISK),
        (ValueError("No space left on device"), shortages.DISK),  # as a library may wrap it
        (OSError(errno.EACCES, "Permission denied"), None),
        (ValueError("anything else"), None),
        (None, None),
    ],
)
def test_of_one_error(error: Exception | None, shortage: object) -> None:
    assert shortages.advice(error) == shortage


def test_of_an_errors_cause() -> None:
    outer, inner = ValueError("cannot import"), MemoryError()
    outer.__cause__ = inner
    assert shortages.advice(outer) == shortages.MEMORY


def test_causes_that_run_in_a_circle_end() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert shortages.advice(one) is None


def test_characters_that_the_locale_lacks_are_shown_in_ascii() -> None:
    error = UnicodeEncodeError("ascii", "aéb", 1, 2, "ordinal not in range")
    found = shortages.advice(error)
    assert found is not None
    assert "encoding ascii" in found.what
    assert r"'\xe9'" in found.what
