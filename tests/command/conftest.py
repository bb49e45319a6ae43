"""A server for answers that the mock does not give."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@pytest.fixture
def httpserver_json() -> Iterator[Callable[[Any], str]]:
    """Serve one JSON document to every GET; the function returns the URL."""
    servers: list[ThreadingHTTPServer] = []

    def serve(document: Any) -> str:
        body = json.dumps(document).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/things"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
