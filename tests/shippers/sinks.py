"""Destinations of a shipper: an HTTP server and a TCP server that can be down, and come back."""

from __future__ import annotations

import random
import socket
import socketserver
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Below those that the kernel gives to outgoing connections: one of them, or the shipper's own
# attempt to connect, would take the port of a sink that is down. Each is used once.
_ports = iter(random.sample(range(20_000, 32_768), 2_000))


def _free_port() -> int:
    while True:
        port = next(_ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Sink:
    """Keeps the lines it was sent. `up` and `down` open and close its port, which stays the same.

    `refuse`: answer HTTP 503 and keep nothing.
    """

    def __init__(self) -> None:
        self.refuse = False
        self._lines: list[tuple[float, bytes]] = []
        self._lock = threading.Lock()
        self._server: socketserver.BaseServer | None = None
        self.port = _free_port()

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


class _HTTPServer(ThreadingHTTPServer):
    block_on_close = False

    def handle_error(self, *args: Any) -> None:
        """A shipper that was killed in mid-request is what these tests are about."""


class _TCPServer(socketserver.ThreadingTCPServer):
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
