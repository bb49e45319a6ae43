"""One request over HTTP: the only file that knows requests and urllib3.

What it adds to them: every wait is bounded by a `Deadline` and ends on a stop; TLS is
verified by our own context; proxies are looked up once; ~/.netrc and cookies play no part;
a pooled connection that the server closed while it was idle is replaced without a word.
"""

from __future__ import annotations

import errno
import http.client
import io
import re
import socket
import ssl
from collections.abc import Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import requests
import requests.adapters
import requests.utils
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from helr.errors import PollError
from helr.http.diagnosis import explain, is_disconnect
from helr.http.failures import RefusedError
from helr.http.head import MOST_BYTES, BadAnswer, framing, read_head
from helr.http.timeouts import Deadline
from helr.messages import Request
from helr.model import Source
from helr.urls import origin, safe_url


class Urllib3Reply:
    """An answer whose headers are here and whose body is still coming."""

    def __init__(self, response: requests.Response, fault: partial[PollError]) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.url: str = str(response.url)
        self._raw = response.raw
        self._fault = fault

    def read(self, size: int) -> bytes:
        """Up to `size` bytes as they were sent (still compressed); empty at the end."""
        if self._raw.length_remaining == 0 and self._raw.tell():
            return b""  # known without asking: the connection is free already
        try:
            data: bytes = self._raw.read(size, decode_content=False)
        except (
            OSError,
            ValueError,
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
        ) as error:
            self.close()
            raise self._fault(error) from error
        return data

    def close(self) -> None:
        """Drop the connection: what is left of the body is not wanted."""
        self._raw.close()
        self._raw.release_conn()


class Urllib3Transport:
    """The connections of one source. Used by one thread at a time."""

    def __init__(self, source: Source, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self._name, self._url = source.name, source.url
        tls = source.resilience.tls
        self._own_ca = "ca_file" if tls.ca_file else "ca_env" if tls.ca_env else ""
        self._adapter = _Adapter(deadline, context)
        self._deadline = deadline
        # only until the deadline takes over; made once, as it is checked whenever it is made
        self._timeout: Any = urllib3.Timeout(deadline.timeouts.connect_secs)
        self._proxies = _usable_proxies(source)
        self._request = requests.PreparedRequest()  # one for all: only what changes is prepared
        self._headers: Mapping[str, str] | None = None  # those that it has
        try:
            self._request.prepare(method="GET", url=source.url)
        except (requests.exceptions.RequestException, ValueError) as error:
            raise explain(error, source.name, source.url) from error
        self._base = str(self._request.url)
        # of the source's own URL; an address that the API gave has none, but the same origin
        self._login = requests.utils.get_auth_from_url(self._base) if "@" in source.url else None

    def send(self, request: Request) -> Urllib3Reply:
        """Send one request; returns when the headers are here.

        Raises PollError (see failures.py), Late when a limit runs out, Stopped.
        """
        fault = partial(explain, name=self._name, url=request.url, own_ca=self._own_ca)
        if request.url != self._url:
            self._check_origin(request.url)
        try:
            self._prepare(request.url, request.params, request.headers)
            return Urllib3Reply(self._send(self._request), fault)
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise fault(error) from error

    def _check_origin(self, url: str) -> None:
        """The pool has one origin, and the headers hold credentials: a last line of defence."""
        try:
            same = origin(url) == origin(self._url)
        except ValueError:
            same = False
        if not same:
            what = "not requested: it does not have the origin of `url`"
            raise RefusedError(what, where=safe_url(url), do="check `url`", source=self._name)

    def _prepare(
        self, url: str, params: tuple[tuple[str, str], ...], headers: Mapping[str, str]
    ) -> None:
        """Most of a small request's time would go into preparing again what did not change."""
        request, usual = self._request, url == self._url
        if usual:
            joint = "&" if "?" in self._base else "?"
            request.url = f"{self._base}{joint}{urlencode(params)}" if params else self._base
        else:
            request.prepare_url(url, params)
        if usual and headers == self._headers:
            return
        self._headers = None  # whatever happens: a redirect's are its own
        request.prepare_headers(headers)
        if "Authorization" not in request.headers:
            request.prepare_auth(self._login)
        if usual:
            self._headers = headers

    def _send(self, prepared: requests.PreparedRequest) -> requests.Response:
        send = partial(
            self._adapter.send,
            prepared,
            stream=True,
            timeout=self._timeout,
            proxies=self._proxies,
        )
        try:
            return send()
        except requests.ConnectionError as error:
            if self._adapter.reused and is_disconnect(error):
                return send()  # closed by the server while it was idle: not a failure
            raise


def environ_proxies(url: str) -> dict[str, str]:
    """The proxies that the environment names for a URL."""
    return dict(requests.utils.get_environ_proxies(url))


def _usable_proxies(source: Source) -> dict[str, str]:
    """The proxies that the environment names for a source. Raises RefusedError, as the library
    would end in a TypeError on an address without a host."""
    found = environ_proxies(source.url)
    for proxy in found.values():
        try:
            host = urllib3.util.parse_url(proxy if "//" in proxy else f"http://{proxy}").host
        except (ValueError, urllib3.exceptions.LocationParseError):
            host = None
        if proxy and not host:
            raise RefusedError(
                "the proxy that the environment names is not an address",
                where=safe_url(source.url),
                do="check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY (in a password, write / ? # @ as "
                "%2F %3F %23 %40)",
                source=source.name,
            )
    return found


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter with our pools and our TLS context; verification cannot be off."""

    def __init__(self, deadline: Deadline, context: ssl.SSLContext | None) -> None:
        self.reused = False  # whether the last request went over a pooled connection
        self._pool: Any = None
        self._extra: dict[str, Any] = {} if context is None else {"ssl_context": context}
        self._classes = {
            "http": partial(_Pool, adapter=self, deadline=deadline),
            "https": partial(_TlsPool, adapter=self, deadline=deadline),
        }
        super().__init__(pool_connections=2, pool_maxsize=1)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
    ) -> None:
        super().init_poolmanager(connections, maxsize, block, **kwargs, **self._extra)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """One pool for all: a source has one origin, and a redirect elsewhere is not followed."""
        if self._pool is None:
            self._pool = super().get_connection_with_tls_context(*args, **kwargs)
        return self._pool

    def request_url(self, request: Any, proxies: Any) -> Any:
        """Without a look for a proxy where there is none."""
        path = request.path_url
        return super().request_url(request, proxies) if proxies or path[:2] == "//" else path

    def build_response(self, req: Any, resp: Any) -> Any:
        """Only what `Reply`, and the package responses in tests, ask for: a whole Response has a
        jar for cookies, and more."""
        return SimpleNamespace(
            status_code=resp.status, headers=resp.headers, raw=resp, url=req.url, request=req
        )

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        """Some versions of requests would put a context of their own in the place of ours."""
        host, pool = super().build_connection_pool_key_attributes(*args, **kwargs)
        return host, pool | self._extra

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs, **self._extra)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = self._classes
        return manager

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """The context alone says whom to trust: requests would add its own bundle to it."""


class _PoolMixin:
    """A pool that says whether a connection was used before, and drops one idle for long."""

    _adapter: _Adapter
    _deadline: Deadline

    def _get_conn(self, timeout: float | None = None) -> Any:
        conn = super()._get_conn(timeout)  # type: ignore[misc]
        idle_secs, last = self._deadline.timeouts.idle_secs, getattr(conn, "last_used", None)
        now = self._deadline.clock.monotonic()
        if idle_secs is not None and last is not None and now - last > idle_secs:
            conn.close()
        self._adapter.reused = getattr(conn, "sock", None) is not None
        return conn

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.last_used = self._deadline.clock.monotonic()
        super()._put_conn(conn)  # type: ignore[misc]

    def _new_conn(self) -> Any:
        conn = super()._new_conn()  # type: ignore[misc]
        conn.deadline = self._deadline
        conn.response_class = partial(_TimedResponse, deadline=self._deadline)
        return conn


class _Pool(_PoolMixin, HTTPConnectionPool):
    def __init__(self, *args: Any, adapter: _Adapter, deadline: Deadline, **kwargs: Any) -> None:
        self._adapter, self._deadline = adapter, deadline
        super().__init__(*args, **kwargs)

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]  # noqa: N802
        """Ours, unless a recorder has put its own class in the place of urllib3's."""
        theirs = HTTPConnectionPool.ConnectionCls
        return _Connection if theirs is HTTPConnection else theirs


class _TlsPool(_PoolMixin, HTTPSConnectionPool):
    def __init__(self, *args: Any, adapter: _Adapter, deadline: Deadline, **kwargs: Any) -> None:
        self._adapter, self._deadline = adapter, deadline
        super().__init__(*args, **kwargs)

    @property
    def ConnectionCls(self) -> Any:  # type: ignore[override]  # noqa: N802
        """As above."""
        theirs = HTTPSConnectionPool.ConnectionCls
        return _TlsConnection if theirs is HTTPSConnection else theirs


class _ConnectMixin:
    """Connecting within the deadline: each of a name's addresses gets a fair share of it."""

    deadline: Deadline
    _dns_host: str
    port: int
    sock: socket.socket
    socket_options: Any

    def _new_conn(self) -> socket.socket:
        self.deadline.start_connect()
        addresses = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        failure: OSError | None = None
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    sock.setsockopt(*option)
                sock.settimeout(self.deadline.connect_left(len(addresses) - index))
                sock.connect(address)
                sock.settimeout(self.deadline.connect_left())  # for the TLS handshake
                return sock
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
        if isinstance(failure, TimeoutError):
            self.deadline.connect_left()  # says which limit it was
        if isinstance(failure, ConnectionResetError):  # urllib3 would go on to read an answer
            raise ConnectionAbortedError(errno.ECONNABORTED, failure.strerror) from failure
        raise failure or OSError("the name has no address")

    def _tunnel(self) -> None:
        """A proxy's CONNECT; what is left of the time to connect is for the TLS handshake."""
        super()._tunnel()  # type: ignore[misc]
        self.sock.settimeout(self.deadline.connect_left())


class _Connection(_ConnectMixin, HTTPConnection):
    pass


class _TlsConnection(_ConnectMixin, HTTPSConnection):
    pass


_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_CHUNK_SPARE = 16  # bytes around each byte of a chunked body; one byte a chunk takes 5


class _TimedResponse(http.client.HTTPResponse):
    """http.client's answer, reading through `_TimedReader`, and not stricter than browsers.

    What http.client reads with private methods is read by those of the same name here.
    """

    def __init__(self, sock: socket.socket, *args: Any, deadline: Deadline, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock, deadline), 65_536)
        self._spare = MOST_BYTES  # for all that is in a chunked body and is not the body

    def begin(self) -> None:
        head = read_head(self.fp)
        fields, self.chunked, self.length = framing(head)
        self.headers = self.msg = http.client.HTTPMessage()
        for name, value in fields:
            self.headers.set_raw(name, value)
        self.version, self.reason = head.version, head.reason
        self.code = self.status = head.status
        self.chunk_left = None
        ends = self.chunked or self.length is not None
        self.will_close = bool(self._check_close()) or not ends  # type: ignore[attr-defined]

    def _read_next_chunk_size(self) -> int:
        """Hexadecimal digits; what follows them is an extension, which means nothing here."""
        line = self._chunk_line()
        match = _CHUNK_SIZE.match(line)
        if not match:
            if not line:
                raise http.client.IncompleteRead(b"")
            raise BadAnswer(f"{line[:20]!r} where the size of a chunk belongs")
        size = int(match[0], 16)
        self._spare += size * _CHUNK_SPARE
        return size

    def _read_and_discard_trailer(self) -> None:
        while self._chunk_line() not in (b"\r\n", b"\n", b""):
            pass

    def _get_chunk_left(self) -> int | None:
        """What is left of the chunk, or of the next one; None after the last."""
        left: int | None = self.chunk_left
        if left:
            return left
        if left is not None and self._chunk_line() not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(b"")
        left = self._read_next_chunk_size() or None
        if left is None:
            self._read_and_discard_trailer()
            self._close_conn()  # type: ignore[attr-defined]
        self.chunk_left = left
        return left

    def _chunk_line(self) -> bytes:
        line: bytes = self.fp.readline(self._spare + 1)
        self._spare -= len(line)
        if self._spare < 0:
            raise BadAnswer("its chunks are more than what is in them")
        return line


class _TimedReader(io.RawIOBase):
    """Reads from a socket; every wait is bounded by the deadline and ends on a stop."""

    def __init__(self, raw: Any, sock: socket.socket, deadline: Deadline) -> None:
        self._raw = raw  # keeps the socket open for as long as this is read from
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._deadline.start_read()
        while True:
            self._sock.settimeout(self._deadline.read_left())
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue  # read_left says when it is enough

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()
