"""A clock that is set between two runs: no wait becomes longer than was asked for."""

from __future__ import annotations

import glob
import socket
from collections.abc import Callable

import pytest

from tests.command.support import ids
from tests.conftest import Helr
from tests.unit.transport.support import Server, answer, serving

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), "")
pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(not LIBRARY, reason="needs libfaketime (Debian: faketime)"),
]
PAGE = b'{"entries":[{"id":"e1","date_create":1}]}'
REFUSALS = {
    "hold": answer(b"{}", "429 Too Many Requests", "Retry-After: 90"),
    "breaker": answer(b"{}", "503 Unavailable"),
}


def under(clock: str) -> dict[str, str]:
    return {"LD_PRELOAD": LIBRARY, "FAKETIME": clock}


def refusing_once(refusal: bytes) -> Callable[[Server, socket.socket], None]:
    def serve(server: Server, connection: socket.socket) -> None:
        while server.read(connection):
            connection.sendall(refusal if len(server.requests) == 1 else answer(PAGE))

    return serve


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize(
    ("first", "second", "held"),
    [
        ("+0", "+10s", True),
        ("+0", "+100s", False),
        ("+8h", "+3m", False),
        ("+365d", "+0", False),
        ("+0", "+365d", False),
        ("+0", "-365d", False),
        ("-20y", "+0", False),
    ],
)
def test_no_wait_outlives_a_clock_that_was_wrong(
    helr: Helr, what: str, first: str, second: str, held: bool
) -> None:
    resilience = {
        "retries": {"max_attempts": 1},
        "circuit_breaker": {"failure_threshold": 1, "half_open_timeout_secs": 90},
    }
    with serving(refusing_once(REFUSALS[what])) as server:
        helr.config(sources={"s": {"url": server.url, "resilience": resilience}})
        assert helr.run("run", "--once", env=under(first)).returncode == 1
        status = helr.run("status", env=under(second)).stdout
        done = helr.run("run", "--once", env=under(second))
    assert ("held until" in status) is held, status
    assert ids(done.stdout) == ([] if held else ["e1"]), done.stderr
    assert done.returncode == (1 if held else 0)
    assert "Traceback" not in done.stderr
