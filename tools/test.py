"""Run the whole suite under coverage, the commands that tests start included.

The exit status is pytest's; when that is good, coverage below the floor of setup.cfg
(`fail_under`) fails too. The table is shown only then: `coverage report` shows it at any time.
"""

from __future__ import annotations

import os
import subprocess
import sys

# A few processes side by side, more than cores, as tests wait a lot; an xdist_group stays together.
SHIPPERS = "tests/shippers"
WORKERS = ("-n", str(min((os.cpu_count() or 1) + 1, 8)), "--dist", "loadgroup")


def coverage(*args: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "coverage", *args]
    return subprocess.run(command, text=True, capture_output=quiet, check=False)


def main() -> int:
    # The shippers first and alone: they and what they start fill every core, and are not measured.
    beside = subprocess.run([sys.executable, "-m", "pytest", "-q", SHIPPERS], check=False)
    coverage("erase")
    status = coverage("run", "-m", "pytest", *WORKERS, "--ignore", SHIPPERS).returncode
    status = status or beside.returncode
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
