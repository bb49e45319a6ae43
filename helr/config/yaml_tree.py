"""YAML text to a tree that knows the line and column of every node.

Only libyaml's parser is used, and only its events: nothing in the text ever becomes an object
other than mappings, sequences and text. A file that is nested too deeply, is not UTF-8, holds
several documents or expands too far through aliases is refused; duplicate keys are problems.
The number of sources is not limited: `Document.most` bounds only what aliases add.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from helr.config.problems import ConfigError, KeyPath, Problem, dotted
from helr.errors import Problem as Fault

MAX_BYTES = 64 * 1024 * 1024  # a device or a FIFO has no end
MAX_DEPTH = 32
FREE = 100_000  # values that aliases may add to any file …
TIMES = 10  # … plus this many for each value written in it
_FORBIDDEN = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


class Node:
    """A scalar (`text`), a mapping (`items` is a dict) or a sequence (`items` is a list).

    `plain`: the scalar has no quotes. `keys`: line and column of each key of a mapping.
    """

    __slots__ = ("column", "items", "keys", "line", "plain", "text")

    def __init__(self, mark: Any) -> None:
        self.line: int = mark.line + 1
        self.column: int = mark.column + 1
        self.text: str | None = None
        self.plain = False
        self.items: dict[str, Node] | list[Node] | None = None
        self.keys: dict[str, tuple[int, int]] = {}


class Document:
    """A parsed file. `problems` are those that did not prevent the rest from being read."""

    def __init__(self, file: str, root: Node, problems: list[Problem], size: int) -> None:
        self.file = file
        self.root = root
        self.problems = problems
        self.most = most(size)  # values, with aliases expanded

    def problem(self, path: KeyPath, fault: Fault, *, more: str = "", key: bool = False) -> Problem:
        """A problem at the value of `path`, or at its key, or at the nearest parent."""
        line, column = self.where(path, key=key)
        return Problem(self.file, line, column, dotted(path), fault.what, fault.do, more)

    def where(self, path: KeyPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column of the value at `path`, or of its key, or of the nearest parent."""
        node, place = self.root, (self.root.line, self.root.column)
        for depth, part in enumerate(path, 1):
            items = node.items
            if isinstance(items, dict) and part in items:
                place, node = node.keys[str(part)], items[str(part)]
            elif isinstance(items, list) and isinstance(part, int) and part < len(items):
                node = items[part]
                place = (node.line, node.column)
            else:
                return place
            elsewhere = node.items is not None and node.line > place[0]  # its key is clearer
            if depth == len(path) and not (key or elsewhere or (node.plain and not node.text)):
                place = (node.line, node.column)
        return place

    def get(self, path: KeyPath) -> Node | None:
        """The node at `path`, if there is one."""
        node: Node | None = self.root
        for part in path:
            items = node.items if node else None
            if isinstance(items, dict):
                node = items.get(str(part))
            elif isinstance(items, list) and isinstance(part, int) and part < len(items):
                node = items[part]
            else:
                return None
        return node


def most(size: int) -> int:
    """How many values a file with that many of its own may hold with its aliases expanded."""
    return FREE + TIMES * size


def read(file: str) -> Document:
    """The config in that file. Raises ConfigError if it cannot be read or parsed."""
    return parse(file, _decode(file, _bytes(file)))


def _bytes(file: str) -> bytes:
    try:
        with Path(file).open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except FileNotFoundError:
        do = "write one with `helr init`, or name another with `-c FILE`"
        for end, other in ((".yaml", ".yml"), (".yml", ".yaml")):
            near = file.removesuffix(end) + other
            if file.endswith(end) and Path(near).exists():
                do = f"did you mean `-c {near}`?"
        raise ConfigError([Problem(file, 0, 0, "", "no such file", do)]) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([Problem(file, 0, 0, "", f"cannot be read: {reason}")]) from None
    if len(data) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES >> 20} MiB"
        raise ConfigError([Problem(file, 0, 0, "", what, "is it a config?")])
    return data


def _decode(file: str, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError([Problem(file, 1, 1, "", "is UTF-16", "save it as UTF-8")])
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        data = data.removeprefix(b"\xef\xbb\xbf")
        before, what = data[: error.start].decode(), f"byte 0x{data[error.start]:02X} is not UTF-8"
        raise _at(file, before, what, "save the file as UTF-8") from None
    plain = text.replace("\n", "").replace("\r", "").replace("\t", "")
    bad = None if plain.isprintable() else re.search(_FORBIDDEN, text)
    if bad:
        code = f"U+{ord(bad.group()):04X}"
        raise _at(file, text[: bad.start()], f"the control character {code} is not allowed")
    return text


def _at(file: str, before: str, what: str, do: str = "") -> ConfigError:
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return ConfigError([Problem(file, line, column, "", what, do)])


def parse(file: str, text: str) -> Document:
    """The config in that text; raises ConfigError."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", None)
    if loader is None:
        do = "install libyaml and then PyYAML again"
        raise ConfigError([Problem(file, 0, 0, "", "PyYAML was built without libyaml", do)])
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, loader):
            builder.take(type(event).__name__, event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(file, text, error) from None
    if builder.root is None or (builder.root.text == "" and builder.root.plain):
        do = "write a config to start from with `helr init`"
        raise ConfigError([Problem(file, 1, 1, "", "is empty", do)])
    if not isinstance(builder.root.items, dict):
        message = "must be a mapping with the keys `global` and `sources`"
        raise ConfigError([Problem(file, builder.root.line, builder.root.column, "", message)])
    return Document(file, builder.root, builder.problems, builder.size)


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.problems: list[Problem] = []
        self._open: list[tuple[Node, str | None]] = []  # node, the key whose value is next
        self._anchors: dict[str, Node] = {}
        self.size = 0
        self._merged = 0
        self._documents = 0

    def take(self, kind: str, event: Any) -> None:
        if kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                self._refuse(event, "a second document begins here", "write a single document")
        elif kind == "ScalarEvent":
            node = self._node(event)
            node.text, node.plain = event.value, event.style in (None, "")
            self._add(node, event)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            node = self._node(event)
            node.items = {} if kind == "MappingStartEvent" else []
            if len(self._open) >= MAX_DEPTH:
                self._refuse(event, f"is nested more than {MAX_DEPTH} deep")
            self._open.append((node, None))
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            node = self._open.pop()[0]
            self._merge(node, event)
            self._add(node, event)
        elif kind == "AliasEvent":
            self._alias(event)

    def _node(self, event: Any) -> Node:
        if event.tag is not None and event.tag != "!":
            self._refuse(event, f"the tag {event.tag[:60]} is not allowed", "remove it")
        node = Node(event.start_mark)
        self.size += 1
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            self._refuse(event, f"no anchor &{event.anchor} precedes this")
        elif any(node is opened for opened, _ in self._open):
            self._refuse(event, f"*{event.anchor} is inside the node that it refers to")
        else:
            self._add(node, event)

    def _add(self, node: Node, event: Any) -> None:
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1]
        if isinstance(parent.items, list):
            parent.items.append(node)
        elif key is None:
            if node.text is None:
                self._refuse(event, "a key must be plain text")
            self._open[-1] = (parent, self._key(parent, node, event))
        else:
            self._open[-1] = (parent, None)
            self._put(parent, key, node)

    def _key(self, parent: Node, node: Node, event: Any) -> str:
        key = node.text or ""
        assert isinstance(parent.items, dict)
        mark = event.start_mark
        if key in parent.items:
            first = parent.keys[key][0]
            self.problems.append(
                Problem(
                    self.file,
                    mark.line + 1,
                    mark.column + 1,
                    self._path(key),
                    *twice(first),
                )
            )
        else:
            parent.keys[key] = (mark.line + 1, mark.column + 1)
        return key

    def _path(self, key: str) -> str:
        parts = [waiting for _, waiting in self._open[:-1] if waiting is not None]
        return dotted((*parts, key))

    def _put(self, parent: Node, key: str, node: Node) -> None:
        items = parent.items
        assert isinstance(items, dict)
        items.setdefault(key, node)

    def _merge(self, node: Node, event: Any) -> None:
        """Merges what `<<` names into its mapping, whose own keys take precedence."""
        if not isinstance(node.items, dict) or "<<" not in node.items:
            return
        given = node.items["<<"].items
        others = given if isinstance(given, list) else [node.items["<<"]]
        if not all(isinstance(other.items, dict) for other in others):
            return  # stays, and is an unknown key
        del node.items["<<"], node.keys["<<"]
        for other in others:
            assert isinstance(other.items, dict)
            self._merged += len(other.items)
            if self._merged > most(self.size):
                self._refuse(event, f"more than {most(self.size)} keys are merged")
            for key, value in other.items.items():
                if key not in node.items:
                    node.items[key], node.keys[key] = value, other.keys[key]

    def _refuse(self, event: Any, what: str, do: str = "") -> None:
        mark = event.start_mark
        raise ConfigError([Problem(self.file, mark.line + 1, mark.column + 1, "", what, do)])


def twice(first: int) -> Fault:
    """The problem with a key that was on line `first` already."""
    return Fault(f"duplicate key, first on line {first}", "keep only one of them")


def _syntax_error(file: str, text: str, error: Any) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    if "could not find expected ':'" in str(error.problem):
        mark = error.context_mark  # the parser notices the problem only further down
    line, column = mark.line + 1, mark.column + 1
    lines = text.splitlines()
    for number in (mark.line, mark.line - 1):
        found = lines[number] if 0 <= number < len(lines) else ""
        indent = found[: len(found) - len(found.lstrip())]
        if "\t" in indent:
            tab = indent.index("\t") + 1
            return ConfigError(
                [Problem(file, number + 1, tab, "", "is indented with a tab", "use spaces")]
            )
    if "<document start>" in str(error.problem):
        for number, found in enumerate(lines):
            if found.strip() and not found.lstrip().startswith(("#", "---")):
                what = "the first key is indented further than those below it"
                return ConfigError([Problem(file, number + 1, 1, "", what)])
    opened = error.context_mark
    if (opened is not None and opened.line < mark.line) or "quoted scalar" in str(error.context):
        opener = {"'": "quotes", '"': "quotes", "{": "brace", "[": "bracket"}.get(
            lines[opened.line][opened.column : opened.column + 1]
        )
        if opener:
            what = f"the {opener} opened here must be closed before line {line}"
            return ConfigError([Problem(file, opened.line + 1, opened.column + 1, "", what)])
    what = f"is not YAML: {error.problem}"
    if error.context:
        what += f" {error.context}"
    shown = lines[mark.line] if mark.line < len(lines) else ""
    return ConfigError([Problem(file, line, column, "", what, _hint(shown, str(error.problem)))])


def _hint(line: str, problem: str) -> str:
    start = line[max(line.find(":") + 1, 0) :].strip()[:1]
    if "${" in line and re.search(r"[{,][^\"']*\$\{", line):
        return "inside { } put ${…} in quotes"
    if "mapping values are not allowed" in problem:
        return "put a value that contains a colon and a space in quotes, or correct the indentation"
    if "could not find expected ':'" in problem:
        return "write a colon and a space after a key"
    if "alphabetic or numeric" in problem or "cannot start any token" in problem:
        return f"put a value that begins with {start} in quotes" if start else ""
    if "did not find expected key" in problem or "block" in problem:
        return "check the indentation of this line and the quotes above it"
    return ""
