"""Run the whole suite, with coverage where useful, including the commands that it starts.

The exit status is pytest's; if that is 0, coverage below the floor in setup.cfg (`fail_under`)
fails too. Only then is the table shown: `coverage report` shows it at any time.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys

SHIPPERS = "tests/shippers"
# A few processes side by side, more than cores, because tests wait a lot. A file stays in one
# process, which creates what its tests share once.
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
    os.environ["HELR_FULL"] = "1"  # all random examples: see tests/support.py
    # Unmeasured tests run separately, because tracing a test's mock costs as much as the test; the
    # shippers run alone, because they fill every core.
    beside = pytest(SHIPPERS)
    beside = pytest(*WORKERS, "-m", "unmeasured", "--ignore", SHIPPERS) or beside
    coverage("erase")
    measured = ("-m", "not unmeasured", "--ignore", SHIPPERS)
    status = coverage("run", "-m", "pytest", *WORKERS, *measured).returncode or beside
    # Processes that are killed while writing leave unreadable data files, which are left out.
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
