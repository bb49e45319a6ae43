"""JSON values as text and as truth values, as configurations and APIs spell them."""

from __future__ import annotations

from typing import Any

_FALSE = (None, False, 0, "", "false", "0", "no")


def plain_text(value: Any) -> str:
    """As JSON spells it: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def says_false(value: Any) -> bool:
    """Whether it is null, false, 0, or a text that means so, such as "no"."""
    return (value.strip().lower() if isinstance(value, str) else value) in _FALSE


def is_torn(text: str) -> bool:
    """Whether it contains an unpaired surrogate, which can be neither stored nor sent."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
