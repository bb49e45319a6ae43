"""tools/mock.py, which `make mock` and `make mock-stop` run: one mock a port, none forgotten."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT


def tool(command: str, port: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "tools" / "mock.py", command],
        env={**os.environ, "MOCK_PORT": port},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def ports() -> Iterator[list[str]]:
    """Two free ports; what runs there in the end is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        found = [str(each.getsockname()[1]) for each in (a, b)]
    yield found
    for port in found:
        tool("stop", port)
        (ROOT / ".mock" / f"{port}.log").unlink(missing_ok=True)


def test_two_ports_are_two_mocks_that_stop_alone(ports: list[str]) -> None:
    one, other = ports
    started = tool("start", one).stdout.splitlines()
    assert started[1] == f"export SLACK_AUDIT_URL={started[0]}/audit/v1/logs"
    assert tool("start", other).returncode == 0
    assert tool("stop", one).stdout == f"the mock on port {one} is stopped\n"
    assert tool("status", one).stdout == ""
    assert tool("status", other).stdout == f"http://127.0.0.1:{other}"
    assert tool("stop", other).stdout == f"the mock on port {other} is stopped\n"
    assert tool("status", other).stdout == ""


@pytest.mark.parametrize("port", ["abc", "0", "65536", "²"])
def test_a_port_that_is_none_is_one_line(port: str) -> None:
    done = tool("start", port)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "MOCK_PORT" in done.stderr
