"""A clock that is set, between two runs or under one: no wait becomes longer than was asked for."""

from __future__ import annotations

import glob
import socket
from collections.abc import Callable

import pytest

from tests.command.support import ended, follow, ids
from tests.conftest import Helr
from tests.support import until
from tests.unit.http.support import Server, answer, serving

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


@pytest.mark.parametrize("what", REFUSALS)
@pytest.mark.parametrize("jump", ["-1d", "+10y"])
def test_a_clock_that_is_set_in_the_middle_of_a_wait_stops_nothing(
    helr: Helr, what: str, jump: str
) -> None:
    refusal = REFUSALS[what].replace(b"90", b"1")
    resilience = {
        "retries": {"max_attempts": 1, "max_backoff_secs": 0.1},
        "circuit_breaker": {"failure_threshold": 1, "half_open_timeout_secs": 1},
    }

    def serve(server: Server, connection: socket.socket) -> None:
        while server.read(connection):
            connection.sendall(refusal if len(server.requests) % 2 else answer(PAGE))

    setting = helr.cwd / "clock"
    setting.write_text("+0")
    env = {
        "LD_PRELOAD": LIBRARY,
        "FAKETIME_TIMESTAMP_FILE": str(setting),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # nobody sets that clock
    }
    with serving(serve) as server:
        source = {
            "url": server.url,
            "resilience": resilience,
            "schedule": {"interval_secs": 0.2},
        }
        helr.config(sources={"s": source})
        with open(helr.cwd / "out", "wb") as out:
            process = helr.start("run", "-o", "events", env=env, stdout=out)
        said = follow(process.stderr)
        said.wait_for("not polled before" if what == "hold" else "→ open until")
        setting.write_text(jump)
        asked = len(server.requests)
        until(lambda: len(server.requests) >= asked + 4)
        process.terminate()
        assert ended(process, 5) == 0
    assert b"Traceback" not in said.end()
