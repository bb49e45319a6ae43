"""The failures of an HTTP request: one class for each way to react.

helr/http/diagnosis.py writes their texts; helr/http/client.py reacts to them (retry, breaker).
"""

from __future__ import annotations

from helr.errors import PollError


class ConnectError(PollError):
    """No complete response: DNS, refused, reset, proxy, TLS, a body that was cut short."""

    retryable = True
    server_fault = True


class RequestTimeoutError(PollError):
    """`connect_secs`, `read_secs` or `request_secs` has expired."""

    retryable = True
    server_fault = True


class TrustError(PollError):
    """The server's certificate was not accepted; retrying does not change that."""


class RefusedError(PollError):
    """helr rejects the response: a redirect elsewhere, a body that is too large or unreadable."""


class Late(Exception):  # noqa: N818 - internal: becomes a RequestTimeoutError
    """The limit `key` of `resilience.timeouts`, `secs` long, has expired."""

    def __init__(self, key: str, secs: float) -> None:
        super().__init__(f"{key} ({secs:g} s) has expired")
        self.key = key
        self.secs = secs
