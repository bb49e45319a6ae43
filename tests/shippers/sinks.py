"""Destinations of a shipper: an HTTP server and a TCP server that can be down, and come back."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Sink:
    """Keeps the lines it was sent. `up` and `down` open and close its port, which stays the same.

    `refuse`: answer HTTP 503 and keep nothing.
    """

    def __init__(self) -> None:
        self.refuse = False
        self._lines: list[tuple[float, bytes]] = []
        self._lock = threading.Lock()
        self._server: socketserver.BaseServer | None = None
        # Bound for good: an outgoing connection could take the port of a sink that is down.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]

    def lines(self) -> list[tuple[float, bytes]]:
        """Every line, and when it came (time.monotonic)."""
        with self._lock:
            return list(self._lines)

    def take(self, lines: list[bytes]) -> None:
        with self._lock:
            self._lines += [(time.monotonic(), line) for line in lines if line]

    def up(self) -> None:
        server = self._serve()
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _serve(self) -> socketserver.BaseServer:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                body = self.rfile.read(size)
                if sink.refuse or len(body) < size:
                    self.send_error(503)
                    return
                sink.take(body.split(b"\n"))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        return _HTTPServer(("127.0.0.1", self.port), Handler)


class _Shared(socketserver.TCPServer):
    """A server on a port that a sink holds."""

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().server_bind()


class _HTTPServer(_Shared, ThreadingHTTPServer):
    block_on_close = False

    def handle_error(self, *args: Any) -> None:
        """A shipper that was killed in mid-request is what these tests are about."""


class _TCPServer(_Shared, socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False


class TcpSink(Sink):
    """The same for lines over plain TCP, as syslog-ng's network() sends them."""

    def __init__(self) -> None:
        super().__init__()
        self._connections: list[socket.socket] = []

    def down(self) -> None:
        super().down()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _serve(self) -> socketserver.BaseServer:
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                sink._connections.append(self.connection)
                for line in self.rfile:
                    if line.endswith(b"\n"):
                        sink.take([line[:-1]])

        return _TCPServer(("127.0.0.1", self.port), Handler)
