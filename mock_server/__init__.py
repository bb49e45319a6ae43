"""A mock of Slack's Audit Logs API for testing any client offline. Standard library only.

`python -m mock_server` serves one; in a test, `with MockSlack(events=1000) as mock:` does.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import IO

from mock_server.control import as_text
from mock_server.mock import LOGS_PATH, Mock
from mock_server.server import Server
from mock_server.settings import DEFAULT_TOKEN, Settings

__all__ = ["MockSlack", "Settings"]


class MockSlack:
    """A mock on a port of this machine, in a thread of this process.

    It listens as soon as it exists; `start` (or `with`) serves, `stop` ends it.
    Raises OSError when the port is taken, ValueError for an unknown fault or a
    certificate that cannot be used.
    """

    def __init__(
        self,
        events: int = 1000,
        seed: int = 1,
        token: str = DEFAULT_TOKEN,
        *,
        base_time: int | None = None,
        live: float = 0,
        faults: Iterable[str] = (),
        settings: Settings | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: tuple[str, str] | None = None,
        request_log: IO[str] | None = None,
    ) -> None:
        """`token`: "" accepts any. `base_time`: Unix seconds of the newest event, default now.
        `live`: new events per second. `port`: 0 selects a free one. `tls`: the paths of the
        certificate and the key. `request_log`: gets one line of JSON per request."""
        context = _tls_context(*tls) if tls else None
        self.settings = settings or Settings()
        self.settings.token = token
        self.token = token
        self._mock = Mock(events, seed, self.settings, base_time, live, request_log)
        for order in faults:
            self._mock.fault(order)
        self._server = Server(self._mock, host, port, context)
        self._thread: threading.Thread | None = None
        self.url = self._mock.url
        self.logs_url = self.url + LOGS_PATH

    def run(self) -> None:
        """Serve in this thread until `stop`."""
        self._server.run()

    def start(self) -> MockSlack:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self.run, name="mock-slack", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End at once; open connections are closed."""
        self._server.stop()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> MockSlack:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def requests(self) -> list[dict[str, object]]:
        """The log of requests (not those under /_mock/), in order."""
        with self._mock.lock:
            return list(self._mock.requests)

    def ids(self) -> list[str]:
        """Ids of all events, newest first."""
        return [event.id for event in self._mock.events()]

    def raw_events(self) -> list[bytes]:
        """Every event's bytes as in a page, newest first."""
        return [event.raw for event in self._mock.events()]

    def add_events(
        self,
        count: int = 0,
        at: int | None = None,
        events: Iterable[object] = (),
    ) -> list[str]:
        """Add `count` generated events dated `at` (Unix seconds, default now), and the given
        ones: objects, or JSON text whose bytes are kept. Returns their ids."""
        ids = self._mock.add_given(as_text(event) for event in events)
        return ids + self._mock.add_generated(count, at)

    def fault(self, order: str) -> None:
        """Add a fault, such as "500@2" for the second request from now. Raises ValueError."""
        self._mock.fault(order)

    def clear_faults(self) -> None:
        """Remove all faults."""
        with self._mock.lock:
            self._mock.orders.clear()

    def clear_requests(self) -> None:
        """Empty the log of requests."""
        with self._mock.lock:
            self._mock.requests.clear()

    def expire_cursors(self) -> None:
        """Make every cursor issued so far invalid."""
        with self._mock.lock:
            self._mock.cursors.expire()


def _tls_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password makes an encrypted key an error instead of a prompt on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"cannot serve TLS with {certificate} and {key}: {reason}") from None
    return context
