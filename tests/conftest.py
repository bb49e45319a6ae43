"""What every test may use: the command itself, and a directory with a config for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import yaml

from helr.secrets import forget_secrets
from tests.support import PAGING, examples

ROOT = Path(__file__).resolve().parent.parent

# A job in the background ignores Ctrl-C, and the commands under test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A slow example on a busy machine is not a failure.
hypothesis.settings.register_profile("helr", examples(deadline=None))
hypothesis.settings.load_profile("helr")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first: no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


MOCK_TOKEN = "xoxp-mock"

# A command's environment is clean but for these: where programs are, and measuring coverage.
KEPT = ("PATH",)
MEASURING = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE")

# Starts a command from a small process: Linux counts the size of whoever starts a process as
# that process's own peak. Tells the peak in KiB in the file that its first argument names.
_LAUNCH = """
import os, resource, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
open(sys.argv[1], "w").write(str(peak))
sys.exit(status)
"""


@dataclass
class Helr:
    """Runs `python -m helr` in a directory of its own, as a user would.

    `measured`: whether its coverage counts; that doubles what a process costs.
    """

    cwd: Path
    measured: bool = True
    env: dict[str, str] = field(default_factory=lambda: {"SLACK_AUDIT_TOKEN": MOCK_TOKEN})

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        names = KEPT + MEASURING if self.measured else KEPT
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {"HOME": str(self.cwd), **kept, **self.env, **(extra or {})}

    def run(
        self, *args: str, env: Mapping[str, str] | None = None, timeout: float = 60, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end; output and errors as text."""
        return subprocess.run(
            [sys.executable, "-m", "helr", *args],
            cwd=self.cwd,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )

    def start(
        self, *args: str, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start in the background, standard output and error as pipes unless said otherwise."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(
            [sys.executable, "-m", "helr", *args],
            cwd=self.cwd,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            **options,
        )

    def peak(self, *args: str, **options: Any) -> tuple[int, int]:
        """Run to the end, not measured; exit status and peak memory in bytes."""
        told = self.cwd / "peak"
        self.measured = False
        result = subprocess.run(
            [sys.executable, "-S", "-c", _LAUNCH, str(told), sys.executable, "-m", "helr", *args],
            cwd=self.cwd,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            check=False,
            **options,
        )
        return result.returncode, int(told.read_text()) * 1024

    def config(self, name: str = "helr.yaml", **content: Any) -> Path:
        """Write a config file; keyword arguments are its top-level keys."""
        path = self.cwd / name
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    def slack(self, base: str, name: str = "slack-audit", **changes: Any) -> Path:
        """Write helr.yaml with one Slack source at that base URL; a change to None drops a key."""
        return self.config(sources={name: slack_source(base, **changes)})


def slack_source(base: str, **changes: Any) -> dict[str, Any]:
    """A source as in docs/slack.md, without pauses, polling the mock at `base`."""
    source: dict[str, Any] = {
        "url": f"{base}/audit/v1/logs",
        "auth": {"type": "bearer", "token_env": "SLACK_AUDIT_TOKEN"},
        "query_params": {"limit": 200},
        "pagination": PAGING,
    }
    source.update(changes)
    return {key: value for key, value in source.items() if value is not None}


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> bool:
    """Whether the commands that a test starts count for coverage; see the marker `unmeasured`."""
    return request.node.get_closest_marker("unmeasured") is None


@pytest.fixture
def helr(tmp_path: Path, measured: bool) -> Helr:
    return Helr(tmp_path, measured)


@pytest.fixture
def new_helr(tmp_path_factory: pytest.TempPathFactory, measured: bool) -> Callable[[], Helr]:
    """More than one directory in one test."""
    return lambda: Helr(tmp_path_factory.mktemp("helr"), measured)


@pytest.fixture(autouse=True)
def no_secrets_yet() -> None:
    """What one test registers as a secret is not blotted out of another's texts."""
    forget_secrets()
