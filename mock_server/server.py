"""The mock over HTTP/1.1: keep-alive, TLS, gzip, and every way to send a reply badly.

It starts and stops at once: a pipe wakes the accept loop, which closes open connections when it
ends. A client that goes away never causes a traceback.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import selectors
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

from mock_server.messages import Reply, Request, json_reply
from mock_server.mock import Mock

_MAX_BODY = 256 * 2**20


class Server(socketserver.ThreadingTCPServer):
    """Listens as soon as it exists; `run` serves until `stop`. Raises OSError if it cannot."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, mock: Mock, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.mock = mock
        self.tls = tls
        self.ending = threading.Event()
        self._wake_read, self._wake_write = os.pipe()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), Handler)
        except OSError:
            self._close_pipe()
            raise
        shown = f"[{host}]" if ":" in host else host
        mock.url = f"{'https' if tls else 'http'}://{shown}:{self.server_address[1]}"

    def run(self) -> None:
        """Accept connections until `stop`; then close them all."""
        with selectors.DefaultSelector() as ready:
            ready.register(self.socket, selectors.EVENT_READ)
            ready.register(self._wake_read, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj == self._wake_read:
                        self._end()
                        return
                    self._accept()

    def stop(self) -> None:
        """End `run` at once. Safe in a signal handler and from any thread."""
        os.write(self._wake_write, b"x")

    def _accept(self) -> None:
        try:
            connection, address = self.get_request()
        except OSError:
            return
        self.process_request(connection, address)

    def _end(self) -> None:
        self.ending.set()
        self.server_close()
        self._close_pipe()
        with self._open_lock:
            for connection in self._open:
                _shut(connection)

    def _close_pipe(self) -> None:
        os.close(self._wake_read)
        os.close(self._wake_write)

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = self.socket.accept()
        if self.tls:
            # The handshake happens on the first read, in the connection's own thread.
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def opened(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.add(connection)
        if self.ending.is_set():
            _shut(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._open_lock:
            self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a broken connection, which is the client's problem; report a bug."""
        error = sys.exc_info()[1]
        if isinstance(error, ValueError):  # a malformed request line or header
            print(f"mock_server: cannot read a request: {error}"[:200], file=sys.stderr)
        elif not isinstance(error, OSError):
            super().handle_error(request, client_address)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "slack-mock"
    sys_version = ""
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        self.server.closed(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silent: the request log has everything."""

    def _serve(self) -> None:
        started = time.monotonic()
        body = self._read_body()
        if body is None:
            return
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        mock = self.server.mock
        try:
            reply = mock.answer(Request(self.command, path, query, headers, body))
        except (ValueError, OverflowError, RecursionError, MemoryError) as error:
            # No input of a client, such as a setting's value, ends the mock.
            said = f"{type(error).__name__}: {error}"[:200]
            reply = json_reply(400, {"ok": False, "error": said})
        if not path.startswith("/_mock/") and path != "/":
            left = mock.settings.latency_ms / 1000 - (time.monotonic() - started)
            if left > 0:
                self.server.ending.wait(left)
        if mock.settings.gzip and "gzip" in headers.get("accept-encoding", ""):
            _compress(reply)
        try:
            self._send(reply)
        except OSError:
            self.close_connection = True

    # http.server looks a method up by this name.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _read_body(self) -> bytes | None:
        """The request's body; None after an error response."""
        length = self.headers.get("Content-Length", "0")
        lengths = set(self.headers.get_all("Content-Length", []))
        fits = length.isascii() and length.isdigit() and len(length) < 12 and len(lengths) < 2
        if "Transfer-Encoding" in self.headers or not fits or int(length) > _MAX_BODY:
            self.close_connection = True
            self._send(json_reply(400, {"ok": False, "error": "send a body with Content-Length"}))
            return None
        try:
            return self.rfile.read(int(length))
        except OSError:
            self.close_connection = True
            return None

    def _send(self, reply: Reply) -> None:
        head, body = self._head(reply), reply.body
        if reply.wire == "chunked":
            body = b"".join(_chunk(body[at : at + 4096]) for at in range(0, len(body), 4096))
            body += _chunk(b"")
        if self.command == "HEAD":
            body = b""
        if reply.wire in ("reset", "close", "hang"):
            self._vanish(reply.wire)
        elif reply.wire == "truncate":
            self.close_connection = True
            self.wfile.write(head + body[: len(body) // 2])
        elif reply.wire == "drip-headers":
            self._drip(head)
            self.wfile.write(body)
        elif reply.wire == "drip-body":
            self.wfile.write(head)
            self._drip(body)
        else:
            if reply.wire == "slow":
                self.server.ending.wait(self.server.mock.settings.slow_seconds)
            self._write(head, body)

    def _write(self, head: bytes, body: bytes) -> None:
        if len(body) < 65536:
            self.wfile.write(head + body)
            return
        self.wfile.write(head)
        self.wfile.write(body)

    def _head(self, reply: Reply) -> bytes:
        lines = [f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('',))[0]}"]
        headers = {"Server": self.server_version, "Date": self.date_time_string(), **reply.headers}
        if reply.wire == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(reply.body))
        if self.close_connection:
            headers["Connection"] = "close"
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _drip(self, data: bytes) -> None:
        pause = self.server.mock.settings.drip_seconds
        for at in range(len(data)):
            self.wfile.write(data[at : at + 1])
            if self.server.ending.wait(pause):
                self.close_connection = True
                return

    def _vanish(self, how: str) -> None:
        self.close_connection = True
        if how == "hang":
            self._hang()
        elif how == "reset":
            # Closing with lingering switched on and no time to linger sends RST, not FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.server.closed(self.connection)
            os.close(self.connection.detach())

    def _hang(self) -> None:
        """Wait until the client goes away or the server ends."""
        while not self.server.ending.is_set():
            if not self.connection.recv(65536):
                return


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _compress(reply: Reply) -> None:
    if reply.body and "Content-Encoding" not in reply.headers:
        reply.body = gzip.compress(reply.body, 1, mtime=0)
        reply.headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
