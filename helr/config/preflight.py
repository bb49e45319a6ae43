"""What a config requires of the machine: secrets, certificates, a state file, the environment.

Checked on every start, since all of it can change while the config stays the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from helr.config.build import auth_from, tls_from
from helr.config.problems import Finding, KeyPath
from helr.config.schema import Schema
from helr.errors import Problem, all_advice
from helr.model import State


def secrets(name: str, source: dict[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """The secrets and certificates of a source that are missing or cannot be read."""
    if "auth" in source:
        from helr.auth import open_auth
        from helr.vendors import hints

        problem = open_auth(auth_from(source["auth"])).check()
        if problem:
            advice = hints.advice(str(source["url"]), code="missing_secret")
            do = all_advice(problem.do, advice)
            place = ("sources", name, "auth", problem.key)
            known = place if problem.key in source["auth"] else place[:-1]
            yield known, Problem(problem.what, do)
    given = source.get("resilience", {}).get("tls", {})
    tls = tls_from(given)
    path: KeyPath = ("sources", name, "resilience", "tls")
    for kind in ("ca", "client_cert", "client_key"):
        file, variable = getattr(tls, f"{kind}_file"), getattr(tls, f"{kind}_env")
        if file is not None:
            if unread := unreadable(file):
                yield (*path, f"{kind}_file"), Problem(unread)
        elif variable is not None and not environ.get(variable):
            unset = Problem(f"the environment variable {variable} is not set")
            yield (*path, f"{kind}_env"), unset


def unreadable(file: str) -> str | None:
    """Why a file cannot be read, in one line."""
    try:
        with Path(file).open("rb") as handle:
            handle.read(1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        where = "" if Path(file).is_absolute() else f" in {Path.cwd()}"
        return f"{file} cannot be read{where}: {reason.lower()}"
    return None


def state_file(state: State, *, permissions: bool = True) -> Problem | None:
    """Why the state file cannot be written.

    `permissions`: check those too. A run does not: they change independently of the config, and
    it finds out when it opens the file.
    """
    if state.backend != "sqlite":
        return None
    if "\0" in state.path:
        return Problem("is not a file name")
    if state.path == ":memory:":
        return Problem("would keep nothing", "set backend: memory if that is intended")
    path = Path(state.path)
    try:
        return _misplaced(path) or (_forbidden(path) if permissions else None)
    except OSError as error:
        return Problem(f"{path} cannot be written: {error.strerror}")


def _misplaced(path: Path) -> Problem | None:
    if path.is_dir():
        return Problem(f"{path} is a directory", "name a file in it")
    if path.exists() and not path.is_file():
        return Problem(f"{path} is not a regular file", "name one, which helr creates if necessary")
    if not path.parent.is_dir():
        what = f"{path} cannot be written: there is no directory {path.parent}"
        return Problem(what, "create it")
    return None


def _forbidden(path: Path) -> Problem | None:
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return Problem(f"{path} cannot be written: no permission to write in {path.parent}")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return Problem(f"{path} cannot be written: no permission")
    return None


def overrides(environ: Mapping[str, str], schema: Schema) -> tuple[dict[str, str], list[str]]:
    """Log settings from the environment, and what is wrong with them."""
    known = schema["properties"]["global"]["properties"]
    found, wrong = {}, []
    for key in ("log_level", "log_format"):
        name = f"HELR_{key.upper()}"
        value = environ.get(name, "").strip().lower()
        if not value:
            continue
        choices: list[str] = known[key]["enum"]
        if value in choices:
            found[key] = value
        else:
            either = ", ".join(choices)
            wrong.append(f"{name}: must be one of {either}, not {environ[name][:40]!r}")
    return found, wrong
