"""A parsed tree to plain values: `${VAR}` expanded, in keys too, text typed, empty keys omitted.

Scalars follow YAML 1.2: `true` and `false` are the only truth values; `yes`, `on` and
`12:30` are text. A value from the environment is always a single scalar.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from helr.config.problems import ConfigError, KeyPath, Problem, dotted
from helr.config.yaml_tree import Document, Node, twice
from helr.errors import Problem as Fault

_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_ANY_CASE = {("global", "log_level"), ("global", "log_format"), ("global", "state", "backend")}
_PLACEHOLDER = r"\$(\$?)\{([^}]*)(\}?)"  # compiled only if there is one
_NAME = r"([A-Za-z_][A-Za-z0-9_]*)(?::-((?s:.*)))?"

_DOCS = "helr help configuration"


class Values:
    """The values of a document.

    `spelled`: how a number or truth value is written, by path. `from_environment`: paths of
    values that contain an expanded placeholder, with that placeholder. `variables`: the
    variables used, as (name, value), by path. `unset`: problems with placeholders, which make
    the value at that path unusable. `empty`: paths of keys without a value, which are not in the
    tree.
    """

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.spelled: dict[KeyPath, str] = {}
        self.from_environment: dict[KeyPath, str] = {}
        self.variables: dict[KeyPath, list[tuple[str, str]]] = {}
        self.unset: dict[KeyPath, Problem] = {}
        self.empty: list[KeyPath] = []
        self._document = document
        self._environ = environ
        self._nodes = 0
        self._named: set[int] = set()  # mappings whose keys are expanded
        self.tree: dict[str, Any] = self._value(document.root, ())

    def text(self, path: KeyPath, value: object) -> str:
        """A scalar as written: `1521214343`, `1.50`, `true`."""
        return self.spelled.get(path, str(value))

    def _value(self, node: Node, path: KeyPath) -> Any:
        self._nodes += 1
        if self._nodes > self._document.most:
            what = f"the aliases expand to more than {self._document.most} values"
            raise ConfigError([Problem(self._document.file, node.line, node.column, "", what)])
        if isinstance(node.items, dict):
            if any("${" in key for key in node.items):
                self._expand_keys(node, path)
            found = {key: self._value(item, (*path, key)) for key, item in node.items.items()}
            if path == ("sources",):  # a source without settings is a mistake, not an absence
                return found
            self.empty += [(*path, key) for key, value in found.items() if value is None]
            return {key: value for key, value in found.items() if value is not None}
        if isinstance(node.items, list):
            return [self._value(item, (*path, i)) for i, item in enumerate(node.items)]
        return self._scalar(node, path)

    def _expand_keys(self, node: Node, path: KeyPath) -> None:
        """Expand `${VAR}` in keys, such as a source name; in the document too, for its places."""
        if id(node) in self._named:  # reached by an alias: an expansion is not expanded again
            return
        self._named.add(id(node))
        assert isinstance(node.items, dict)
        items: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        for key, item in node.items.items():
            name = self._filled(key, (*path, key))
            if (*path, key) in self.unset:
                name = key
            if name in items:
                line, column = node.keys[key]
                fault, where = twice(keys[name][0]), dotted((*path, name))
                problem = Problem(self._document.file, line, column, where, *fault)
                self._document.problems.append(problem)
            else:
                items[name], keys[name] = item, node.keys[key]
        node.items, node.keys = items, keys

    def _scalar(self, node: Node, path: KeyPath) -> Any:
        text, typed = node.text or "", node.plain
        if "${" in text:
            whole = re.fullmatch(_PLACEHOLDER, text)
            typed = typed and whole is not None and not whole.group(1)
            self.from_environment[path] = text
            text = self._filled(text, path)
        if path in _ANY_CASE:
            text = text.lower()
        value = resolve(text) if typed else text
        if value is not None and not isinstance(value, str):
            self.spelled[path] = text
        return value

    def _filled(self, text: str, path: KeyPath) -> str:
        """The text with its placeholders expanded."""
        return re.sub(_PLACEHOLDER, lambda match: self._expand(match, path), text)

    def _expand(self, match: re.Match[str], path: KeyPath) -> str:
        escaped, inside, closed = match.groups()
        if escaped:
            return match.group()[1:]
        found = re.fullmatch(_NAME, inside)
        if not closed or found is None or "${" in inside:
            shown = match.group() if not closed else f"${{{inside}}}"
            do = "write ${NAME}, ${NAME:-default}, or $${ for a literal ${"
            fault = Fault(f"{shown[:60]} is not a placeholder", do)
            self.unset[path] = self._document.problem(path, fault, more=_DOCS)
            return ""
        name, default = found.groups()
        value = self._environ.get(name, "")
        if value:
            self.variables.setdefault(path, []).append((name, value))
        if default is not None:
            return value or default
        if name not in self._environ:
            what = f"the environment variable {name} is not set"
            fault = Fault(what, f"set it, or write ${{{name}:-default}}")
            if str(path[-1]).endswith("_env"):  # no default: that would be a secret in the file
                fault = Fault("must be the name of a variable", f"write {name} without ${{}}")
            self.unset[path] = self._document.problem(path, fault, more=_DOCS)
        return value


def resolve(text: str) -> Any:
    """The value of an unquoted scalar: None, a truth value, a number, or the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789" or len(text) > 100 or text.strip("0123456789+-.eE"):
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return text
    return number if number - number == 0 else text  # not infinite
