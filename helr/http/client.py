"""One request, asked until it succeeds or asking again makes no sense.

In this order: hold and breaker, our own pace, send, read, decode; on a failure the breaker
learns of it, then the wait that the server asks for or the backoff, then again. Every wait
is announced and ends on a stop.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from helr import __version__
from helr.auth import SecretError, open_auth
from helr.clock import Clock
from helr.credentials import has_secret_path, register_secrets
from helr.errors import HeldError, PollError, UnusableError
from helr.http import body, plain_http, rate_headers, rate_limit, redirects
from helr.http.buffer import Buffer
from helr.http.circuit_breaker import Breaker
from helr.http.failures import ConnectError, Late, RefusedError, RequestTimeoutError
from helr.http.messages import Decode, Notes, Request, Response, T
from helr.http.retry_after import Hold
from helr.http.timeouts import Deadline
from helr.http.wait import MOST_SECS
from helr.log import for_source, redact
from helr.model import Source
from helr.urls import path_of, safe_url
from helr.vendors import hints

if TYPE_CHECKING:
    import ssl

    from helr.http.cookies import Cookies
    from helr.http.transport import Answer, Link

BREAKER_KEY = "breaker"
SPENT = "the server's budget of requests is spent (rate_limit.adaptive)"
QUIET_SECS = 1.0  # shorter waits for our own pace are not worth a line at info


class Transport:
    """The connection of one source to its API. Used by one thread at a time.

    `slots`: places for large pages in memory, shared by all sources. `wire`: what carries the
    requests, HTTP unless given. Raises UnusableError when the configuration is not safe or
    its TLS files cannot be used.
    """

    def __init__(
        self,
        source: Source,
        *,
        clock: Clock,
        notes: Notes,
        slots: threading.Semaphore,
        wire: Link | None = None,
    ) -> None:
        register_secrets(source)
        if trouble := plain_http.problem(source):
            raise UnusableError(trouble)
        self._source = source
        self.clock = self._clock = clock
        self._notes = notes
        self._slots = slots
        self._log = for_source(source.name, source.label_key, source.label_value)
        self._auth = open_auth(source.auth)
        self._secret_path = has_secret_path(source)
        self._deadline = Deadline(source.resilience.timeouts, clock)
        self._bucket = rate_limit.Bucket(source.resilience.rate_limit, clock)
        self._context = None if wire else _tls_context(source)
        self._base_headers = {
            "User-Agent": f"helr/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
        }
        self._cookies = _cookies() if source.cookies == "chain" else None
        self._cookie_ignored = False
        self._not_before = 0.0  # adaptive: clock.monotonic() at which the budget is refilled
        self._wire = wire
        self._hold: Hold | None = None
        self._breaker: Breaker | None = None

    def fetch(self, request: Request, decode: Decode[T], deadline: float | None = None) -> T:
        """What `decode` makes of the answer to `request`, after as many tries as are allowed.

        `decode` sees every answer that arrived whole, whatever its status, and raises a
        PollError for one that is not a page. No wait for another try goes past `deadline`
        (`clock.monotonic()`). Raises PollError, HeldError, Stopped.
        """
        attempt = 0
        while True:
            attempt += 1
            self.check_held()
            self._pace()
            response: Response | None = None
            try:
                response = self._send(request)
                result = decode(response)
            except PollError as error:
                if response is not None:
                    response.release()
                self._suggest_cookies(error)
                self._settle(error, response)
                wait, reason = self._wait_after(error, response, attempt, deadline)
            except BaseException:
                if response is not None:
                    response.release()
                raise
            else:
                self._settle(None, response)
                return result
            self._sleep(wait, reason, loud=True)
            self._held().lift()

    def check_held(self) -> None:
        """Raises HeldError if a Retry-After or an open breaker forbids asking now."""
        hold, breaker, name = self._held(), self._circuit(), self._source.name
        way_out = f"(`helr state reset {name} --hold` lifts that)"
        until = hold.until()
        if until is not None:
            text = f"not asked before {_utc(until)} {way_out}: {hold.reason}"
            raise HeldError(text, until=until, secs=hold.left(), source=name)
        until = breaker.blocked_until()
        if until is not None:
            text = f"the circuit breaker is open until {_utc(until)} {way_out}: {breaker.reason}"
            raise HeldError(text, until=until, secs=breaker.left(), source=name)

    def pause(self) -> tuple[float, str]:
        """Seconds that `fetch` would wait before it asks, and why."""
        pause, spent = self._bucket.wait(), self._not_before - self._clock.monotonic()
        if spent > pause:
            return spent, SPENT
        return pause, "rate_limit.max_requests_per_second"

    # -- one try

    def _send(self, request: Request) -> Response:
        """One answer, redirects followed; each request is one line at debug."""
        headers = {**self._base_headers, **self._source.headers, **self._credentials()}
        url, params = request.url, request.params
        began = self._clock.monotonic()
        self._deadline.start()
        if not request.cursor:
            self._begin_chain()
        for _ in range(redirects.MOST + 1):
            try:
                reply = self._ask(url, params, headers)
                target = redirects.target(self._source.name, reply.status, reply.headers, reply.url)
                if target is None:
                    response = self._read(request, reply, began)
                    self._say_asked(reply.url, (), f"{len(response.body)} bytes", began, reply)
                    return response
            except PollError:
                self._say_asked(url, params, "failed", began)
                raise
            self._say_asked(reply.url, (), "redirected", began, reply)
            reply.close()
            url, params = target, ()
        raise RefusedError(
            f"{self._source.name}: {safe_url(request.url)}: more than {redirects.MOST}"
            " redirects; put the final address into `url`"
        )

    def _begin_chain(self) -> None:
        self._cookie_ignored = False
        if self._cookies:
            self._cookies.forget()

    def _ask(
        self, url: str, params: tuple[tuple[str, str], ...], headers: Mapping[str, str]
    ) -> Answer:
        wire = self._connections()
        if self._cookies:
            headers = self._cookies.added(headers, url)
        try:
            reply = wire.get(url, params, headers)
        except Late as late:
            raise self._late(late, url) from None
        if self._cookies:
            self._cookies.keep(reply.headers, reply.url)
        elif "Set-Cookie" in reply.headers:
            self._cookie_ignored = True
        return reply

    def _suggest_cookies(self, error: PollError) -> None:
        """A cursor that is refused may be one that only another node of the API knows."""
        if getattr(error, "final", False) and self._cookie_ignored:
            error.what += "; the server sets a cookie: try `cookies: chain`"

    def _say_asked(
        self,
        url: str,
        params: tuple[tuple[str, str], ...],
        what: str,
        began: float,
        reply: Answer | None = None,
    ) -> None:
        """The query is shown, but for its secrets."""
        if not self._log.isEnabledFor(logging.DEBUG):
            return
        from helr.credentials import hidden_in_urls

        query = ("&" if "?" in url else "?") + urlencode(params) if params else ""
        status = f"HTTP {reply.status}, " if reply else ""
        secs = self._clock.monotonic() - began
        self._log.debug("GET %s: %s%s in %.3f s", hidden_in_urls(url + query), status, what, secs)

    def _credentials(self) -> dict[str, str]:
        try:
            return self._auth.headers()
        except SecretError as error:
            advice = hints.advice(self._source.url, code="missing_secret")
            text = f"{self._source.name}: {error}" + (f"; {advice}" if advice else "")
            raise SecretError(text) from None

    def _connections(self) -> Link:
        if self._wire is None:
            from helr.startup import import_requests

            import_requests()  # not before: a held source needs no HTTP library
            from helr.http.urllib3_transport import Wire

            self._wire = Wire(self._source, self._deadline, self._context)
        return self._wire

    def _read(self, request: Request, reply: Answer, began: float) -> Response:
        buffer = Buffer(self._slots, self._deadline)
        try:
            encoding = reply.headers.get("Content-Encoding", "")
            most, check = self._source.max_response_bytes, self._deadline.check
            data = body.read_body(reply, encoding, most, buffer, check)
        except BaseException as error:
            reply.close()
            buffer.close()
            if isinstance(error, Late):
                raise self._late(error, reply.url) from None
            if isinstance(error, body.BadBody):
                kind = ConnectError if error.cut else RefusedError
                where = f"{self._source.name}: {safe_url(reply.url)}"
                raise kind(f"{where}: {error}") from None
            raise
        elapsed = self._clock.monotonic() - began
        path = path_of(reply.url)
        return Response(
            request=request,
            url=safe_url(reply.url),
            path=redact(path) if self._secret_path else path,
            status=reply.status,
            headers=reply.headers,
            body=data,
            received=self._clock.now(),
            elapsed=elapsed,
            slot=buffer.place,
        )

    def _late(self, late: Late, url: str) -> RequestTimeoutError:
        return RequestTimeoutError(
            f"{self._source.name}: {safe_url(url)}: no whole answer within"
            f" resilience.timeouts.{late.key} ({late.secs:g} s); ask for fewer events a page"
            " (`limit`), or allow more time"
        )

    # -- after a try

    def _settle(self, error: PollError | None, response: Response | None) -> None:
        """Tell the breaker, and note what the headers say about the budget."""
        breaker = self._circuit()
        was = breaker.state()
        status = response.status if response is not None else 0
        if error is not None and (error.server_fault or status >= 500):
            changed = breaker.failed(self._reason(error))
        else:
            changed = response is not None and breaker.succeeded()
        if changed:
            self._notes.set(BREAKER_KEY, breaker.dump())
            self._tell(was, breaker.state())
        limits = self._source.resilience.rate_limit
        if error is None and response is not None and limits.adaptive:
            now = self._clock.now()
            self._spent(rate_headers.spent_wait(response.headers, limits, now))

    def _tell(self, was: str, state: str) -> None:
        if state == "open" and was != "open":
            until = self._circuit().blocked_until() or 0
            self._log.warning("circuit breaker: %s → open until %s", was, _utc(until))
        elif state != was:
            self._log.info("circuit breaker: %s → %s", was, state)

    def _spent(self, wait: float) -> None:
        if wait > self._source.resilience.retries.max_backoff_secs:
            self._hold_for(wait, SPENT)
        elif wait > 0:
            self._not_before = self._clock.monotonic() + wait

    def _wait_after(
        self, error: PollError, response: Response | None, attempt: int, deadline: float | None
    ) -> tuple[float, str]:
        """How long to wait before the next try, and why; raises when there is none."""
        retries = self._source.resilience.retries
        secs, header = self._asked_wait(error, response)
        wait = secs or rate_limit.backoff(retries, attempt)
        again = self._retryable(error, response) and attempt < retries.max_attempts
        if self._circuit().blocked_until() is not None:
            again = False
        if deadline is not None and self._clock.monotonic() + wait >= deadline:
            again = False
        if secs and (not again or secs > retries.max_backoff_secs):
            until = self._hold_for(secs, self._reason(error))
            text = f"the server asks to wait {_length(secs)} ({header})"
            said = f"{error}; {text}: not asked before {_utc(until)}"
            raise HeldError(said, until=until, secs=self._held().left()) from error
        if not again:
            if attempt > 1:
                error.what += f" ({attempt} tries)"
            raise error
        if secs:
            self._hold_for(secs, self._reason(error))  # a restart meanwhile must not ask sooner
        because = f"{header}, " if header else ""
        again_at = f"{because}then try {attempt + 1} of {retries.max_attempts}"
        return wait, f"{again_at}: {self._reason(error)}"

    def _reason(self, error: PollError) -> str:
        """The error where the source is named already, fit to be kept in the state."""
        return redact(str(error)).removeprefix(f"{self._source.name}: ")

    def _retryable(self, error: PollError, response: Response | None) -> bool:
        if getattr(error, "final", False):
            return False
        if error.retryable or response is None:
            return error.retryable
        status = 429 if getattr(error, "limited", False) else getattr(error, "status", None)
        status = response.status if status is None or status < 100 else status
        codes = self._source.resilience.retries.retryable_status_codes
        if codes is None:
            return status in (408, 429) or status >= 500
        return status in codes

    def _asked_wait(self, error: PollError, response: Response | None) -> tuple[float, str]:
        """Seconds the server asks to wait after a failure, and the header that says so."""
        limits = self._source.resilience.rate_limit
        if response is None or not limits.respect_headers or getattr(error, "final", False):
            return 0.0, ""
        limited = response.status == 429 or getattr(error, "limited", False)
        now = self._clock.now()
        secs, header = rate_headers.asked_wait(response.headers, limits, now, limited=limited)
        if limited and not secs:
            secs, header = (
                rate_headers.wait_in_body(bytes(response.body[:4096]), now),
                "in the body",
            )
        return (secs, header) if secs else (0.0, "")

    # -- waiting

    def _hold_for(self, secs: float, reason: str) -> float:
        """Leave the source alone for that long, or for a day; until when."""
        if secs > MOST_SECS:
            self._log.warning(
                "the server asks to wait %s; helr will try again after %s, or sooner with"
                " `helr state reset %s --hold`",
                _length(secs),
                _length(MOST_SECS),
                self._source.name,
            )
        return self._held().set(secs, reason)

    def _pace(self) -> None:
        """Our own cap, and a budget that the headers said is spent."""
        pause, reason = self.pause()
        self._bucket.take()
        if pause > 0:
            self._sleep(pause, reason, loud=pause >= QUIET_SECS)

    def _sleep(self, secs: float, reason: str, *, loud: bool) -> None:
        say = self._log.info if loud else self._log.debug
        say("waiting %s, %s", _length(secs), reason, fields={"wait_secs": round(secs, 3)})
        self._clock.sleep(secs)

    # -- what outlives the process

    def _held(self) -> Hold:
        if self._hold is None:
            self._hold = Hold(self._notes, self._clock)
        return self._hold

    def _circuit(self) -> Breaker:
        if self._breaker is None:
            config = self._source.resilience.circuit_breaker
            self._breaker = Breaker(config, self._clock, self._notes.get(BREAKER_KEY))
        return self._breaker


def _tls_context(source: Source) -> ssl.SSLContext | None:
    """None for plain http, which needs no TLS. Raises UnusableError."""
    if not source.url.lower().startswith("https:"):
        return None
    from helr.http.tls import make_context

    return make_context(source)


def _cookies() -> Cookies:
    from helr.http.cookies import Cookies  # few sources need it

    return Cookies()


def _utc(when: float) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
    except (ValueError, OverflowError, OSError):
        return "the end of time"


def _length(secs: float) -> str:
    if secs < 120:
        return f"{secs:.1f} s"
    if secs < 7_200:
        return f"{secs / 60:.0f} min"
    return f"{secs / 3600:.1f} h" if secs < 100 * 3600 else f"{secs / 86_400:.0f} days"
