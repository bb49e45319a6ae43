"""Checks values against the schema, and explains in a user's words what does not fit.

jsonschema finds what is wrong; this module names the place, the problem and the remedy.
Imported only for a config that has not been checked before.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jsonschema

from helr.config import schema as schemas
from helr.config.expand import Values, resolve
from helr.config.problems import KeyPath, Problem, dotted
from helr.config.schema import Schema
from helr.config.yaml_tree import Document
from helr.errors import Problem as Fault

_PRIVATE = {"auth", "headers", "query_params", "first_request_query_params", "tls", "url"}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
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
    fault: Fault
    ends: bool = False  # findings below `path` are not reported
    missing: tuple[str, ...] = ()  # the absent keys, one of which this is about
    similar: str = ""  # the known key that an unknown one resembles


class Checker:
    """One check of one document's values against the schema."""

    def __init__(self, document: Document, values: Values, schema: Schema) -> None:
        self._document = document
        self._values = values
        self._root = schema

    def problems(self) -> list[Problem]:
        """Every problem that the schema finds, each once."""
        validator = jsonschema.Draft202012Validator(schemas.loadable(self._root))
        findings = list(dict.fromkeys(_misplaced_sources(self._values.tree, self._root)))
        for error in validator.iter_errors(self._values.tree):
            findings += self._explain(error)
        findings += self._unknown_and_empty()
        return [self._problem(finding) for finding in _relevant(findings, self._values.unset)]

    def _problem(self, finding: Finding) -> Problem:
        more = schemas.docs(self._root, finding.path)
        return self._document.problem(finding.path, finding.fault, more=more, key=finding.key)

    def _unknown_and_empty(self) -> Iterator[Finding]:
        """Unknown keys without a value, which are not in the tree."""
        for path in self._values.empty:
            above = schemas.at(self._root, path[:-1]) or {}
            key = str(path[-1])
            if "properties" in above and key not in above["properties"]:
                fault, similar = _unknown(key, None, path[:-1], above["properties"], self._root)
                yield Finding(path, True, fault, ends=True, similar=similar)

    def _explain(self, error: Any) -> Iterator[Finding]:
        path: KeyPath = tuple(error.absolute_path)
        note = schemas.annotation(error.schema)
        rule = str(error.validator)
        if "refused" in note:
            yield Finding(path, True, Fault(f"not supported: {note['refused']}"), ends=True)
        elif rule == "additionalProperties":
            yield from self._unknown_keys(error, path)
        elif rule == "required":
            yield self._missing_key(error, path, note)
        elif "propertyNames" in error.absolute_schema_path:
            yield Finding((*path, str(error.instance)), True, _from_schema(note))
        elif rule == "type":
            yield Finding(path, False, self._wrong_type(error, path), ends=True)
        elif rule == "enum":
            yield self._wrong_choice(error, path, note)
        elif "message" in note:
            yield self._violated(error, path, note)
        else:
            yield Finding(path, False, self._out_of_range(error, path))

    def _unknown_keys(self, error: Any, path: KeyPath) -> Iterator[Finding]:
        known = error.schema["properties"]
        for key in error.instance:
            if key not in known:
                value = error.instance[key]
                fault, similar = _unknown(key, value, path, known, self._root)
                yield Finding((*path, key), True, fault, ends=True, similar=similar)

    def _missing_key(self, error: Any, path: KeyPath, note: dict[str, Any]) -> Finding:
        key = next(name for name in error.validator_value if f"{name!r} is a" in error.message)
        if "message" in note:
            return Finding((*path, *_at(note)), True, _from_schema(note), missing=(key,))
        if self._document.get((*path, key)) is not None:
            return Finding((*path, key), True, Fault("is required, but empty"), missing=(key,))
        about = schemas.at(self._root, (*path, key)) or {}
        example = about.get("examples", [""])[0]
        hint = f"add it, for example `{key}: {example}`" if example else ""
        return Finding(path, True, Fault(f"the key {key} is missing", hint), missing=(key,))

    def _violated(self, error: Any, path: KeyPath, note: dict[str, Any]) -> Finding:
        """A finding in the schema's own words, at the key that it names."""
        at = _at(note)
        alternatives = error.validator_value if error.validator == "anyOf" else []
        missing = tuple(key for other in alternatives for key in other.get("required", ()))
        key = bool(at) or error.validator == "anyOf"
        return Finding((*path, *at), key, _from_schema(note), missing=missing)

    def _wrong_type(self, error: Any, path: KeyPath) -> Fault:
        wanted = error.validator_value
        names = [wanted] if isinstance(wanted, str) else wanted
        either = ", ".join(_KINDS[name] for name in names[:-1])
        last = f", or {_KINDS[names[-1]]}" if len(names) > 2 else f" or {_KINDS[names[-1]]}"
        choice = f"{either}{last}" if either else _KINDS[names[0]]
        hint = _type_hint(error.instance, names, path)
        return Fault(f"must be {choice}, {self._instead(error.instance, path)}", hint)

    def _instead(self, value: Any, path: KeyPath) -> str:
        """What is there instead; never a value that could be a secret."""
        if path in self._values.from_environment:
            return f"not the value of {self._values.from_environment[path]}"
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
        hidden = isinstance(value, str) and bool(_PRIVATE & set(path))
        if isinstance(value, dict | list) or hidden:
            return f"not {kind}"
        quoted = isinstance(value, str) and not isinstance(resolve(value), str)
        return f"not {'the text ' if quoted else ''}{_shown(self._values.text(path, value))}"

    def _wrong_choice(self, error: Any, path: KeyPath, note: dict[str, Any]) -> Finding:
        value = str(error.instance)
        refused = note.get("refused_values", {}).get(value)
        if refused:
            whole = path[:-1] if path[-1] in ("type", "strategy") else path
            fault = Fault(f"{path[-1]} {value}: {refused}")
            return Finding(whole, False, fault, ends=True)
        choices = list(dict.fromkeys(str(choice) for choice in error.validator_value))
        plain = value.lower().replace("-", "_")
        near = [] if plain[:1].isdigit() else difflib.get_close_matches(plain, choices, 1)
        hint = f"did you mean {near[0]}?" if near else ""
        instead = f"not {_shown(value)}"
        if path in self._values.from_environment:
            instead = self._instead(error.instance, path)
        fault = Fault(f"must be {_either(choices)}, {instead}", hint)
        return Finding(path, False, fault, ends=path[-1] in ("type", "strategy"))

    def _out_of_range(self, error: Any, path: KeyPath) -> Fault:
        bound = error.validator_value
        wanted = {
            "minimum": f"must be at least {bound}",
            "exclusiveMinimum": f"must be more than {bound}",
            "maximum": f"must be at most {bound}",
            "minLength": "must not be empty",
            "minItems": "must not be an empty list",
            "minProperties": "must not be empty",
        }[str(error.validator)]
        if "empty" not in wanted:
            wanted += f", {self._instead(error.instance, path)}"
        return Fault(wanted)


def _from_schema(note: dict[str, Any]) -> Fault:
    return Fault(note["message"], note.get("do", ""))


def _at(note: dict[str, Any]) -> KeyPath:
    """The key, below its schema's place, at which a problem is reported."""
    return tuple(filter(None, note.get("at", "").split(".")))


def _type_hint(value: Any, names: list[str], path: KeyPath) -> str:
    """What to do about a value of the wrong type."""
    text = str(value).lower()
    if isinstance(value, list) and len(names) > 1:
        return "join several values with commas, as in a,b"
    if value is None and path[:1] == ("sources",) and len(path) == 2:
        return "indent the settings of the source below its name"
    if isinstance(value, str) and not isinstance(resolve(value), str):
        return "remove the quotes" if value else ""
    if "boolean" in names and text in ("yes", "on", "1"):
        return "did you mean true?"
    if "boolean" in names and text in ("no", "off", "0"):
        return "did you mean false?"
    if "object" in names and isinstance(value, str) and ":" in value:
        return "put a space after the colon of a key" if "://" not in value[:8] else ""
    if str(path[-1]).endswith("_secs") and text[:-1].isdigit() and text[-1] in _UNITS:
        return f"write {int(text[:-1]) * _UNITS[text[-1]]}, in seconds"
    if "string" in names and isinstance(value, bool | int | float):
        return "put it in quotes"
    return ""


def _relevant(findings: Iterable[Finding], unset: Iterable[KeyPath]) -> list[Finding]:
    """The findings that are not mere consequences of another one."""
    findings = list(dict.fromkeys(findings))
    ends = {finding.path for finding in findings if finding.ends}
    known = {(finding.path[:-1], finding.similar) for finding in findings if finding.similar}
    unset = set(unset)
    kept: list[Finding] = []
    places: set[KeyPath] = set()
    for finding in findings:
        above = (finding.path[:length] for length in range(len(finding.path)))
        if any(path in ends for path in above) or finding.path in unset:
            continue
        if finding.path in ends and not finding.ends:
            continue
        near = (finding.path, finding.path[:-1])
        if any((*path, key) in unset for path in near for key in finding.missing):
            continue
        if any((path, key) in known for path in near for key in finding.missing):
            continue
        if not finding.ends or finding.path not in places:
            kept.append(finding)
            places.add(finding.path)
    return kept


def _misplaced_sources(tree: Any, root: Schema) -> Iterator[Finding]:
    """Settings of a source in the place of a source name."""
    sources = tree.get("sources")
    for name, value in sources.items() if isinstance(sources, dict) else ():
        if isinstance(value, dict) and "url" in value:
            continue
        places = list(_places(name, root["$defs"]["source"], ()))
        if places:
            under = dotted(("NAME", *places[0]))
            fault = Fault("is not a source name", f"indent it under sources.{under}")
            yield Finding(("sources", name), True, fault, ends=True)


def _unknown(key: str, value: Any, path: KeyPath, known: Schema, root: Schema) -> tuple[Fault, str]:
    """The problem with an unknown key, and the known key of the same mapping that it resembles."""
    usable = [name for name, schema in known.items() if not schema.get("deprecated")]
    plain = key.lower().replace("-", "_").replace(" ", "_")
    if plain in known:
        return Fault("unknown key", f"did you mean {plain}?"), plain
    if not path and isinstance(value, dict) and "url" in value:
        return Fault("unknown key", f"indent it under sources (sources.{key})"), ""
    base: KeyPath = path[:2] if path[:1] == ("sources",) and len(path) > 1 else ()
    places = [*_places(plain, root["$defs"]["source"], base or ("sources", "NAME"))]
    places += [*_places(plain, root["properties"]["global"], ("global",))]
    if plain == "limit":  # rather a request parameter than pagination.limit
        places = []
    if len(places) == 1 or (places and not difflib.get_close_matches(plain, usable, 1)):
        return Fault("unknown key here", f"move it to {dotted(places[0])}"), ""
    near = difflib.get_close_matches(plain, usable, 1)
    if near:
        return Fault("unknown key", f"did you mean {near[0]}?"), near[0]
    if len(usable) <= 12:
        return Fault("unknown key", f"the keys here are {', '.join(usable)}"), ""
    if isinstance(value, str | int | float):
        return Fault("unknown key", "if it is a request parameter, put it under query_params"), ""
    return Fault("unknown key"), ""


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
