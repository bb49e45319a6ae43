"""The schema of a config: the one statement of what it may hold.

Beside JSON Schema's own words it carries `x-helr`, which says of a key or of a condition:
  default         what holds when the key is absent, where that is no single value
  message         what to tell the user when the value does not fit; `at`: the key below it
                  that this is said of
  ignored         why a key of Helr changes nothing here; `unless`: the value that is no news
  refused         why a key of Helr cannot be used
  refused_values  the same for values of a key
For editors, numbers and truth values may also be a placeholder such as ${PORT}, and text of
a certain form may hold one; what is checked are the values after expansion, so `loadable`
takes these alternatives away.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helr.config.problems import KeyPath

FILE = Path(__file__).parent.parent / "helr.schema.json"
PLACEHOLDER = r"^\$\{[^}]*\}$"
OR_HOLDS_ONE = r"|\$\{"

Schema = dict[str, Any]


def content() -> bytes:
    """The schema file, as it is."""
    return FILE.read_bytes()


def parse(data: bytes) -> Schema:
    """The schema from its file's content."""
    schema: Schema = json.loads(data)
    return schema


def loadable(schema: Any) -> Any:
    """A copy that takes no placeholder in place of what it stands for."""
    if isinstance(schema, list):
        return [loadable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: loadable(value) for key, value in schema.items()}
    if copy.get("pattern") == PLACEHOLDER:
        del copy["pattern"]
        copy["type"] = next(name for name in copy["type"] if name != "string")
    elif isinstance(copy.get("pattern"), str):
        pattern = copy["pattern"].removesuffix(OR_HOLDS_ONE)
        if pattern.endswith("$"):  # which in Python would let a line break follow
            pattern = pattern[:-1] + r"\Z"
        copy["pattern"] = pattern
    return copy


def annotation(schema: Schema) -> dict[str, Any]:
    """The `x-helr` of a schema."""
    found: dict[str, Any] = schema.get("x-helr", {})
    return found


def child(schema: Schema, root: Schema, key: str | int) -> Schema | None:
    """The schema of a key or an element below an object's or an array's schema."""
    if isinstance(key, int):
        found = schema.get("items")
    else:
        found = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    if not isinstance(found, dict):
        return None
    if "$ref" in found:
        resolved: Schema = root["$defs"][found["$ref"].rpartition("/")[2]]
        return resolved
    return found


def at(root: Schema, path: KeyPath) -> Schema | None:
    """The schema that a path of the config falls under."""
    found: Schema | None = root
    for part in path:
        found = child(found, root, part) if found is not None else None
    return found


def section(path: KeyPath) -> str:
    """The section of docs/configuration.md that describes a path."""
    if path[:1] == ("sources",):
        if len(path) < 2:
            return "sources"
        path = path[2:] or ("source",)
    return ".".join(str(part) for part in path)


def docs(root: Schema, path: KeyPath) -> str:
    """The command that explains the keys at `path`, or around it."""
    while path and "properties" not in (at(root, path) or {}):
        path = path[:-1]
    anchor = section(path)
    return f"helr help configuration {anchor}".rstrip()


def ignored(
    values: Any, schema: Schema, root: Schema, path: KeyPath = ()
) -> Iterator[tuple[KeyPath, str]]:
    """The keys in `values` that are accepted and change nothing, each with the reason."""
    if not isinstance(values, dict):
        return
    for key, value in values.items():
        below = child(schema, root, key)
        if below is None:
            continue
        note = annotation(below)
        if "ignored" not in note:
            yield from ignored(value, below, root, (*path, key))
        elif not (value == note.get("unless") or _switched_off(value)):
            yield (*path, key), note["ignored"]


def _switched_off(value: Any) -> bool:
    return isinstance(value, dict) and value.get("enabled") is False
