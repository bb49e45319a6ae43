"""The schema alone defines a config: it is complete, up to date, and agrees with the model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import helr
from helr.commands import init
from helr.config import schema as schemas
from helr.config.expand import Values
from helr.config.yaml_tree import parse
from helr.model import GlobalConfig
from helr.state.records import RESERVED
from tests.unit.config.conftest import Load

ROOT = Path(helr.__file__).parent.parent
SCHEMA = schemas.parse(schemas.content())
EDITOR = jsonschema.Draft202012Validator(SCHEMA)
LOADED = jsonschema.Draft202012Validator(schemas.loadable(SCHEMA))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator.check_schema(schemas.loadable(SCHEMA))
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"]


def test_the_package_has_a_copy_that_is_up_to_date() -> None:
    """`make docs` writes it. It is not a link, which a checkout on Windows would lose."""
    assert not schemas.FILE.is_symlink()
    assert schemas.FILE.read_bytes() == (ROOT / "schema" / "helr.schema.json").read_bytes()


def keys(
    schema: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Every key: its dotted path, its schema, whether it is required."""
    for key, below in schema.get("properties", {}).items():
        if path == () and key == "sources":
            below = {**below, **SCHEMA["$defs"]["source"]}
        yield ".".join((*path, key)), below, key in schema.get("required", ())
        yield from keys(below, (*path, key))


KEYS = list(keys(SCHEMA, ()))
USED = [(name, schema, required) for name, schema, required in KEYS if not schema.get("deprecated")]


@pytest.mark.parametrize(("name", "schema", "required"), USED, ids=[name for name, _, _ in USED])
def test_every_key_explains_itself(name: str, schema: dict[str, Any], required: bool) -> None:
    assert schema["title"]
    assert schema["description"].endswith(".")
    assert "type" in schema or "enum" in schema
    note = schemas.annotation(schema)
    assert required or "default" in schema or note.get("default"), "what if it is absent?"
    if schema.get("type") != "object":
        assert schema["examples"]
    check = jsonschema.Draft202012Validator(schemas.loadable({**schema, "$defs": SCHEMA["$defs"]}))
    for value in (
        *schema.get("examples", []),
        *([schema["default"]] if "default" in schema else []),
    ):
        check.validate(value)


def test_keys_of_helr_say_what_becomes_of_them() -> None:
    foreign = [(name, schema) for name, schema, _ in KEYS if schema.get("deprecated")]
    assert len(foreign) > 15
    for name, schema in foreign:
        note = schemas.annotation(schema)
        assert note.get("ignored") or note.get("refused"), name
        assert not schema.get("description", "").startswith("TODO")


def test_defaults_agree_with_the_model(loaded: Load) -> None:
    """Setting every default explicitly has no effect."""
    written: dict[str, Any] = {}
    for name, schema, _ in KEYS:
        if "default" in schema and not name.startswith(
            ("sources.state", "sources.from", "sources.auth")
        ):
            here = written
            *parents, last = name.split(".")
            for parent in parents:
                here = here.setdefault(parent, {})
            here[last] = schema["default"]
    source = {
        "url": "https://api.example.com/logs",
        "pagination": {"strategy": "none"},
        "dedupe": {"id_path": "id"},
        "incremental_from": {"state_key": "t", "event_timestamp_path": "t", "param_name": "t"},
    }
    short = loaded(yaml.safe_dump({"sources": {"a": source}}))
    for key, value in written.pop("sources").items():
        if isinstance(value, dict):
            source[key] = {**value, **source.get(key, {})}  # type: ignore[dict-item]
        else:
            source[key] = value
    long = loaded(yaml.safe_dump({**written, "sources": {"a": source}}))
    assert long.globals == short.globals == GlobalConfig()
    assert long.sources == short.sources
    assert len(written["global"]) >= 5
    assert len(source) >= 12


def test_editors_may_see_placeholders_where_numbers_stand() -> None:
    config = {
        "sources": {"a": {"url": "https://e.com", "max_bytes": "${N}", "allow_insecure": "${B}"}}
    }
    EDITOR.validate(config)
    with pytest.raises(jsonschema.ValidationError):
        LOADED.validate(config)


def test_reserved_names_are_the_states_own() -> None:
    source = SCHEMA["$defs"]["source"]["properties"]
    for place in (source["incremental_from"], source["state"]):
        assert set(place["properties"]["state_key"]["not"]["enum"]) == RESERVED


def test_every_pointer_to_the_help_leads_somewhere() -> None:
    page = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    anchors = set(re.findall(r'<a id="([^"]+)"', page))
    gallery = Path(__file__).with_name("gallery.txt").read_text(encoding="utf-8")
    used = set(re.findall(r"\(helr help configuration ([\w.]+)\)", gallery))
    assert len(used) > 10
    assert used <= anchors
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= anchors


def shown() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every config for helr in the project: files, and blocks in Markdown."""
    texts = [("helr init", init.text(1_700_000_000))]
    for pattern in ("*.yaml", "deploy/**/*.yaml"):
        texts += [(path.name, path.read_text("utf-8")) for path in sorted(ROOT.glob(pattern))]
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        blocks = re.findall(r"^```yaml\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
        texts += [(f"{path.name} block {n}", block) for n, block in enumerate(blocks, 1)]
    for name, text in texts:
        if re.search(r"^ *(sources|url|[a-z_]*query_params|[a-z_]+_secs):", text, re.MULTILINE):
            for content in yaml.safe_load_all(text):
                yield name, content
                for inner in _config_map(content):
                    yield name, inner


def _config_map(content: Any) -> Iterator[Any]:
    """Configs that are text in a Kubernetes manifest."""
    data = content.get("data") if isinstance(content, dict) else None
    for key, text in data.items() if isinstance(data, dict) else ():
        if key.endswith(".yaml"):
            yield yaml.safe_load(text)


def config_in(content: Any) -> dict[str, Any] | None:
    """A config, completed if the docs show only a source, or some keys of one."""
    if not isinstance(content, dict) or not content:
        return None
    sources = content.get("sources", {})
    if not all(isinstance(source, dict) and "url" in source for source in sources.values()):
        return None  # another program's
    if content.keys() <= {"sources", "global"}:
        return {"sources": {"a": {"url": "https://e.com"}}, **content}
    if all(isinstance(value, dict) and "url" in value for value in content.values()):
        return {"sources": content}
    if content.keys() <= SCHEMA["$defs"]["source"]["properties"].keys():
        return {"sources": {"a": {"url": "https://e.com", **content}}}
    return None


SHOWN = [(name, found) for name, content in shown() if (found := config_in(content))]


@pytest.mark.parametrize(("name", "config"), SHOWN, ids=[name for name, _ in SHOWN])
def test_every_config_shown_is_right(name: str, config: dict[str, Any]) -> None:
    """For an editor unchanged, and for helr with the defaults of its placeholders."""
    EDITOR.validate(config)
    values = Values(parse(name, yaml.safe_dump(config, sort_keys=False)), {})
    if not values.unset:
        LOADED.validate(values.tree)


def test_the_shipped_ones_are_among_them() -> None:
    assert {"helr init", "helr.yaml"} <= {name for name, _ in SHOWN}


def test_shipped_files_name_their_schema() -> None:
    texts = [init.text(0), *(path.read_text() for path in ROOT.glob("helr*.yaml"))]
    for text in texts:
        assert text.startswith("# yaml-language-server: $schema=")
    found = (ROOT / "helr.yaml").read_text().split("$schema=")[1].split()[0]
    assert (ROOT / found).exists()
