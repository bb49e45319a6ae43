"""docs/configuration.md, from the schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helr.config import schema as schemas
from helr.config.problems import KeyPath
from helr.config.schema import Schema

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

_HEAD = """\
<!-- written by `make docs` from schema/helr.schema.json; do not edit -->
# Configuration

helr reads `helr.yaml`, or the file given with `-c`.
`helr init` writes one for Slack, and `helr validate` checks one and shows what it will collect.
With this line at the top, an editor also checks and completes it:

```yaml
# yaml-language-server: $schema=schema/helr.schema.json
```

- **Environment.**
  `${NAME}` in a value or a key is replaced by the variable, `${NAME:-default}` by the default if the variable is unset or empty.
  An unset variable without a default is an error; `$${` is a plain `${`.
  An unquoted value that consists of one placeholder becomes a number, true or false if it looks like one; in quotes, it remains text.
  Values from the environment never change the structure.
- **Values.**
  A key without a value counts as absent.
  Booleans are `true` and `false`.
  Times are in seconds, and may be fractions; sizes are in bytes.
  File names are relative to the working directory.
- **Secrets** are never in the file: `auth` names the variable or file that holds one.
- **Words** such as *chain*, *watermark* and *settled* are explained in the [glossary](glossary.md).
"""  # noqa: E501

_HELR = """\
<a id="helr"></a>
## Keys of Helr

helr accepts a config written for Helr, the Rust program for the same purpose.
Some of its keys change nothing here, and helr says so once.
Ignoring others would mean lost or misread events, so helr refuses them.

| key | what happens |
| --- | --- |
"""

_TYPES = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
}


def pages() -> dict[Path, str]:
    """The page's file and content."""
    return {PAGE: page(schemas.parse(schemas.content()))}


def page(schema: Schema) -> str:
    """The whole page."""
    parts = [_HEAD, "\n", _section("top level", "", schema)]
    for path, below in _objects(schema, schema, ()):
        name = schemas.section(path)
        parts.append(_section(name, name, below, path))
    rows = [_helr_row(path, why) for path, why in _foreign(schema, schema, ())]
    return "".join(parts) + _HELR + "".join(rows)


def _objects(schema: Schema, root: Schema, path: KeyPath) -> Iterator[tuple[KeyPath, Schema]]:
    """Every mapping with keys of its own, in reading order, each before those inside it."""
    for key in schema.get("properties", {}):
        below = schemas.child(schema, root, key) or {}
        if _elements(below):
            yield (*path, key), {**below["items"], "description": below["description"]}
        elif "properties" in below:
            yield (*path, key), below
            yield from _objects(below, root, (*path, key))
        elif path == () and key == "sources":
            yield (key,), below
            source = root["$defs"]["source"]
            yield (key, "NAME"), source
            yield from _objects(source, root, (key, "NAME"))


def _section(title: str, anchor: str, schema: Schema, path: KeyPath = ()) -> str:
    where = "sources.NAME" if path == ("sources", "NAME") else title
    if len(path) > 2:
        where = f"sources.NAME.{title}" if path[0] == "sources" else title
    text = f'<a id="{anchor}"></a>\n' if anchor else ""
    text += f"## {where}\n\n{schema['description']}\n\n" if anchor else ""
    if "properties" not in schema:
        return text
    text += "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n"
    for key, below in schema["properties"].items():
        if not below.get("deprecated"):
            text += _row(key, below, schema, path)
    return text + "\n"


def _row(key: str, schema: Schema, parent: Schema, path: KeyPath) -> str:
    inner = schemas.section((*path, key))
    if "properties" in schema or _elements(schema) or (*path, key) == ("sources",):
        return _cells(
            f"[`{key}`](#{inner})",
            "list of mappings" if _elements(schema) else "mapping",
            _default(key, schema, parent),
            schema["description"],
            "",
        )
    example = schema.get("examples", [""])[0]
    return _cells(
        f"`{key}`",
        _type(schema),
        _default(key, schema, parent),
        schema["description"],
        _code(example),
    )


def _elements(schema: Schema) -> bool:
    """Whether it is a list of mappings with keys of their own."""
    return "properties" in schema.get("items", {})


def _cells(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _type(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(dict.fromkeys(_code(str(value)) for value in schema["enum"]))
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if schema.get("pattern") == schemas.PLACEHOLDER:
        names = [name for name in names if name != "string"]
    return " or ".join(_TYPES[name] for name in names) + _range(schema)


def _range(schema: Schema) -> str:
    low = f"{schema['minimum']}" if "minimum" in schema else ""
    if "exclusiveMinimum" in schema:
        low = f"above {schema['exclusiveMinimum']}"
    high = f"{schema['maximum']}" if "maximum" in schema else ""
    if low and high:
        return f", {low} to {high}"
    return f", {low} or more" if low else ""


def _default(key: str, schema: Schema, parent: Schema) -> str:
    if key in parent.get("required", ()):
        return "**required**"
    if "default" in schema:
        return _code(schema["default"])
    text: str = schemas.annotation(schema).get("default", "")
    return text


def _code(value: Any) -> str:
    if value == "":
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"`{text}`"


def _foreign(schema: Schema, root: Schema, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Keys and values of Helr that are ignored or refused, each with the reason."""
    for key in schema.get("properties", {}):
        below = schemas.child(schema, root, key) or {}
        here: KeyPath = (*path, key)
        if here == ("sources",):
            below, here = root["$defs"]["source"], ("sources", "NAME")
        note = schemas.annotation(below)
        if "ignored" in note:
            kept = f"; `{note['unless']}` is what helr does" if "unless" in note else ""
            yield here, f"ignored: {note['ignored']}{kept}"
        elif "refused" in note:
            yield here, f"refused: {note['refused']}"
        for value, why in note.get("refused_values", {}).items():
            if value.islower() or "_" in value:
                yield (*here, value), f"refused: {why}"
        yield from _foreign(below, root, here)


def _helr_row(path: KeyPath, what: str) -> str:
    return _cells(_code(".".join(map(str, path))), what)
