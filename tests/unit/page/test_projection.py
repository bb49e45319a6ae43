"""Paths become a Struct that decodes nothing else, or are said to be unfit for one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from helr.page.projection import UnfitError, compile_paths


def read(paths: dict[str, Any], text: str) -> dict[str, Any]:
    shape, getters = compile_paths(paths)
    found = msgspec.json.decode(text, type=shape)
    return {path: get(found) for path, get in getters.items()}


def test_the_values_at_the_paths_and_none_where_there_are_none() -> None:
    paths = {"id": Any, "actor.user.name": Any, "actor.id": Any, "absent": Any, "actor.x.y": Any}
    text = '{"id": 1, "actor": {"user": {"name": "a", "more": [1]}, "id": null}, "big": [{}]}'
    assert read(paths, text) == {
        "id": 1,
        "actor.user.name": "a",
        "actor.id": None,
        "absent": None,
        "actor.x.y": None,
    }


def test_a_branch_that_is_null_or_absent_has_no_values() -> None:
    assert read({"a.b": Any}, '{"a": null}') == {"a.b": None}
    assert read({"a.b": Any}, "{}") == {"a.b": None}


def test_a_value_of_another_type_is_refused() -> None:
    [event] = read({"events": list[msgspec.Raw]}, '{"events": [ {"a":1} ]}')["events"]
    assert bytes(event) == b'{"a":1}'
    with pytest.raises(msgspec.ValidationError):
        read({"events": list[msgspec.Raw]}, '{"events": 5}')
    with pytest.raises(msgspec.ValidationError):
        read({"a.b": Any}, '{"a": 5}')


@pytest.mark.parametrize(
    "paths",
    [["a", "a.b"], ["a.b", "a"], [""], ["a..b"], ["a."], ['a"b'], ["a\\b"], ["a\nb"]],
)
def test_paths_that_do_not_fit_into_one(paths: list[str]) -> None:
    with pytest.raises(UnfitError):
        compile_paths(dict.fromkeys(paths, Any))


def test_half_a_character_does_not_fit() -> None:
    with pytest.raises(UnfitError):
        compile_paths({"a\ud800": Any})
