"""Authentication: one file per `auth.type`, named after it.

A kind is a module here with a function `open(options)` that returns an Auth.
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
    """A secret is missing, unreadable or unusable when it is needed."""


class Auth(Protocol):
    def check(self) -> Problem | None:
        """Why the secret cannot be used: names its variable or file, but never its value.

        The value is registered with helr.secrets.
        """
        ...

    def flow(self, request: Request) -> Flow:
        """A generator that yields requests to send and receives their responses, until it returns
        the final response. Each time, the current secret is read. Raises SecretError."""
        ...


class Anonymous:
    """No `auth` in the configuration."""

    def check(self) -> Problem | None:
        return None

    def flow(self, request: Request) -> Flow:
        return (yield request)


def open_auth(options: Options | None) -> Auth:
    """The configured kind. Reads no secret yet."""
    if options is None:
        return Anonymous()
    made: Auth = import_module(f"helr.auth.{options.type}").open(options.options)
    return made
