"""Start and stop the mock in the background: `make mock`, `make mock-stop`.

`start [ARGS]` returns when the mock answers, and prints its URL; one that already runs is left
as it is; a port that something else holds is an error that says so. `status` prints the URL of
one that runs, or nothing. The mock's process id and
log stand in .mock/. MOCK_PORT names another port than the one helr.yaml polls.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
PORT = int(os.environ.get("MOCK_PORT") or 8787)
PIDFILE = ROOT / ".mock" / "pid"
LOG = ROOT / ".mock" / "log"
START_SECS = 15
STOP_SECS = 5


def main(args: list[str]) -> int:
    if args[:1] == ["start"]:
        return start(args[1:])
    if args == ["stop"]:
        return stop()
    if args == ["status"]:
        print(f"http://{HOST}:{PORT}" if answers() else "", end="")
        return 0
    print("usage: mock.py start [ARGS of python -m mock_server] | stop | status", file=sys.stderr)
    return 2


def start(args: list[str]) -> int:
    url = f"http://{HOST}:{PORT}"
    if answers():
        print(f"{url} (the mock was running already; make mock-stop ends it)")
        return 0
    if taken():
        return fail(f"port {PORT} is taken by something else; stop that, or set MOCK_PORT")
    PIDFILE.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mock_server", "--host", HOST, "--port", str(PORT), *args],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    PIDFILE.write_text(f"{process.pid}\n")
    deadline = time.monotonic() + START_SECS
    while process.poll() is None and time.monotonic() < deadline:
        if answers():
            print(url)
            return 0
        time.sleep(0.05)
    if process.poll() is None:
        process.kill()
    PIDFILE.unlink()
    lines = LOG.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return fail(f"the mock did not start: {lines[-1]} (log: {LOG})")


def stop() -> int:
    pid = running_pid()
    PIDFILE.unlink(missing_ok=True)
    if pid is None:
        print("the mock was not running")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECS
    while is_mock(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    print("the mock is stopped")
    return 0


def answers() -> bool:
    """Whether helr's mock, and nothing else, answers on the port."""
    connection = http.client.HTTPConnection(HOST, PORT, timeout=2)
    try:
        connection.request("GET", "/_mock/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def taken() -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, PORT))
        except OSError:
            return True
    return False


def running_pid() -> int | None:
    try:
        pid = int(PIDFILE.read_text())
    except (OSError, ValueError):
        return None
    return pid if is_mock(pid) else None


def is_mock(pid: int) -> bool:
    """Whether that process still is a mock: a number can have gone to another program since."""
    try:
        return b"mock_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def fail(message: str) -> int:
    print(f"mock: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
