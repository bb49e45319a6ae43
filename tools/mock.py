"""Start and stop the mock in the background: `make mock`, `make mock-stop`.

`start [ARGS]` returns when the mock answers, and prints its URL. It leaves a running mock alone,
and fails when another program has the port. `status` prints the URL of a running mock, or nothing.
MOCK_PORT selects another port than helr.yaml's: `start` then also prints the line to export, and
`stop` stops only that mock; without MOCK_PORT it stops all. Process ids and logs are in .mock/, one
of each per port.
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
DEFAULT_PORT = "8787"  # helr.yaml's
CHOSEN = os.environ.get("MOCK_PORT", "")
PORT = CHOSEN or DEFAULT_PORT
DIR = ROOT / ".mock"
PIDFILE = DIR / f"{PORT}.pid"
LOG = DIR / f"{PORT}.log"
START_SECS = 15
STOP_SECS = 5


def main(args: list[str]) -> int:
    if not (PORT.isascii() and PORT.isdigit() and 0 < int(PORT) < 65536):
        return fail(f"MOCK_PORT must be a number from 1 to 65535, not {PORT}")
    if args[:1] == ["start"]:
        return start(args[1:])
    if args == ["stop"]:
        return stop([PIDFILE] if CHOSEN else sorted(DIR.glob("*.pid")))
    if args == ["status"]:
        print(f"http://{HOST}:{PORT}" if answers() else "", end="")
        return 0
    print("usage: mock.py start [ARGS of python -m mock_server] | stop | status", file=sys.stderr)
    return 2


def start(args: list[str]) -> int:
    url = f"http://{HOST}:{PORT}"
    if answers():
        print(f"{url} (the mock is already running; make mock-stop ends it)")
        print_export()
        return 0
    if taken():
        return fail(f"another program uses port {PORT}; stop it, or set MOCK_PORT")
    DIR.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mock_server", "--host", HOST, "--port", PORT, *args],
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
            print_export()
            return 0
        time.sleep(0.05)
    if process.poll() is None:
        process.kill()
    PIDFILE.unlink()
    lines = LOG.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return fail(f"the mock did not start: {lines[-1]} (log: {LOG})")


def print_export() -> None:
    """Print the line that makes helr.yaml poll this mock, unless it does so by default."""
    if PORT != DEFAULT_PORT:
        print(f"export SLACK_AUDIT_URL=http://{HOST}:{PORT}/audit/v1/logs")


def stop(pidfiles: list[Path]) -> int:
    running = {path: pid for path in pidfiles if (pid := running_pid(path)) is not None}
    for path in pidfiles:
        path.unlink(missing_ok=True)
    for path, pid in running.items():
        end(pid)
        print(f"the mock on port {path.stem} is stopped")
    if not running:
        print("the mock was not running")
    return 0


def end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECS
    while is_mock(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.02)


def answers() -> bool:
    """Whether helr's mock answers on the port."""
    connection = http.client.HTTPConnection(HOST, int(PORT), timeout=2)
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
            probe.bind((HOST, int(PORT)))
        except OSError:
            return True
    return False


def running_pid(pidfile: Path) -> int | None:
    try:
        pid = int(pidfile.read_text())
    except (OSError, ValueError):
        return None
    return pid if is_mock(pid) else None


def is_mock(pid: int) -> bool:
    """Whether that process is still a mock: another program may have got its number since."""
    try:
        return b"mock_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def fail(message: str) -> int:
    print(f"mock: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
