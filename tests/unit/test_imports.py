"""What is left out of an import is missing for that moment alone, and nobody is told."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_requests_comes_without_what_it_is_not_asked_for() -> None:
    out = run(
        "import sys; from helr.imports import import_requests; import_requests()\n"
        "import requests\n"
        "hidden = {'charset_normalizer', 'chardet', 'importlib.metadata'}\n"
        "print(sorted(hidden & sys.modules.keys()), requests.Response().apparent_encoding)"
    )
    assert out == "[] utf-8\n"


def test_what_was_hidden_can_be_imported_afterwards() -> None:
    run(
        "from helr.imports import import_msgspec, import_requests\n"
        "import_msgspec(); import_requests()\n"
        "import charset_normalizer, typing_extensions, importlib.metadata, urllib3.http2\n"
        "assert urllib3.http2.version('urllib3') == importlib.metadata.version('urllib3')"
    )


def test_what_is_there_already_stays() -> None:
    run(
        "import charset_normalizer, importlib.metadata, requests, sys\n"
        "from helr.imports import import_requests; before = dict(sys.modules); import_requests()\n"
        "assert all(sys.modules[name] is module for name, module in before.items())\n"
        "assert requests.compat.chardet is charset_normalizer"
    )
