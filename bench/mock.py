"""The mock in its own process, and its pages, for the peers that follow no cursor."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import TOKEN, BenchError, environment

ROOT = Path(__file__).resolve().parent.parent
START_SECS = 60
TAIL_BYTES = 400


@dataclass(frozen=True, slots=True)
class Pages:
    """The chain of pages at one `limit`: their URLs in order, and their total size."""

    urls: list[str]
    bytes: int


@dataclass(slots=True)
class Mock:
    """A running mock: its base URL, and the number of its events."""

    url: str
    events: int
    _pages: dict[int, Pages] = field(default_factory=dict)

    @property
    def logs(self) -> str:
        return f"{self.url}/audit/v1/logs"

    def pages(self, limit: int) -> Pages:
        """Follow the cursors once; the mock's cursors are positions and stay valid."""
        if limit not in self._pages:
            self._pages[limit] = self._follow(limit)
        return self._pages[limit]

    def _follow(self, limit: int) -> Pages:
        urls, size, cursor = [], 0, ""
        with tempfile.TemporaryDirectory() as scratch:
            body = Path(scratch) / "page"
            while True:
                urls.append(f"{self.logs}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
                curl("-o", str(body), urls[-1])
                size += body.stat().st_size
                with body.open("rb") as page:
                    page.seek(max(0, body.stat().st_size - TAIL_BYTES))
                    found = re.search(
                        rb'"response_metadata":{"next_cursor":"([^"]+)"}}$', page.read()
                    )
                if not found:
                    return Pages(urls, size)
                cursor = found[1].decode().replace("=", "%3D")

    def control(self, path: str, body: str | None = None) -> str:
        """Call a control endpoint; with a body, POST it."""
        sent = () if body is None else ("-d", body, "-H", "Content-Type: application/json")
        return curl(*sent, f"{self.url}/_mock/{path}")


def curl(*args: str) -> str:
    """curl's output as text. Raises BenchError with its error message."""
    done = subprocess.run(
        ["curl", "-sSf", "--noproxy", "*", "-H", f"Authorization: Bearer {TOKEN}", *args],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"curl: {done.stderr.strip()} ({args[-1]})")
    return done.stdout


@contextlib.contextmanager
def running(events: int, *args: str) -> Iterator[Mock]:
    """A mock with that many events, on a port of its own, until the block ends."""
    with tempfile.TemporaryFile() as log:
        port = free_port()
        wanted = ("--events", str(events), "--token", TOKEN)
        process = subprocess.Popen(
            [sys.executable, "-m", "mock_server", "--port", str(port), *wanted, *args],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        mock = Mock(f"http://127.0.0.1:{port}", events)
        try:
            deadline = time.monotonic() + START_SECS
            while True:
                try:
                    curl(f"{mock.logs}?limit=1")
                    break
                except BenchError as error:
                    if process.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        said = log.read().decode(errors="replace").strip()
                        raise BenchError(f"the mock did not start: {said or error}") from None
                    time.sleep(0.05)
            yield mock
        finally:
            process.terminate()
            process.wait(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
