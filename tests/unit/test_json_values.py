"""JSON values as text and as truth values."""

from __future__ import annotations

from typing import Any

import pytest

from helr.json_values import is_torn, plain_text, says_false


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1, "1"), ("No", "No"), (1.5, "1.5")]
)
def test_a_value_is_text_as_json_spells_it(value: Any, text: str) -> None:
    assert plain_text(value) == text


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", " ", "False", "0", " NO "])
def test_some_values_say_false(value: Any) -> None:
    assert says_false(value)


@pytest.mark.parametrize("value", [True, 1, -1, "true", "yes", "off", "none", [], {}, [0]])
def test_all_others_do_not(value: Any) -> None:
    assert not says_false(value)


@pytest.mark.parametrize(
    ("text", "torn"), [("", False), ("a", False), ("\U0001f600", False), ("a\ud83d", True)]
)
def test_an_unpaired_surrogate_tears_a_text(text: str, torn: bool) -> None:
    assert is_torn(text) is torn
