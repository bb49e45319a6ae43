"""`type: bearer`: a token from `token_file` or `token_env`, sent as `Authorization: Bearer …`.

The token is read again for each request, so that a rotated file counts at once. Spaces and
line breaks around it are dropped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helr.auth import SecretError
from helr.log import secret

# As variables are called; anything else may be the token.
_NAME = re.compile(r"_*[A-Z]{1,16}[0-9]{0,3}(_+[A-Z0-9]{1,16})*|[a-z]{1,12}(_[a-z0-9]{1,12})*")
MAX_BYTES = 65_536  # a token is short; the file may be anything


class Bearer:
    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def headers(self) -> dict[str, str]:
        token, trouble = _read(self._options)
        if trouble:
            raise SecretError(trouble)
        secret(token, _place(self._options))
        prefix = str(self._options.get("prefix", "Bearer")).strip()
        return {"Authorization": f"{prefix} {token}".strip()}


def connect(options: Mapping[str, Any]) -> Bearer:
    return Bearer(options)


def problem(options: Mapping[str, Any]) -> str | None:
    token, trouble = _read(options)
    if token:
        secret(token, _place(options))
    return trouble


def _place(options: Mapping[str, Any]) -> str:
    return str(options.get("token_file") or options.get("token_env"))


def _read(options: Mapping[str, Any]) -> tuple[str, str | None]:
    """The token and what is wrong with it."""
    path, variable = options.get("token_file"), options.get("token_env")
    if path:
        place = f"the token file {path} (auth.token_file)"
        try:
            with Path(path).open("rb") as file:
                raw = file.read(MAX_BYTES)
        except (OSError, ValueError) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower()
            where = "" if os.path.isabs(path) else f" in {os.getcwd()}"
            if _may_be_the_token(str(path)):
                return "", (
                    f"the token file (auth.token_file) cannot be read{where}: {why}; its name is "
                    "not shown, in case it is the secret itself"
                )
            return "", f"{place} cannot be read{where}: {why}; check the path and its mode"
        text = raw.decode("utf-8", "surrogateescape")
    elif variable:
        place = f"the environment variable {variable} (auth.token_env)"
        found = os.environ.get(variable)
        if found is None:
            if not _NAME.fullmatch(str(variable)):
                secret(str(variable))
                return "", (
                    "the environment variable that auth.token_env names is not set; its name is "
                    "not shown, in case it is the token itself: put that into a variable, and the "
                    "variable's name here"
                )
            return "", f"{place} is not set; export {variable} with the token in it"
        text = found
    else:
        return "", "auth needs token_env or token_file"
    token = text.strip()
    return token, _flaw(token, place, str(options.get("prefix", "Bearer")).strip())


def _may_be_the_token(path: str) -> bool:
    """Whether the name of a file that cannot be read leads nowhere, so that it is better hidden."""
    if os.path.lexists(path.replace("\0", "")):
        return False
    return "/" not in path or not (os.path.isabs(path) or os.path.isdir(os.path.dirname(path)))


def _flaw(token: str, place: str, prefix: str) -> str | None:
    if not token:
        return f"{place} is empty; put the token into it"
    if "\n" in token or "\r" in token:
        return f"{place} holds more than one line; put the token alone into it"
    if not token.isprintable() and any(ord(c) < 32 or ord(c) == 127 for c in token):
        return f"{place} holds control characters; copy the token again"
    try:
        token.encode("latin-1")
    except UnicodeError:
        return f"{place} holds characters that no HTTP header can carry; copy the token again"
    if prefix and token.lower().startswith(f"{prefix.lower()} "):
        return f"{place} holds the word {prefix} too; put the token alone into it"
    return None
