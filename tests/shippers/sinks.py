"""Destinations of a shipper: an HTTP server and a TCP server that can be down, and come back."""

from __future__ import annotations

import gzip
import json
import socket
import socketserver
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO


class Sink:
    """Keeps the lines it was sent. `up` and `down` open and close its port, which stays the same.

    `refuse`: answer HTTP 503 and keep nothing. `limit`: bytes of a request, decompressed; a larger
    one is answered with 413.
    """

    limit = 20 * 1024 * 1024  # the OTLP receiver's

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

    def records(self, body: bytes) -> list[bytes]:
        """What a request holds."""
        return body.split(b"\n")

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
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                if len(body) > sink.limit:
                    self.send_error(413)
                    return
                sink.take(sink.records(body))
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
                with suppress(OSError):
                    sink.converse(self.rfile, self.wfile)

        return _TCPServer(("127.0.0.1", self.port), Handler)

    def converse(self, received: BinaryIO, answer: BinaryIO) -> None:
        """Take what one connection sends, to its end."""
        for line in received:
            if line.endswith(b"\n"):
                self.take([line[:-1]])


class RelpSink(TcpSink):
    """The same for rsyslog's RELP, which confirms each line: `number command length data`."""

    def converse(self, received: BinaryIO, answer: BinaryIO) -> None:
        while True:
            number, command = (_word(received) for _ in range(2))
            # Without data there is no space after the length.
            digits = b""
            while (byte := received.read(1)).isdigit():
                digits += byte
            size = int(digits or b"0")
            data = received.read(size)
            if not byte or len(data) < size or (size and received.read(1) != b"\n"):
                return  # the connection ended, in the middle of a frame perhaps
            if self.refuse:
                reply = b"500 not now"
            else:
                reply = b"200 OK" + (b"\n" + data if command == b"open" else b"")
                self.take([data.rstrip(b"\n")] if command == b"syslog" else [])
            answer.write(b"%b rsp %d %b\n" % (number, len(reply), reply))
            answer.flush()
            if command == b"close":
                return


def _word(stream: BinaryIO) -> bytes:
    """What comes before the next space."""
    word = b""
    while (byte := stream.read(1)) not in (b"", b" "):
        word += byte
    return word


class OtlpSink(Sink):
    """The same for OTLP over HTTP in its JSON encoding; a line is a record of a log."""

    def records(self, body: bytes) -> list[bytes]:
        return [
            json.dumps(record).encode()
            for resource in json.loads(body)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]
