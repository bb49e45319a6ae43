"""What can go wrong between helr and an answer: one class for each way to react.

The texts are made in `faults.py`, the reactions (retry, breaker) in `client.py`.
"""

from __future__ import annotations

from helr.errors import PollError


class ConnectError(PollError):
    """No whole answer came: DNS, refused, reset, proxy, TLS, a body that was cut short."""

    retryable = True
    server_fault = True


class RequestTimeoutError(PollError):
    """`connect_secs`, `read_secs` or `request_secs` ran out."""

    retryable = True
    server_fault = True


class TrustError(PollError):
    """The server's certificate was not accepted; asking again does not change that."""


class RefusedError(PollError):
    """An answer that helr does not take: a redirect elsewhere, a body too large or unreadable."""


class Late(Exception):  # noqa: N818 - internal: becomes a RequestTimeoutError with its text
    """The limit named `key` (of `resilience.timeouts`), `secs` long, ran out."""

    def __init__(self, key: str, secs: float) -> None:
        super().__init__(f"{key} ({secs:g} s) ran out")
        self.key = key
        self.secs = secs
