"""The schema of a config, which alone defines its keys and values.

In addition to JSON Schema's keywords it has `x-helr`, with these members for a key or a condition:
  default         what applies when the key is absent, unless that is a single value
  message         what to tell the user when the value does not fit; `do`: what to do about it;
                  `at`: the key below it at which this is reported
  ignored         why a key of Helr has no effect here; `unless`: a value that needs no notice
  refused         why a key of Helr cannot be used
  refused_values  the same for values of a key
For editors, numbers and truth values may also be a placeholder such as ${PORT}, and text of
a certain form may contain one; since values are checked after expansion, `loadable` removes
these alternatives.
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
    """The content of the schema file."""
    return FILE.read_bytes()


def parse(data: bytes) -> Schema:
    """The schema from its file's content."""
    schema: Schema = json.loads(data)
    return schema


def loadable(schema: Any) -> Any:
    """A copy that accepts no placeholders in place of values."""
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
        if pattern.endswith("$"):  # which in Python would allow a trailing line break
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
    """The schema of a path of the config."""
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
    return ".".join(part for part in path if isinstance(part, str))


def docs(root: Schema, path: KeyPath) -> str:
    """The command that explains the keys at `path`, or those around it."""
    while path and "properties" not in (at(root, path) or {}):
        path = path[:-1]
    anchor = section(path)
    return f"helr help configuration {anchor}".rstrip()


def ignored(
    values: Any, schema: Schema, root: Schema, path: KeyPath = ()
) -> Iterator[tuple[KeyPath, str]]:
    """The keys in `values` that are accepted but have no effect, each with the reason."""
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
