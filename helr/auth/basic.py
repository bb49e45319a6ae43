"""`type: basic`: user and password (RFC 7617), each from a file or a variable.

An empty password is legal: some APIs take their key as the user.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from helr.auth import Flow
from helr.auth.secret import Secret
from helr.errors import Problem
from helr.messages import Request, with_headers
from helr.secrets import secret


class Basic:
    def __init__(self, options: Mapping[str, Any]) -> None:
        self._user = Secret(options, "user", shown=True, encoded=True)
        self._password = Secret(options, "password", may_be_empty=True, encoded=True)

    def check(self) -> Problem | None:
        return self._user.check() or self._colon() or self._password.check()

    def flow(self, request: Request) -> Flow:
        user, password = self._user.value(), self._password.value()
        token = b64encode(f"{user}:{password}".encode()).decode()
        secret(token, f"basic {user}")
        if not password:
            secret(user, "basic")
        return (yield with_headers(request, Authorization=f"Basic {token}"))

    def _colon(self) -> Problem | None:
        if ":" not in self._user.value():
            return None
        return Problem(
            "the user of auth.type basic contains a colon, which ends it (RFC 7617)",
            "check user_env or user_file",
        )


def open(options: Mapping[str, Any]) -> Basic:  # noqa: A001
    return Basic(options)
