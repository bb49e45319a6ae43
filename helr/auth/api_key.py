"""`type: api_key`: a key from `key_file` or `key_env`, sent in the header `header`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from helr.auth import Flow
from helr.auth.secret import Secret
from helr.errors import Problem
from helr.messages import Request, with_headers


class ApiKey:
    def __init__(self, options: Mapping[str, Any]) -> None:
        self._header = str(options["header"])
        self._prefix = str(options.get("prefix", "")).strip()
        self._key = Secret(options, "key", prefix=self._prefix)

    def check(self) -> Problem | None:
        return self._key.check()

    def flow(self, request: Request) -> Flow:
        value = f"{self._prefix} {self._key.value()}".strip()
        return (yield with_headers(request, **{self._header: value}))


def open(options: Mapping[str, Any]) -> ApiKey:  # noqa: A001
    return ApiKey(options)
