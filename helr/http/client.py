"""One request, sent once: authentication, our own pace, cookies, redirects, the whole body.

Whether to try again is for helr/http/retry.py.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from msgspec.structs import replace

from helr import __version__
from helr.auth import SecretError, open_auth
from helr.clock import Clock
from helr.credentials import has_secret_path, register_secrets
from helr.errors import PollError, all_advice
from helr.http import body, plain_http, redirects
from helr.http.buffer import Buffer
from helr.http.failures import ConnectError, Late, RefusedError, RequestTimeoutError
from helr.http.rate_limit import Pace
from helr.http.timeouts import Deadline
from helr.log import for_source
from helr.messages import Request, Response
from helr.model import Source
from helr.secrets import redact
from helr.timestamps import spell_duration
from helr.urls import path_of, safe_url
from helr.vendors import hints

if TYPE_CHECKING:
    import ssl

    from helr.http.cookies import Cookies
    from helr.http.transport import Reply, Transport

QUIET_SECS = 1.0  # shorter waits for our own pace are not worth a line at info


class Client:
    """The requests of one source. Used by one thread at a time.

    `slots`: places for large pages in memory, shared by all sources. `transport`: what carries
    the requests, HTTP unless given. Raises UnusableError when the configuration is not safe or
    its TLS files cannot be used.
    """

    def __init__(
        self,
        source: Source,
        *,
        clock: Clock,
        slots: threading.Semaphore,
        transport: Transport | None = None,
    ) -> None:
        register_secrets(source)
        plain_http.check(source)
        self.source = source
        self.clock = clock
        self.log = for_source(source.name, source.label_key, source.label_value)
        self.pace = Pace(source.resilience.rate_limit, clock)
        self.cookie_ignored = False  # whether the server set one that was not kept in this chain
        self._slots = slots
        self._auth = open_auth(source.auth)
        self._secret_path = has_secret_path(source)
        self._deadline = Deadline(source.resilience.timeouts, clock)
        self._context = None if transport else _tls_context(source)
        self._headers = {
            "User-Agent": f"helr/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "gzip, deflate",
            "Connection": "keep-alive",
            **source.headers,
        }
        self._cookies = _cookies() if source.cookies == "chain" else None
        self._transport = transport

    def send(self, request: Request) -> Response:
        """One answer, whatever its status. Raises PollError, Stopped."""
        self._keep_pace()
        if request.token is None:
            self._begin_chain()
        flow = self._auth.flow(replace(request, headers={**self._headers, **request.headers}))
        try:
            asked = next(flow)
            while True:
                asked = flow.send(self._exchange(request, asked))
        except StopIteration as end:
            response: Response = end.value
            return response
        except SecretError as error:
            error.source = self.source.name
            advice = hints.advice(self.source.url, code="missing_secret")
            error.do = all_advice(error.do, advice)
            raise

    def _begin_chain(self) -> None:
        self.cookie_ignored = False
        if self._cookies:
            self._cookies.forget()

    def _keep_pace(self) -> None:
        wait, reason = self.pace.take()
        if wait > 0:
            say = self.log.info if wait >= QUIET_SECS else self.log.debug
            say(
                "waiting %s, %s", spell_duration(wait), reason, fields={"wait_secs": round(wait, 3)}
            )
            self.clock.sleep(wait)

    def _exchange(self, request: Request, asked: Request) -> Response:
        """The answer to what the authentication made of a request, redirects followed; each
        request is one line at debug."""
        began = self.clock.monotonic()
        self._deadline.start()
        for _ in range(redirects.MOST + 1):
            try:
                reply = self._ask(asked)
                target = redirects.target(self.source.name, reply.status, reply.headers, reply.url)
                if target is None:
                    response = self._read(request, reply, began)
                    self._say_asked(reply.url, (), f"{len(response.body)} bytes", began, reply)
                    return response
            except PollError:
                self._say_asked(asked.url, asked.params, "failed", began)
                raise
            self._say_asked(reply.url, (), "redirected", began, reply)
            reply.close()
            asked = replace(asked, url=target, params=())
        raise RefusedError(
            f"more than {redirects.MOST} redirects",
            do="put the final address into `url`",
            where=safe_url(request.url),
            source=self.source.name,
        )

    def _ask(self, asked: Request) -> Reply:
        if self._cookies:
            asked = replace(asked, headers=self._cookies.added(asked.headers, asked.url))
        try:
            reply = self._connections().send(asked)
        except Late as late:
            raise self._late(late, asked.url) from None
        if self._cookies:
            self._cookies.keep(reply.headers, reply.url)
        elif "Set-Cookie" in reply.headers:
            self.cookie_ignored = True
        return reply

    def _say_asked(
        self,
        url: str,
        params: tuple[tuple[str, str], ...],
        what: str,
        began: float,
        reply: Reply | None = None,
    ) -> None:
        """The query is shown, but for its secrets."""
        if not self.log.isEnabledFor(logging.DEBUG):
            return
        from helr.credentials import hidden_in_urls

        query = ("&" if "?" in url else "?") + urlencode(params) if params else ""
        status = f"HTTP {reply.status}, " if reply else ""
        secs = self.clock.monotonic() - began
        self.log.debug("GET %s: %s%s in %.3f s", hidden_in_urls(url + query), status, what, secs)

    def _connections(self) -> Transport:
        if self._transport is None:
            from helr.startup import import_requests

            import_requests()  # not before: a held source needs no HTTP library
            from helr.http.urllib3_transport import Urllib3Transport

            self._transport = Urllib3Transport(self.source, self._deadline, self._context)
        return self._transport

    def _read(self, request: Request, reply: Reply, began: float) -> Response:
        buffer = Buffer(self._slots, self._deadline)
        try:
            encoding = reply.headers.get("Content-Encoding", "")
            most, check = self.source.max_response_bytes, self._deadline.check
            data = body.read_body(reply, encoding, most, buffer, check)
        except BaseException as error:
            reply.close()
            buffer.close()
            if isinstance(error, Late):
                raise self._late(error, reply.url) from None
            if isinstance(error, body.BadBody):
                kind = ConnectError if error.cut else RefusedError
                where, name = safe_url(reply.url), self.source.name
                raise kind(error.what, where=where, do=error.do, source=name) from None
            raise
        path = path_of(reply.url)
        return Response(
            request=request,
            address=reply.url,
            url=safe_url(reply.url),
            path=redact(path) if self._secret_path else path,
            status=reply.status,
            headers=reply.headers,
            body=data,
            received=self.clock.now(),
            elapsed=self.clock.monotonic() - began,
            slot=buffer.place,
        )

    def _late(self, late: Late, url: str) -> RequestTimeoutError:
        return RequestTimeoutError(
            "timed out waiting for the complete response "
            f"(resilience.timeouts.{late.key}: {late.secs:g} s)",
            do="request fewer events per page (`limit`), or allow more time",
            where=safe_url(url),
            source=self.source.name,
        )


def _tls_context(source: Source) -> ssl.SSLContext | None:
    """None for plain http, which needs no TLS. Raises UnusableError."""
    if not source.url.lower().startswith("https:"):
        return None
    from helr.http.tls import make_context

    return make_context(source)


def _cookies() -> Cookies:
    from helr.http.cookies import Cookies  # few sources need it

    return Cookies()
