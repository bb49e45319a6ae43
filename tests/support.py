"""What tests of every kind share."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import hypothesis

T = TypeVar("T")

# `make test` sets it: all examples and all cases of the tests that take only a part of them
# otherwise, so that the unit tests can be run after every change.
FULL = bool(os.environ.get("HELR_FULL"))
PART = 10


def examples(count: int = 100, **options: object) -> hypothesis.settings:
    """The settings of a test with that many random examples; a tenth of them unless FULL."""
    return hypothesis.settings(max_examples=count if FULL else count // PART, **options)


def some(cases: Sequence[T], first: int = 0) -> Sequence[T]:
    """All of these cases; every tenth, beginning with number `first % 10`, unless FULL."""
    return cases if FULL else cases[first % PART :: PART]


# Settings of a source for Slack's API, and all that keeps its events from being lost or repeated.
INCREMENTAL: dict[str, Any] = {
    "state_key": "oldest_ts",
    "event_timestamp_path": "date_create",
    "param_name": "oldest",
}
PAGING: dict[str, Any] = {
    "strategy": "cursor",
    "cursor_param": "cursor",
    "cursor_path": "response_metadata.next_cursor",
}
CAREFUL: dict[str, Any] = {
    "incremental_from": INCREMENTAL,
    "dedupe": {"id_path": "id"},
    "on_cursor_error": "reset",
}


class Handler(BaseHTTPRequestHandler):
    """`get` answers a GET. As a proxy it asks for a login."""

    def do_GET(self) -> None:
        self.get()

    def do_CONNECT(self) -> None:
        self.send_error(407)

    def get(self) -> None:
        raise NotImplementedError

    def answer(
        self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send these bytes, or a JSON document."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def http_server(handler: type[Handler]) -> Iterator[str]:
    """Serve on a free port of this machine; yields the URL, without a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def until(condition: Callable[[], T], seconds: float = 15) -> T:
    """Wait for something to become true; what it became."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.001)
    return found
