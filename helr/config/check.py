"""Values against the schema, and what does not fit in a user's words.

jsonschema finds what is wrong; this module says it: where, what, and what was meant.
Imported only when a config has not been checked before.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jsonschema

from helr.config import schema as schemas
from helr.config.document import Document
from helr.config.problems import KeyPath, Problem, dotted
from helr.config.schema import Schema
from helr.config.values import Values

_PRIVATE = {"auth", "headers", "query_params", "first_request_query_params", "tls", "url"}
_KINDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
}


class Finding(NamedTuple):
    """One thing that is wrong: at the value of `path`, or at its key."""

    path: KeyPath
    key: bool
    message: str
    ends: bool = False  # nothing below `path` needs saying any more
    missing: str = ""  # the absent key that this is about
    meant: str = ""  # the key that an unknown one was taken for


class Checker:
    """One check of one document's values against the schema."""

    def __init__(self, document: Document, values: Values, schema: Schema) -> None:
        self._document = document
        self._values = values
        self._root = schema

    def problems(self) -> list[Problem]:
        """Every problem the schema finds, once each."""
        validator = jsonschema.Draft202012Validator(schemas.loadable(self._root))
        findings = list(dict.fromkeys(_misplaced_sources(self._values.tree, self._root)))
        for error in validator.iter_errors(self._values.tree):
            findings += self._explain(error)
        return [self._problem(finding) for finding in _relevant(findings, self._values.unset)]

    def _problem(self, finding: Finding) -> Problem:
        message = f"{finding.message} ({schemas.docs(self._root, finding.path)})"
        return self._document.problem(finding.path, message, key=finding.key)

    def _explain(self, error: Any) -> Iterator[Finding]:
        path: KeyPath = tuple(error.absolute_path)
        note = schemas.annotation(error.schema)
        rule = str(error.validator)
        if "refused" in note:
            yield Finding(path, True, f"not possible: {note['refused']}", ends=True)
        elif rule == "additionalProperties":
            yield from self._unknown_keys(error, path)
        elif rule == "required":
            yield self._missing_key(error, path, note.get("message"))
        elif "propertyNames" in error.absolute_schema_path:
            yield Finding((*path, str(error.instance)), True, note["message"])
        elif rule == "type":
            yield Finding(path, False, self._wrong_type(error, path), ends=True)
        elif rule == "enum":
            yield self._wrong_choice(error, path, note)
        elif "message" in note:
            yield Finding(path, error.validator in ("anyOf", "not"), note["message"])
        else:
            yield Finding(path, False, self._out_of_range(error, path))

    def _unknown_keys(self, error: Any, path: KeyPath) -> Iterator[Finding]:
        known = error.schema["properties"]
        for key in error.instance:
            if key not in known:
                hint, meant = _meant(key, error.instance[key], path, known, self._root)
                yield Finding((*path, key), True, f"unknown key{hint}", ends=True, meant=meant)

    def _missing_key(self, error: Any, path: KeyPath, message: str | None) -> Finding:
        key = next(name for name in error.validator_value if f"{name!r} is a" in error.message)
        if message:
            return Finding(path, True, message, missing=key)
        if self._document.get((*path, key)) is not None:
            return Finding((*path, key), True, "is empty, and is needed", missing=key)
        about = schemas.at(self._root, (*path, key)) or {}
        example = about.get("examples", [""])[0]
        hint = f", for example `{key}: {example}`" if example else ""
        return Finding(path, True, f"the key {key} is missing{hint}", missing=key)

    def _wrong_type(self, error: Any, path: KeyPath) -> str:
        wanted = error.validator_value
        names = [wanted] if isinstance(wanted, str) else wanted
        hint = ""
        if isinstance(error.instance, list) and "string" in names:
            hint = "; join several values with commas, as in a,b"
        elif "boolean" in names and str(error.instance).lower() in ("yes", "on", "1"):
            hint = "; did you mean true?"
        elif "boolean" in names and str(error.instance).lower() in ("no", "off", "0"):
            hint = "; did you mean false?"
        elif "string" in names and isinstance(error.instance, bool | int | float):
            hint = "; put it in quotes"
        either = ", ".join(_KINDS[name] for name in names[:-1])
        choice = f"{either} or {_KINDS[names[-1]]}" if either else _KINDS[names[-1]]
        return f"must be {choice}, {self._instead(error.instance, path)}{hint}"

    def _instead(self, value: Any, path: KeyPath) -> str:
        """What stands there instead; never a value that could be a secret."""
        if path in self._values.from_environment:
            return f"which {self._values.from_environment[path]} did not give"
        if value is None:
            return "but is empty"
        kind = next(
            name
            for name, types in (
                ("a mapping", dict),
                ("a list", list),
                ("true or false", bool),
                ("a number", (int, float)),
                ("text", str),
            )
            if isinstance(value, types)
        )
        if isinstance(value, dict | list) or _PRIVATE & set(path):
            return f"not {kind}"
        return f"not {_shown(self._values.text(path, value))}"

    def _wrong_choice(self, error: Any, path: KeyPath, note: dict[str, Any]) -> Finding:
        value = str(error.instance)
        refused = note.get("refused_values", {}).get(value)
        if refused:
            whole = path[:-1] if path[-1] in ("type", "strategy") else path
            return Finding(whole, False, f"{path[-1]} {value}: {refused}", ends=True)
        choices = list(dict.fromkeys(str(choice) for choice in error.validator_value))
        near = difflib.get_close_matches(value.lower().replace("-", "_"), choices, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        instead = self._instead(error.instance, path) if path[-1] != "type" else ""
        if not instead:
            instead = f"not {_shown(value)}"
        message = f"must be {_either(choices)}, {instead}{hint}"
        return Finding(path, False, message, ends=path[-1] in ("type", "strategy"))

    def _out_of_range(self, error: Any, path: KeyPath) -> str:
        bound = error.validator_value
        wanted = {
            "minimum": f"must be at least {bound}",
            "exclusiveMinimum": f"must be more than {bound}",
            "maximum": f"must be at most {bound}",
            "minLength": "must not be empty",
            "minItems": "must not be an empty list",
            "minProperties": "holds nothing; at least one is needed",
        }[str(error.validator)]
        if "empty" in wanted or "nothing" in wanted:
            return wanted
        return f"{wanted}, {self._instead(error.instance, path)}"


def _relevant(findings: Iterable[Finding], unset: Iterable[KeyPath]) -> list[Finding]:
    """The findings, without those that only follow from another one."""
    findings = list(dict.fromkeys(findings))
    ends = {finding.path for finding in findings if finding.ends}
    said = {(finding.path[:-1], finding.meant) for finding in findings if finding.meant}
    unset = set(unset)
    kept = []
    for finding in findings:
        above = (finding.path[:length] for length in range(len(finding.path)))
        if any(path in ends for path in above) or finding.path in unset:
            continue
        if finding.path in ends and not finding.ends:
            continue
        if finding.missing and (finding.path, finding.missing) in said:
            continue
        kept.append(finding)
    return kept


def _misplaced_sources(tree: Any, root: Schema) -> Iterator[Finding]:
    """Settings of a source that stand where the sources' names do."""
    sources = tree.get("sources")
    for name, value in sources.items() if isinstance(sources, dict) else ():
        if isinstance(value, dict) and "url" in value:
            continue
        places = list(_places(name, root["$defs"]["source"], ()))
        if places:
            under = dotted(("NAME", *places[0]))
            message = f"stands where a source's name belongs; indent it under sources.{under}"
            yield Finding(("sources", name), True, message, ends=True)


def _meant(key: str, value: Any, path: KeyPath, known: Schema, root: Schema) -> tuple[str, str]:
    """What an unknown key was meant to be: a hint, and the key of the same mapping if one."""
    usable = [name for name, schema in known.items() if not schema.get("deprecated")]
    plain = key.lower().replace("-", "_").replace(" ", "_")
    if plain in known:
        return f"; did you mean {plain}?", plain
    if not path and isinstance(value, dict) and "url" in value:
        return f"; a source stands under sources: indent it there (sources.{key})", ""
    base: KeyPath = path[:2] if path[:1] == ("sources",) and len(path) > 1 else ()
    places = [*_places(plain, root["$defs"]["source"], base or ("sources", "NAME"))]
    places += [*_places(plain, root["properties"]["global"], ("global",))]
    if len(places) == 1 or (places and not difflib.get_close_matches(plain, usable, 1)):
        return f" here; it belongs under {dotted(places[0])}", ""
    near = difflib.get_close_matches(plain, usable, 1)
    if near:
        return f"; did you mean {near[0]}?", near[0]
    return f"; known here: {', '.join(usable)}", ""


def _places(key: str, schema: Schema, path: KeyPath) -> Iterator[KeyPath]:
    """The mappings below `schema` that know the key."""
    properties = schema.get("properties", {})
    if key in properties:
        yield path
    for name, below in properties.items():
        yield from _places(key, below, (*path, name))


def _either(choices: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))


def _shown(value: str) -> str:
    return value if len(value) <= 40 and value.isprintable() and value else repr(value[:40])
