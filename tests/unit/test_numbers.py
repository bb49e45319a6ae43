"""Numbers from outside: which values are accepted, and that no other value raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.numbers import number, whole

ODD = [
    "", "-", "1e5", "1_000", " 5", "5\n", "٥", "0x10", "NaN", "inf", "9" * 5000, "1." + "0" * 5000,
    float("nan"), float("inf"), -float("inf"), 10**400, True, None, b"5", [], {},
]  # fmt: skip


@pytest.mark.parametrize("value", ODD)
def test_what_is_not_a_number(value: Any) -> None:
    assert number(value, -1e18, 1e18) is None
    assert whole(value) is None


def test_numbers_within_bounds() -> None:
    assert number("-1.5", -2, 2) == number(-1.5, -2, 2) == -1.5
    assert number(2.1, -2, 2) is None
    assert whole("17") == whole(17) == whole(17.0) == 17
    assert whole("17.5") is whole(-1) is whole(2**53 + 1) is None
    assert whole(-1, least=-5) == -1


@given(st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none(), st.booleans()))
def test_any_value_is_within_bounds_or_none(value: Any) -> None:
    found = number(value, 0, 100)
    assert found is None or 0 <= found <= 100
    counted = whole(value, 100)
    assert counted is None or (type(counted) is int and 0 <= counted <= 100)
