"""`error_rules`: what an answer means, in the API's own words.

A rule looks at one path of the body. An absent or null value matches no rule: most answers lack
what only an error has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from helr.json_values import plain_text, says_false
from helr.model import ErrorRule


def meaning(rules: Iterable[ErrorRule], value_at: Callable[[str], Any]) -> str:
    """What the first matching rule says an answer is: `error`, `refused_token`, `rate_limited`,
    `retry` or `empty`; "" when none matches. `value_at`: the value at a path of the body."""
    for rule in rules:
        value = value_at(rule.path)
        if value is not None and _matches(rule, value):
            return rule.then
    return ""


def _matches(rule: ErrorRule, value: Any) -> bool:
    if rule.equals:
        return plain_text(value) in rule.equals
    false = not value if isinstance(value, (list, dict)) else says_false(value)
    return false == rule.falsy
