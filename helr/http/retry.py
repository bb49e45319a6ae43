"""Tries of one request, as a loop: which failures are tried again, and after how long.

    for attempt in retry.attempts(until=deadline):
        with attempt:
            return decode(attempt.send(request))

Before each try a Retry-After and the circuit breaker are obeyed; after it the breaker is told.
A failure that is not tried again leaves the loop as it is. Every wait is logged and ends on a stop.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from itertools import count
from types import TracebackType

from helr.errors import HeldError, PollError, all_advice
from helr.http import rate_headers
from helr.http.circuit_breaker import Breaker
from helr.http.client import Client
from helr.http.rate_limit import SPENT
from helr.http.retry_after import Note, RetryAfter
from helr.http.wait import MOST_SECS
from helr.messages import Request, Response
from helr.model import Retries
from helr.secrets import redact
from helr.state.records import BREAKER, RETRY_AFTER
from helr.timestamps import spell_duration


class Retry:
    """The tries of one source's requests.

    `retry_after`, `breaker`: what forbids asking. `note`: records a value of the state.
    """

    def __init__(
        self, client: Client, retry_after: RetryAfter, breaker: Breaker, note: Note
    ) -> None:
        self.client = client
        self.retry_after = retry_after
        self.breaker = breaker
        self._note = note
        self._name = client.source.name
        self._resilience = client.source.resilience
        self._clock = client.clock
        self._log = client.log

    def attempts(self, *, until: float | None = None) -> Iterator[Attempt]:
        """Tries until one succeeds. No wait for another goes past `until` (`clock.monotonic()`).

        Raises HeldError; what ends the last try, and Stopped, leave its `with`.
        """
        for number in count(1):
            self.check_held()
            yield Attempt(self, number, until)

    def check_held(self) -> None:
        """Raises HeldError if a Retry-After or an open breaker forbids asking now."""
        for what, barrier, until in (
            ("not polled before", self.retry_after, self.retry_after.until()),
            ("the circuit breaker is open until", self.breaker, self.breaker.blocked_until()),
        ):
            if until is not None:
                raise HeldError(
                    f"{what} {utc(until)}: {barrier.reason}",
                    do=f"`helr state reset {self._name} --hold` lifts this",
                    until=until,
                    secs=barrier.left(),
                    source=self._name,
                )

    def held_back(self) -> dict[str, str | None]:
        """What the state should have of what forbids asking."""
        known = {RETRY_AFTER: self.retry_after.dump(), BREAKER: self.breaker.dump()}
        return {key: value for key, value in known.items() if value is not None}

    def succeeded(self, response: Response | None) -> None:
        """A try brought what was wanted."""
        if response is None:
            return
        was = self.breaker.state()
        if self.breaker.succeeded():
            self._breaker_changed(was)
        if self._resilience.rate_limit.adaptive:
            self._spent(response)

    def failed(
        self, error: PollError, response: Response | None, number: int, until: float | None
    ) -> None:
        """Wait until another try makes sense. Raises the error, or HeldError, where none does."""
        if error.final and self.client.cookie_ignored:
            # only another node of the API may know the token
            error.what += ", and the server sets a cookie"
            error.do = all_advice(error.do, "try `cookies: chain`")
        self._tell_breaker(error, response)
        wait, reason = self._wait_after(error, response, number, until)
        self._log.info(
            "waiting %s, %s", spell_duration(wait), reason, fields={"wait_secs": round(wait, 3)}
        )
        self._clock.sleep(wait)
        self.retry_after.lift()

    # -- the breaker and the server's budget

    def _tell_breaker(self, error: PollError, response: Response | None) -> None:
        was = self.breaker.state()
        if error.server_fault or (response is not None and response.status >= 500):
            changed = self.breaker.failed(redact(error.text))
        else:
            changed = response is not None and self.breaker.succeeded()
        if changed:
            self._breaker_changed(was)

    def _breaker_changed(self, was: str) -> None:
        self._note(BREAKER, self.breaker.dump())
        state = self.breaker.state()
        if state == "open" and was != "open":
            until = self.breaker.blocked_until() or 0
            self._log.warning("circuit breaker: %s → open until %s", was, utc(until))
        elif state != was:
            self._log.info("circuit breaker: %s → %s", was, state)

    def _spent(self, response: Response) -> None:
        limits, now = self._resilience.rate_limit, self._clock.now()
        wait = rate_headers.spent_wait(response.headers, limits, now)
        if wait > self._resilience.retries.max_backoff_secs:
            self._hold(wait, SPENT)
        elif wait > 0:
            self.client.pace.spent(wait)

    # -- how long to wait

    def _wait_after(
        self, error: PollError, response: Response | None, number: int, until: float | None
    ) -> tuple[float, str]:
        """How long to wait before the next try, and why; raises when there is none."""
        retries = self._resilience.retries
        secs, header = self._asked_wait(error, response)
        wait = secs or backoff(retries, number)
        again = (
            number < retries.max_attempts
            and self._is_retryable(error, response)
            and self.breaker.blocked_until() is None
            and (until is None or self._clock.monotonic() + wait < until)
        )
        if secs and (not again or secs > retries.max_backoff_secs):
            raise self._held(error, secs, header) from error
        if not again:
            if number > 1:
                error.what += f" ({number} tries)"
            raise error
        if secs:
            self._hold(secs, redact(error.text))  # a restart meanwhile must not ask sooner
        because = f"{header}, " if header else ""
        text = f"{because}then try {number + 1} of {retries.max_attempts}: {redact(error.text)}"
        return wait, text

    def _is_retryable(self, error: PollError, response: Response | None) -> bool:
        if error.final:
            return False
        if error.retryable or response is None:
            return error.retryable
        status = 429 if error.limited else error.status or response.status
        codes = self._resilience.retries.retryable_status_codes
        if codes is None:
            return status in (408, 429) or status >= 500
        return status in codes

    def _asked_wait(self, error: PollError, response: Response | None) -> tuple[float, str]:
        """Seconds the server asks to wait after a failure, and the header that says so."""
        limits = self._resilience.rate_limit
        if response is None or not limits.respect_headers or error.final:
            return 0.0, ""
        limited = response.status == 429 or error.limited
        now = self._clock.now()
        secs, header = rate_headers.asked_wait(response.headers, limits, now, limited=limited)
        if limited and not secs:
            secs = rate_headers.wait_in_body(bytes(response.body[:4096]), now)
            header = "in the body"
        return (secs, header) if secs else (0.0, "")

    def _held(self, error: PollError, secs: float, header: str) -> HeldError:
        until = self._hold(secs, redact(error.text))
        asked = f"the server asks to wait {spell_duration(secs)} ({header})"
        return HeldError(
            f"{error.what}; {asked}: not polled before {utc(until)}",
            where=error.where,
            do=error.do,
            until=until,
            secs=self.retry_after.left(),
            source=self._name,
        )

    def _hold(self, secs: float, reason: str) -> float:
        """Leave the source alone for that long, or for a day; until when."""
        if secs > MOST_SECS:
            self._log.warning(
                "the server asks to wait %s; helr will try again after %s, or sooner with"
                " `helr state reset %s --hold`",
                spell_duration(secs),
                spell_duration(MOST_SECS),
                self._name,
            )
        return self.retry_after.set(secs, reason)


class Attempt:
    """One try: a context that swallows a failure which is tried again, after the wait for that."""

    def __init__(self, retry: Retry, number: int, until: float | None) -> None:
        self._retry = retry
        self._number = number
        self._until = until
        self._response: Response | None = None

    def send(self, request: Request) -> Response:
        self._response = self._retry.client.send(request)
        return self._response

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None:
            self._retry.succeeded(self._response)
            return False
        if self._response is not None:
            self._response.release()
        if not isinstance(error, PollError):
            return False
        self._retry.failed(error, self._response, self._number, self._until)
        return True


def backoff(retries: Retries, number: int) -> float:
    """The wait after the failed try of that number (from 1), in seconds, with jitter."""
    try:
        secs = retries.initial_backoff_secs * retries.multiplier ** (number - 1)
    except OverflowError:
        secs = retries.max_backoff_secs
    secs = min(secs, retries.max_backoff_secs)
    secs *= 1 + random.uniform(-retries.jitter, retries.jitter)  # noqa: S311 - spreads load
    return min(secs, retries.max_backoff_secs)


def utc(when: float) -> str:
    """A time (Unix seconds) for a message."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    except (ValueError, OverflowError, OSError):
        return "the end of time"
