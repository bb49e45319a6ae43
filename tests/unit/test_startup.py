"""What is left out of an import is missing for that moment alone, and nobody is told."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from helr.startup import HIDDEN, Hidden


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda hidden: hidden.module)
def test_each_trick_still_pays(hidden: Hidden) -> None:
    """A module that its library no longer imports, or in no time, need not be hidden."""
    millis = min(cost(times, hidden.module) for times in import_times(hidden.library))
    assert millis > 0.5, "remove it from HIDDEN"


@cache
def import_times(library: str) -> list[list[tuple[str, int]]]:
    """Of several imports: each imported module and its microseconds, with what it imports."""
    command = [sys.executable, "-X", "importtime", "-c", f"import helr.startup, {library}"]
    found = []
    for _ in range(2):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows = [line.split("|") for line in done.stderr.splitlines() if "|" in line]
        found.append([(row[2].strip(), int(row[1])) for row in rows[1:]])
    return found


def cost(times: list[tuple[str, int]], module: str) -> float:
    """Milliseconds that a module takes, or the slowest of those inside it."""
    inside = (micros for name, micros in times if f"{name}.".startswith(f"{module}."))
    return max(inside, default=0) / 1000


def test_requests_comes_without_what_it_is_not_asked_for() -> None:
    out = run(
        "import sys; from helr.startup import import_requests; import_requests()\n"
        "import requests\n"
        "hidden = {'charset_normalizer', 'chardet', 'importlib.metadata'}\n"
        "print(sorted(hidden & sys.modules.keys()), requests.Response().apparent_encoding)"
    )
    assert out == "[] utf-8\n"


def test_what_was_hidden_can_be_imported_afterwards() -> None:
    run(
        "from helr.startup import import_msgspec, import_requests\n"
        "import_msgspec(); import_requests()\n"
        "import charset_normalizer, typing_extensions, importlib.metadata, urllib3.http2\n"
        "import platform, requests, msgspec\n"
        "assert requests.utils.zipfile.is_zipfile('nowhere') is False\n"
        "assert msgspec.inspect.type_info(int) and platform.system() == 'Linux'\n"
        "assert urllib3.http2.version('urllib3') == importlib.metadata.version('urllib3')"
    )


def test_what_is_there_already_stays() -> None:
    run(
        "import charset_normalizer, importlib.metadata, requests, sys\n"
        "from helr.startup import import_requests; before = dict(sys.modules); import_requests()\n"
        "assert all(sys.modules[name] is module for name, module in before.items())\n"
        "assert requests.compat.chardet is charset_normalizer"
    )


def test_the_threads_of_many_sources_may_import_at_once() -> None:
    run(
        "import sys, threading, warnings; from helr.startup import import_requests\n"
        "sys.setswitchinterval(1e-6); before, failed = list(warnings.filters), []\n"
        "threading.excepthook = failed.append\n"
        "threads = [threading.Thread(target=import_requests) for _ in range(50)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "assert not failed, failed\n"
        "assert warnings.filters == before\n"
        "import charset_normalizer, importlib.metadata"
    )


def test_a_requests_that_insists_is_imported_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "requests.py").write_text("import charset_normalizer\n")
    run(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from helr.startup import import_requests; import_requests()\n"
        "assert 'requests' not in sys.modules; import requests, charset_normalizer\n"
        "assert requests.charset_normalizer is charset_normalizer"
    )
