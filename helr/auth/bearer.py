"""`type: bearer`: a token from `token_file` or `token_env`, sent as `Authorization: Bearer …`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helr.auth import Flow
from helr.auth.secret import Secret
from helr.errors import Problem
from helr.messages import Request, with_headers


class Bearer:
    def __init__(self, options: Mapping[str, Any]) -> None:
        self._prefix = str(options.get("prefix", "Bearer")).strip()
        self._token = Secret(options, "token", prefix=self._prefix)

    def check(self) -> Problem | None:
        return self._token.check()

    def flow(self, request: Request) -> Flow:
        authorization = f"{self._prefix} {self._token.value()}".strip()
        return (yield with_headers(request, Authorization=authorization))


def open(options: Mapping[str, Any]) -> Bearer:  # noqa: A001
    return Bearer(options)
