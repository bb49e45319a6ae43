"""Dotted paths, compiled to a msgspec Struct that decodes nothing else, and one getter per path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

import msgspec

Getter = Callable[[Any], Any]


class UnfitError(ValueError):
    """One path is inside another, or a key has a character that a Struct field cannot have."""


def compile_paths(paths: Mapping[str, Any]) -> tuple[Any, dict[str, Getter]]:
    """A Struct for `{path: type of its value}`, and a getter per path (None if it is absent).

    The fields are named f0, f1 … Raises UnfitError.
    """
    tree: dict[str, Any] = {}
    if not all(map(_is_fit, "".join(paths))):
        raise UnfitError
    for path, kind in paths.items():
        *branches, leaf = keys = path.split(".")
        if "" in keys:  # msgspec treats an empty name as no name
            raise UnfitError(path)
        node = tree
        for key in branches:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                raise UnfitError(path)
        if leaf in node:
            raise UnfitError(path)
        node[leaf] = kind
    return _struct(tree), {path: _getter(tree, path.split(".")) for path in paths}


def _is_fit(char: str) -> bool:
    return char >= " " and char not in '"\\' and not "\ud800" <= char <= "\udfff"


def _struct(tree: dict[str, Any]) -> Any:
    fields = []
    for number, (key, kind) in enumerate(tree.items()):
        inner = _struct(kind) if isinstance(kind, dict) else kind
        optional = inner if inner in (Any, type(None)) else inner | None
        fields.append((f"f{number}", optional, msgspec.field(default=None, name=key)))
    return msgspec.defstruct("Shape", fields, gc=False)


def _getter(tree: dict[str, Any], path: list[str]) -> Getter:
    names = []
    for key in path:
        names.append(f"f{list(tree).index(key)}")
        tree = tree[key]
    if len(names) == 1:
        return attrgetter(names[0])

    def get(value: Any) -> Any:
        for name in names:
            value = getattr(value, name, None)
        return value

    return get
