"""How helr proves to an API who it is: one file per `auth.type`, named after it.

A kind is a module here with a function `open(options)` that gives an Auth.
"""

from __future__ import annotations

from collections.abc import Generator
from importlib import import_module
from typing import Protocol

from helr.errors import PollError, Problem
from helr.messages import Request, Response
from helr.model import Auth as Options

Flow = Generator[Request, Response, Response]


class SecretError(PollError):
    """A secret is missing, unreadable or unfit at the moment it is needed."""


class Auth(Protocol):
    def check(self) -> Problem | None:
        """Why the secret cannot be used, naming its variable or file but never what it is.

        What is read is registered with helr.secrets.
        """
        ...

    def flow(self, request: Request) -> Flow:
        """Yields what is to be sent for a request and is sent the answer to it, until it returns
        the answer that counts. Each time the secret is read as it is now. Raises SecretError."""
        ...


class Anonymous:
    """No `auth` in the configuration."""

    def check(self) -> Problem | None:
        return None

    def flow(self, request: Request) -> Flow:
        return (yield request)


def open_auth(options: Options | None) -> Auth:
    """What the configuration asks for. Reads no secret yet."""
    if options is None:
        return Anonymous()
    made: Auth = import_module(f"helr.auth.{options.type}").open(options.options)
    return made
