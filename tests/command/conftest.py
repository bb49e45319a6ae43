"""A server for answers that the mock does not give."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@pytest.fixture
def httpserver_json(
    httpserver_pages: Callable[[list[Any]], str],
) -> Callable[[Any], str]:
    """Serve one JSON document to every GET; the function returns the URL."""
    return lambda document: httpserver_pages([document])


@pytest.fixture
def httpserver_pages() -> Iterator[Callable[[list[Any]], str]]:
    """Serve one JSON document after the other, the last of them for ever, with headers where one
    is a pair; the function returns the URL."""
    servers: list[ThreadingHTTPServer] = []

    def serve(documents: list[Any]) -> str:
        coming = list(documents)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = coming.pop(0) if len(coming) > 1 else coming[0]
                headers: dict[str, str] = {}
                if isinstance(document, tuple):
                    document, headers = document
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
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
