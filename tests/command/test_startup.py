"""A cold poll that finds nothing new imports only what it uses: it is the sidecar's heartbeat."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mock_server import MockSlack
from tests.conftest import Helr
from tests.support import CAREFUL

pytestmark = pytest.mark.unmeasured

# Beyond what `import requests` brings. A new name here costs every poll of every user: think first.
ALLOWED = {
    "helr": "the engine",
    "msgspec": "decoding, and the config's model",
    "yaml": "the config",
    "argparse": "the command line",
    "gettext": "argparse",
    "sqlite3": "the state",
    "fcntl": "pipes and locks",
    "termios": "pipes",
    "signal": "a stop",
    "runpy": "python -m",
    "charset_normalizer": "requests, which asks in vain",
    # what msgspec brings
    "typing_extensions": "msgspec, which asks in vain since 3.11: `inspect` would come with it",
    "decimal": "msgspec",
    "numbers": "decimal",
    "uuid": "msgspec",
    "dataclasses": "msgspec, in some versions",
    "copy": "dataclasses",
    "annotationlib": "inspect, since 3.14",
}
HEAVY = (
    "jsonschema", "referencing", "hypothesis", "charset_normalizer.api", "importlib.metadata",
    "helr.page.json_fallback", "helr.recording", "helr.lines.truncate", "helr.terminal",
    "helr.config.validation",
    "helr.output.file", "msgspec.inspect", "platform", "zipfile",
)  # fmt: skip

if sys.version_info < (3, 11):
    ALLOWED |= dict.fromkeys(("inspect", "ast", "dis", "opcode"), "typing_extensions")


def imported(*command: str, helr: Helr) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=helr.cwd, env=helr.environment({"COVERAGE_PROCESS_START": ""}),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.rsplit("|", 1)[1].strip() for line in lines}


def test_an_idle_poll_imports_nothing_new(helr: Helr) -> None:
    with MockSlack(events=5) as mock:
        helr.slack(mock.url, **CAREFUL)
        assert helr.run("run", "--once").returncode == 0
        base = imported("-c", "import requests", helr=helr)
        found = imported("-m", "helr", "-q", "run", "--once", helr=helr)
    names = {name.split(".")[0].removeprefix("_") for name in found - base}
    measuring = {"coverage", "sysconfig", "tracer"}
    assert names - set(ALLOWED) - measuring == set()
    heavy = {name for name in found for one in HEAVY if f"{name}.".startswith(f"{one}.")}
    assert heavy == set()
