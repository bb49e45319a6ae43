"""A secret that the configuration names by `NAME_env` (a variable) or `NAME_file` (a file).

If both are set, the file is used. It is read at each use, so a rotated secret takes effect at once.
Spaces and line breaks around a secret are dropped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helr.auth import SecretError
from helr.errors import Problem
from helr.secrets import secret

# Usual names of variables; anything else may be the secret itself.
_NAME = re.compile(r"_*[A-Z]{1,16}[0-9]{0,3}(_+[A-Z0-9]{1,16})*|[a-z]{1,12}(_[a-z0-9]{1,12})*")
MAX_BYTES = 65_536  # a secret is short, but the file may be of any size


class Secret:
    """`key`: its name, with which its two keys begin (`token` for `token_env`, `token_file`).

    `prefix`: the word that is sent before it and must not be part of it. `may_be_empty`: like some
    passwords. `shown`: need not be redacted, like a user name. `encoded`: it is sent encoded, so
    it may contain any character.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        key: str,
        *,
        prefix: str = "",
        may_be_empty: bool = False,
        shown: bool = False,
        encoded: bool = False,
    ) -> None:
        self._key = key
        self._path: str | None = options.get(f"{key}_file")
        self._variable: str | None = options.get(f"{key}_env")
        self._prefix = prefix
        self._may_be_empty = may_be_empty
        self._shown = shown
        self._encoding = "utf-8" if encoded else "latin-1"

    def value(self) -> str:
        """The current secret. Raises SecretError."""
        found = self._read()
        if isinstance(found, Problem):
            raise SecretError(found.what, do=found.do)
        if not self._shown:
            secret(found, str(self._path or self._variable))
        return found

    def check(self) -> Problem | None:
        """Why it cannot be used, or None if it can."""
        try:
            self.value()
        except SecretError as error:
            used = f"{self._key}_file" if self._path else f"{self._key}_env"
            return Problem(error.what, error.do, used)
        return None

    def _read(self) -> str | Problem:
        if self._path:
            return self._from_file(self._path)
        if self._variable:
            return self._from_environment(self._variable)
        return Problem(f"auth needs {self._key}_env or {self._key}_file")

    def _from_file(self, path: str) -> str | Problem:
        what = f"the {self._key} file"
        try:
            with Path(path).open("rb") as file:
                raw = file.read(MAX_BYTES)
        except (OSError, ValueError) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower()
            where = "" if os.path.isabs(path) else f" from {os.getcwd()}"
            if _may_be_the_secret(path):
                return Problem(
                    f"{what} (auth.{self._key}_file) cannot be read{where}: {why}",
                    "its name is not shown, in case it is the secret itself",
                )
            return Problem(
                f"{what} {path} (auth.{self._key}_file) cannot be read{where}: {why}",
                "check the path and its permissions",
            )
        place = f"{what} {path} (auth.{self._key}_file)"
        return self._checked(raw.decode("utf-8", "surrogateescape").strip(), place)

    def _from_environment(self, variable: str) -> str | Problem:
        found = os.environ.get(variable)
        if found is not None:
            place = f"the environment variable {variable} (auth.{self._key}_env)"
            return self._checked(found.strip(), place)
        if not _NAME.fullmatch(variable):
            secret(variable)
            return Problem(
                f"the environment variable that auth.{self._key}_env names is not set",
                f"its name is not shown, in case it is the {self._key} itself: put that into a "
                "variable, and the variable's name here",
            )
        return Problem(
            f"the environment variable {variable} (auth.{self._key}_env) is not set",
            f"export {variable} with the {self._key} in it",
        )

    def _checked(self, value: str, place: str) -> str | Problem:
        if not value:
            empty = Problem(f"{place} is empty", f"put the {self._key} into it")
            return value if self._may_be_empty else empty
        if "\n" in value or "\r" in value:
            return Problem(
                f"{place} contains more than one line", f"put only the {self._key} into it"
            )
        if not value.isprintable() and any(ord(c) < 32 or ord(c) == 127 for c in value):
            return Problem(f"{place} contains control characters", f"copy the {self._key} again")
        try:
            value.encode(self._encoding)
        except UnicodeError:
            return Problem(
                f"{place} contains characters that no HTTP header can carry",
                f"copy the {self._key} again",
            )
        if self._prefix and value.lower().startswith(f"{self._prefix.lower()} "):
            return Problem(
                f"{place} includes the word {self._prefix}", f"put only the {self._key} into it"
            )
        return value


def _may_be_the_secret(path: str) -> bool:
    """Whether an unreadable file's name may be the secret, as nothing exists at that path."""
    if os.path.lexists(path.replace("\0", "")):
        return False
    return "/" not in path or not (os.path.isabs(path) or os.path.isdir(os.path.dirname(path)))
