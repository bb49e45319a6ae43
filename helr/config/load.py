"""From a file's name to a checked config, with every problem reported at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from helr.config import check_cache, preflight, yaml_tree
from helr.config import schema as schemas
from helr.config.build import globals_from, source_from
from helr.config.expand import Values
from helr.config.problems import ConfigError, Finding, KeyPath, Problem, no_such_source
from helr.errors import Problem as Fault
from helr.model import Config, State

_UNBRACED = r"\$([A-Z_][A-Z0-9_]*)"


def load(
    path: str,
    *,
    sources: Sequence[str] = (),
    replay: bool = False,
    environ: Mapping[str, str] = os.environ,
    writes: bool = True,
) -> Config:
    """The config in the file `path`. Raises ConfigError, an UnusableError.

    `sources`: the names selected on the command line; the config then holds only those,
    and only their secrets and placeholders are required. `replay`: no secret and no state
    file is required. `writes`: the state file must be writable.
    """
    with _explaining(path):
        loading = _Loading(yaml_tree.read(path), environ, sources)
        problems = loading.check(trust=True)
        problems += loading.look_around(problems, secrets=not replay, state=writes and not replay)
        if problems:
            raise ConfigError(problems)
    if not writes or replay:
        return loading.config()
    check_cache.remember(*loading.mark)
    return loading.config(warn=not loading.known)


def examine(
    path: str, *, sources: Sequence[str] = (), environ: Mapping[str, str] = os.environ
) -> tuple[Config, list[Problem]]:
    """The config, fully checked, and warnings about it.

    Raises ConfigError. Writes nothing.
    """
    from helr.config.warnings import warnings

    with _explaining(path):
        loading = _Loading(yaml_tree.read(path), environ, sources)
        problems = loading.check(trust=False)
        problems += loading.look_around(problems, secrets=True, state=True, permissions=True)
        if problems:
            raise ConfigError(problems)
    config = loading.config()
    return config, loading.warnings(warnings(config))


@contextmanager
def _explaining(path: str) -> Iterator[None]:
    """If a single cause explains all problems, report it alone."""
    try:
        yield
    except ConfigError as error:
        from helr.config.foreign import explained

        raise explained(path, error) from None


class _Loading:
    """One file while it is being loaded."""

    def __init__(
        self, doc: yaml_tree.Document, environ: Mapping[str, str], selected: Sequence[str]
    ) -> None:
        self.doc = doc
        self.environ = environ
        self.values = Values(doc, environ)
        self.schema_bytes = schemas.content()
        self.schema = schemas.parse(self.schema_bytes)
        self.names = self._select(selected)
        self.overrides, wrong = preflight.overrides(environ, self.schema)
        self.outside = [Problem(doc.file, 0, 0, "", text) for text in wrong]
        self.mark: tuple[Path | None, str] = (None, "")
        self.known = False  # whether an earlier run found these values valid

    @property
    def tree(self) -> dict[str, Any]:
        return self.values.tree

    def _select(self, selected: Sequence[str]) -> list[str]:
        """The names of the sources to use; the others may lack their environment variables."""
        given = self.tree.get("sources")
        if not selected or not isinstance(given, dict):
            return list(given) if isinstance(given, dict) else []
        for name in selected:
            if name not in given:
                raise ConfigError([Problem(self.doc.file, 0, 0, "", *no_such_source(name, given))])
        for name in {str(path[1]) for path in self.values.unset if path[0] == "sources"}:
            if name not in selected:
                del given[name]
        self.values.unset = {
            path: problem
            for path, problem in self.values.unset.items()
            if path[0] != "sources" or path[1] in selected
        }
        return [name for name in given if name in selected]

    def check(self, trust: bool) -> list[Problem]:
        """What is wrong with the values themselves, unless they are known to be valid."""
        problems = [*self.doc.problems, *self.values.unset.values(), *self.outside]
        if not problems:
            self.mark = (
                check_cache.beside_state(self.tree, self.schema),
                check_cache.digest(self.schema_bytes, self.tree, self.values.empty),
            )
            if trust and check_cache.is_known(*self.mark):
                self.mark, self.known = (None, ""), True
                return []
        from helr.config.validation import Checker

        found = Checker(self.doc, self.values, self.schema).problems()
        return problems + found + list(self._contradictions(problems + found))

    def _contradictions(self, problems: list[Problem]) -> Iterator[Problem]:
        from helr.config.rules import contradictions

        given: Any = self.tree.get("sources")
        for name in given if isinstance(given, dict) else ():
            if not _any_below(problems, f"sources.{name}"):
                for path, fault in contradictions(given[name]):
                    yield self.problem(("sources", name, *path), fault)

    def look_around(
        self, problems: list[Problem], *, secrets: bool, state: bool, permissions: bool = False
    ) -> list[Problem]:
        """What the machine lacks, for the valid parts of the config."""
        found: list[Problem] = []
        for name in self.names if secrets else ():
            below = (f"sources.{name}.auth", f"sources.{name}.resilience")
            if _any_at(problems, ("", "sources", f"sources.{name}"), below):
                continue
            needs = preflight.secrets(name, self.tree["sources"][name], self.environ)
            found += [self.problem(path, fault) for path, fault in needs]
        if state and not _any_at(problems, ("", "global"), ("global.state",)):
            fault = preflight.state_file(self._state(), permissions=permissions)
            if fault:
                found.append(self.problem(("global", "state", "path"), fault))
        return found

    def _state(self) -> State:
        return globals_from(self.tree.get("global", {})).state

    def problem(self, path: KeyPath, fault: Fault) -> Problem:
        known = tuple(part for part in path if part != "")
        return self.doc.problem(known, fault, more=schemas.docs(self.schema, path))

    def config(self, *, warn: bool = False) -> Config:
        """`warn`: include warnings about settings that would lose events."""
        from helr.credentials import register_secrets

        whole = globals_from({**self.tree.get("global", {}), **self.overrides})
        sources = {name: source_from(name, self.values, whole) for name in self.names}
        for source in sources.values():
            register_secrets(source)  # before any message about them
        config = Config(
            path=self.doc.file,
            globals=whole,
            sources=sources,
            notices=tuple(self._notices()),
        )
        if not warn:
            return config
        from helr.config.warnings import losses

        return replace(config, warnings=tuple(map(str, self.warnings(losses(config)))))

    def warnings(self, found: Iterable[Finding]) -> list[Problem]:
        return sorted(self.problem(path, fault) for path, fault in found)

    def _notices(self) -> Iterator[str]:
        for path, why in schemas.ignored(self.tree, self.schema, self.schema):
            yield str(self.doc.problem(path, Fault(f"ignored: {why}"), key=True))
        yield from self._unbraced(self.tree, ())

    def _unbraced(self, value: Any, path: KeyPath) -> Iterator[str]:
        """Notices about $NAME, which Helr expands and this program does not."""
        if isinstance(value, dict):
            for key, below in value.items():
                yield from self._unbraced(below, (*path, key))
        elif isinstance(value, str) and "$" in value and path not in self.values.from_environment:
            for name in re.findall(_UNBRACED, value):
                if name in self.environ:
                    fault = Fault(f"${name} is not expanded", f"write ${{{name}}} for the variable")
                    yield str(self.doc.problem(path, fault))


def _any_below(problems: list[Problem], path: str) -> bool:
    return any(problem.path == path or problem.path.startswith(f"{path}.") for problem in problems)


def _any_at(problems: list[Problem], exact: tuple[str, ...], below: tuple[str, ...]) -> bool:
    return any(
        problem.path in exact or any(_any_below([problem], path) for path in below)
        for problem in problems
    )
