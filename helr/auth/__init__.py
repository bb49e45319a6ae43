"""How a source proves who it is: one file per kind of `auth.type`.

A kind is a module here with two functions: `problem(options)`, which says why the secret
cannot be used (never what it is), and `connect(options)`, which gives an Authenticator.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol

from helr.errors import PollError
from helr.model import Auth


class SecretError(PollError):
    """A secret is missing, unreadable or unfit at the moment it is needed."""


class Authenticator(Protocol):
    def headers(self) -> dict[str, str]:
        """The headers for the next request, from the secret as it is now.

        Raises SecretError. What is read is registered with `helr.log.secret`.
        """


class Anonymous:
    """No `auth` in the configuration."""

    def headers(self) -> dict[str, str]:
        return {}


def problem(auth: Auth | None) -> str | None:
    """Why the secret cannot be used, naming its variable or file; None if it can."""
    if auth is None:
        return None
    text: str | None = _kind(auth).problem(auth.options)
    return text


def open_auth(auth: Auth | None) -> Authenticator:
    """The authenticator that the configuration asks for. Reads no secret yet."""
    if auth is None:
        return Anonymous()
    made: Authenticator = _kind(auth).connect(auth.options)
    return made


def _kind(auth: Auth) -> Any:
    return import_module(f"helr.auth.{auth.type}")
