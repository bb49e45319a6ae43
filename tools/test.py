"""Run the whole suite, under coverage where that tells something, commands it starts included.

The exit status is pytest's; when that is good, coverage below the floor of setup.cfg
(`fail_under`) fails too. The table is shown only then: `coverage report` shows it at any time.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys

SHIPPERS = "tests/shippers"
# A few processes side by side, more than cores, as tests wait a lot. A file stays together, as
# what its tests share is made once.
PROCESSES = str(min((os.cpu_count() or 1) + 1, 8))
WORKERS = ("-n", PROCESSES, "--dist", "loadfile", "--no-loadscope-reorder")


def coverage(*args: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coverage", *args]
    return subprocess.run(command, text=True, capture_output=quiet, check=False)


def pytest(*args: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *args], check=False).returncode


def main() -> int:
    # Once, and not in each of a thousand processes where PYTHONDONTWRITEBYTECODE is set.
    for package in ("helr", "mock_server", "tests"):
        compileall.compile_dir(package, quiet=1)
    # What is not measured runs apart, as tracing the mock that a test runs costs as much as the
    # test; the shippers alone, as they and what they start fill every core.
    beside = pytest(SHIPPERS)
    beside = pytest(*WORKERS, "-m", "unmeasured", "--ignore", SHIPPERS) or beside
    coverage("erase")
    measured = ("-m", "not unmeasured", "--ignore", SHIPPERS)
    status = coverage("run", "-m", "pytest", *WORKERS, *measured).returncode or beside
    # Processes killed in mid-write leave data files that cannot be read; they are left out.
    coverage("combine", "-q", quiet=True)
    report = coverage("report", quiet=True)
    lines = report.stdout.strip().splitlines()
    if status == 0 and report.returncode != 0:
        print("\n".join(lines), report.stderr.strip(), sep="\n")
        return report.returncode
    print(f"coverage: {lines[-1] if lines else 'nothing was measured'}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
