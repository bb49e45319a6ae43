"""What the process-level tests of delivery share: a source without pauses, and waiting."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from typing import Any

from tests.conftest import Helr, slack_source
from tests.support import CAREFUL, until


def careful(url: str, **changes: Any) -> dict[str, Any]:
    """A source with everything on that keeps events from being lost or repeated."""
    return slack_source(
        url,
        **{
            **CAREFUL,
            "schedule": {"interval_secs": 0.1},
        }
        | changes,
    )


def configure(helr: Helr, url: str, settle: float = 0, **changes: Any) -> None:
    """Write helr.yaml with one careful source."""
    helr.config(
        **{"global": {"output": {"settle_secs": settle}}},
        sources={"slack-audit": careful(url, **changes)},
    )


def ids(output: str | bytes) -> list[str]:
    text = output.decode() if isinstance(output, bytes) else output
    return [json.loads(line)["event"]["id"] for line in text.split("\n")[:-1]]


class Follow:
    """Reads a pipe or a log in the background."""

    def __init__(self, fd: int) -> None:
        self.data = b""
        self._fd = fd
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while data := os.read(self._fd, 65536):
            self.data += data

    def wait_for(self, text: str, times: int = 1, seconds: float = 15) -> None:
        until(lambda: self.data.count(text.encode()) >= times, seconds)

    def end(self) -> bytes:
        self._thread.join(10)
        return self.data


def follow(stream: Any) -> Follow:
    """Follow a started process's stdout or stderr."""
    assert stream is not None
    return Follow(os.dup(stream.fileno()))


def ended(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Its exit status, which has to come within that time."""
    began = time.monotonic()
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"it still ran after {time.monotonic() - began:.1f} s") from None
