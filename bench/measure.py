"""One run of one command: its time, processor time, peak memory, and its output through a pipe.

Processor time is user plus system of the command and of everything it started and waited for
(wait4). Peak memory is that of the largest single process of the command; what Linux reports
includes the measuring process's own size at the start, so smaller figures cannot be told apart
from `floor_kib()` and are shown as "<". This module and those it is used by stay small for that.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

READ_BYTES = 1 << 20
TOKEN = "xoxp-mock"


class BenchError(Exception):
    """A figure that cannot be measured or is not valid; one line."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured run. wall, cpu: seconds; rss: KiB; polls: of a long-running command."""

    work: str
    who: str
    wall: float
    cpu: float
    rss: int
    lines: int
    bytes: int
    polls: int = 1


@dataclass(frozen=True, slots=True)
class Command:
    """What to run for a piece of work, and its expected output: lines, or bytes."""

    who: str
    argv: list[str]
    lines: int | None = None
    bytes: int | None = None
    env: dict[str, str] | None = None


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """Only the PATH and the token: no coverage, no proxies, no settings of the caller."""
    binaries = str(Path(sys.executable).parent)
    path = f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"
    return {"PATH": path, "SLACK_AUDIT_TOKEN": TOKEN, "LC_ALL": "C.UTF-8", **(extra or {})}


def run(work: str, command: Command, cwd: Path) -> Sample:
    """Run to the end, reading its output through a pipe. Raises BenchError on a wrong count."""
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        try:
            process = subprocess.Popen(
                command.argv,
                cwd=cwd,
                env=environment(command.env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except OSError as error:
            raise BenchError(f"cannot run {command.who}: {error}") from None
        assert process.stdout is not None
        lines, size = drain(process.stdout.fileno())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stdout.close()
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read()[-2000:].decode(errors="replace").strip()
            raise BenchError(f"{command.who} ({work}) ended with {process.returncode}: {said}")
    for name, expected, got in (("lines", command.lines, lines), ("bytes", command.bytes, size)):
        if expected is not None and got != expected:
            raise BenchError(f"{command.who} ({work}): got {got} {name}, expected {expected}")
    cpu = usage.ru_utime + usage.ru_stime
    return Sample(work, command.who, wall, cpu, usage.ru_maxrss, lines, size)


def drain(fd: int) -> tuple[int, int]:
    """Read to the end; the number of lines and bytes."""
    buffer = bytearray(READ_BYTES)
    lines = size = 0
    while count := os.readv(fd, [buffer]):
        lines += buffer.count(b"\n", 0, count)
        size += count
    return lines, size


def process_cpu(pid: int) -> float:
    """Seconds of processor time that a running process has used, ended threads included.

    Linux: the clock id of another process's CPU clock, as clock_getcpuclockid(3) makes it.
    """
    return time.clock_gettime((~pid << 3) | 2)


def floor_kib() -> int:
    """The peak memory below which a figure means nothing: this process's own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def save(samples: list[Sample], path: Path, **about: object) -> None:
    """Write the raw figures as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "samples": [asdict(s) for s in samples]}, indent=1))


def load(path: Path) -> tuple[dict[str, object], list[Sample]]:
    """Read raw figures: the description of the run, and its samples."""
    about = json.loads(path.read_text())
    return about, [Sample(**sample) for sample in about.pop("samples")]
