"""Every failure helr reports: what happened, where, what to do about it, and its exit status.

Only this file makes the line that a user reads from these fields; the log's JSON lines contain the
fields themselves.
"""

from __future__ import annotations

from typing import NamedTuple


def all_advice(*parts: str) -> str:
    """Several pieces of advice as one; empty ones are left out."""
    return "; ".join(filter(None, parts))


class Problem(NamedTuple):
    """What is wrong with a part of the configuration, and what to do about it. `key`: the key
    below that part which it is about, if one is."""

    what: str
    do: str = ""
    key: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.do}" if self.do else self.what


class HelrError(Exception):
    """A failure. `what` happened; `where`: a file, `file:line` or safe URL; `do`: what
    to do about it; `source`: the name of the source it concerns. Each may be empty but `what`.

    `exit_status`: what the process ends with when nothing worse happens.
    """

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", do: str = "", source: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.do = do
        self.source = source

    @property
    def text(self) -> str:
        """The line for where the source is known already: `WHERE: WHAT; DO`."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}; {self.do}" if self.do else text

    def __str__(self) -> str:
        """The whole line: `SOURCE: WHERE: WHAT; DO`."""
        return f"{self.source}: {self.text}" if self.source else self.text


class UnusableError(HelrError):
    """The command line, the config, a secret or the output cannot be used; nothing was polled."""

    exit_status = 2


class LockedError(HelrError):
    """Another helr has locked the source or the output file."""

    exit_status = 3


class OutputGoneError(HelrError):
    """The reader of the output went away, or the output can no longer be written."""

    exit_status = 4


class PollError(HelrError):
    """A poll failed; the source stays where it was after the last delivered page.

    `retryable`: the same request may succeed when sent again.
    `server_fault`: counts against the circuit breaker (server error, timeout, connection).
    `final`: sending the request again is pointless, with any status.
    `limited`: it means that there were too many requests. `status`: the HTTP status, 0 without.
    """

    retryable = False
    server_fault = False
    final = False
    limited = False
    status = 0


class HeldError(PollError):
    """The source may not be polled before `until` (Unix seconds): Retry-After or open breaker.

    `secs`: how long that is from now; a wait uses it, as the clock may be set during the wait.
    """

    def __init__(
        self,
        what: str,
        *,
        until: float,
        secs: float,
        where: str = "",
        do: str = "",
        source: str = "",
    ) -> None:
        super().__init__(what, where=where, do=do, source=source)
        self.until = until
        self.secs = secs


class StateError(PollError):
    """The state cannot be used now: its disk is full, it is locked or read-only.

    A checkpoint that could not be written stays queued. A restart may help.
    """

    exit_status = 5


class LackingError(HelrError):
    """Memory, threads, open files or disk space ran out. A restart may help."""

    exit_status = 5


class DamagedStateError(StateError):
    """The state cannot be used until it is repaired: a restart does not help."""

    exit_status = 2


class ReplacedStateError(StateError):
    """The state file was deleted or replaced while it was open; the next poll opens the new one."""


class Stopped(Exception):  # noqa: N818 - not an error: how a poll ends when a signal asks it to
    """helr was asked to stop by a signal, which ends any work in progress."""
