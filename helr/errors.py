"""Every failure helr reports, each with its exit status.

The text of an error is the one line a user reads: what happened, where, what to do.
"""

from __future__ import annotations


class HelrError(Exception):
    """A failure with a one-line message; `exit_status` is where it leads."""

    exit_status = 1


class UnusableError(HelrError):
    """Command line, config, secret or output cannot be used; nothing was polled."""

    exit_status = 2


class LockedError(HelrError):
    """Another helr holds the source or the output file."""

    exit_status = 3


class OutputGoneError(HelrError):
    """The reader of the output went away, or the output can no longer be written."""

    exit_status = 4


class PollError(HelrError):
    """A poll failed; the state stands where it was after the last delivered page.

    `retryable`: the same request may succeed when sent again.
    `server_fault`: counts against the circuit breaker (server error, timeout, connection).
    """

    retryable = False
    server_fault = False


class HeldError(PollError):
    """The source may not be asked before `until` (Unix seconds): Retry-After or open breaker.

    `secs`: how long that is from now. Whoever waits goes by it, as the clock may be set meanwhile.
    """

    def __init__(self, message: str, until: float, secs: float) -> None:
        super().__init__(message)
        self.until = until
        self.secs = secs


class StateError(PollError):
    """The state cannot be used now: its disk is full, it is locked or read-only.

    A checkpoint that could not be written stays queued. A restart may help.
    """

    exit_status = 5


class LackingError(HelrError):
    """Memory, threads, open files or room on a disk ran out. A restart may help."""

    exit_status = 5


class DamagedStateError(StateError):
    """The state cannot be used before someone repairs it: no restart helps."""

    exit_status = 2


class ReplacedStateError(StateError):
    """The state file was deleted or replaced while it was open: the next poll opens the new one."""


class Stopped(Exception):  # noqa: N818 - not an error: how a poll ends when a signal asks it to
    """A signal asked helr to stop; whatever was under way ends here."""
