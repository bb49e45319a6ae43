"""What the HTTP client's tests share: notes in memory, a source, a raw server."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import responses

from helr.clock import Clock
from helr.errors import PollError
from helr.http.buffer import SMALL_BYTES
from helr.http.circuit_breaker import Breaker
from helr.http.client import Client
from helr.http.retry import Retry
from helr.http.retry_after import RetryAfter
from helr.messages import Request, Response
from helr.model import (
    CircuitBreaker,
    RateLimit,
    Resilience,
    Retries,
    Source,
    Timeouts,
    Tls,
)
from helr.pytest_plugin import FakeClock

T = TypeVar("T")
NOW = 1_700_000_000.0
URL = "http://127.0.0.1:9/audit/v1/logs"


class Memory(dict[str, str]):
    """Notes in memory; `writes` counts what would reach the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def note(self, key: str, value: str | None) -> None:
        self.writes += 1
        if value is None:
            self.pop(key, None)
        else:
            self[key] = value


class StatusError(PollError):
    """As the page decoder raises it for an answer that is no page."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text or f"HTTP {status}", source="s")
        self.status = status
        self.server_fault = status >= 500


def decode(response: Response) -> bytes:
    if response.status != 200:
        raise StatusError(response.status)
    response.release()
    return bytes(response.body)


def make_source(url: str = URL, **changes: Any) -> Source:
    """A source without jitter; `retries`, `rate_limit`, `breaker`, `timeouts`, `tls` are dicts."""
    resilience = Resilience(
        Timeouts(
            **({"connect_secs": 5, "request_secs": 5, "read_secs": 5} | changes.pop("timeouts", {}))
        ),
        Retries(**({"jitter": 0} | changes.pop("retries", {}))),
        CircuitBreaker(**changes.pop("breaker", {})),
        RateLimit(**changes.pop("rate_limit", {})),
        Tls(**changes.pop("tls", {})),
    )
    return Source(**({"name": "s", "url": url, "resilience": resilience} | changes))


def make_retry(
    source: Source,
    clock: Clock | None = None,
    notes: Memory | None = None,
    slots: threading.Semaphore | None = None,
) -> Retry:
    clock = clock or FakeClock()
    notes = Memory() if notes is None else notes
    return Retry(
        Client(source, clock=clock, slots=slots or threading.Semaphore(4)),
        RetryAfter(notes.get("hold"), notes.note, clock),
        Breaker(source.resilience.circuit_breaker, clock, notes.get("breaker")),
        notes.note,
    )


def fetch(
    retry: Retry, request: Request, decode: Callable[[Response], T], until: float | None = None
) -> T:
    """As a poller does it."""
    for attempt in retry.attempts(until=until):
        with attempt:
            return decode(attempt.send(request))
    raise AssertionError("no attempt")


def get(retry: Retry, url: str, *params: tuple[str, str], until: float | None = None) -> bytes:
    return fetch(retry, Request(url, params), decode, until)


def answers(api: responses.RequestsMock, *statuses: int, **headers: str) -> None:
    """Those statuses one after the other; the last again and again."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    for status in statuses:
        api.get(URL, status=status, body=b"{}", headers=named)


class Fetching:
    """A fetch with its clock, notes and places in memory at hand."""

    def __init__(
        self,
        notes: Memory | None = None,
        now: float = NOW,
        clock: FakeClock | None = None,
        **changes: Any,
    ) -> None:
        self.clock = clock or FakeClock(now)
        self.notes = Memory() if notes is None else notes
        self.slots = threading.Semaphore(1)
        source = make_source(**changes)
        self.retry = make_retry(source, self.clock, self.notes, self.slots)

    def get(self, **options: Any) -> bytes:
        return get(self.retry, URL, **options)

    def fetch(self, request: Request, decode: Callable[[Response], T]) -> T:
        return fetch(self.retry, request, decode)


def large(api: responses.RequestsMock, status: int = 200) -> None:
    api.get(URL, status=status, body=bytes(SMALL_BYTES + 1))


def free(slots: threading.Semaphore) -> bool:
    got = slots.acquire(blocking=False)
    if got:
        slots.release()
    return got


def answer(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Server:
    """Answers each connection with the function given; keeps the requests it read."""

    def __init__(self, serve: Callable[[Server, socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[str] = []
        self.connections = 0
        self.done = threading.Event()  # set when the test is over: what waits may end
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/logs"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), connection:
            self._serve(self, connection)

    def read(self, connection: socket.socket) -> str:
        """One request's head; raises ValueError when the client has closed."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            piece = connection.recv(1)
            if not piece:
                raise ValueError("closed")
            data += piece
        self.requests.append(data.decode("latin-1"))
        return self.requests[-1]

    def drip(self, connection: socket.socket, data: bytes, every: float = 0.02) -> None:
        """A byte at a time for as long as the client listens."""
        for byte in data:
            if self.done.wait(every):
                return
            connection.sendall(bytes([byte]))

    def close(self) -> None:
        self.done.set()
        self._listener.close()


@contextlib.contextmanager
def serving(
    serve: Callable[[Server, socket.socket], None], context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    def over_tls(server: Server, connection: socket.socket) -> None:
        assert context is not None
        with context.wrap_socket(connection, server_side=True) as wrapped:
            serve(server, wrapped)

    server = Server(over_tls if context else serve)
    try:
        yield server
    finally:
        server.close()


def always(data: bytes) -> Callable[[Server, socket.socket], None]:
    """Keep the connection and give the same answer to every request."""

    def serve(server: Server, connection: socket.socket) -> None:
        while True:
            server.read(connection)
            connection.sendall(data)

    return serve
