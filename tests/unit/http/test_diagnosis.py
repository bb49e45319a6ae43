"""What a failed request is explained as. With servers: test_urllib3_transport.py, test_tls.py."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest
import requests
import urllib3.exceptions

import helr
from helr.errors import PollError
from helr.http.diagnosis import explain
from helr.http.failures import ConnectError, RefusedError, RequestTimeoutError
from helr.secrets import secret

URL = "https://bob:planted@api.example.com/x?key=planted"


@pytest.mark.parametrize(
    ("error", "kind", "what"),
    [
        (
            urllib3.exceptions.ProxyError("no", OSError(errno.EHOSTUNREACH, "No route to host")),
            ConnectError,
            "the proxy could not be used ([Errno 113] No route to host)",
        ),
        (
            urllib3.exceptions.ConnectTimeoutError("late"),
            RequestTimeoutError,
            "connecting took longer than resilience.timeouts.connect_secs",
        ),
        (
            urllib3.exceptions.ProtocolError("odd"),
            ConnectError,
            "the response is not valid HTTP (odd)",
        ),
        (
            urllib3.exceptions.InvalidHeader("odd"),
            ConnectError,
            "the response is not valid HTTP (odd)",
        ),
        (
            urllib3.exceptions.LocationParseError("planted"),
            RefusedError,
            "the URL cannot be used",
        ),
        (requests.exceptions.InvalidURL("planted"), RefusedError, "the URL cannot be used"),
        (ConnectionError("odd"), ConnectError, "odd"),
    ],
)
def test_exceptions_of_the_http_library(error: Exception, kind: type[PollError], what: str) -> None:
    found = explain(error, "s", URL)
    assert type(found) is kind
    assert found.what == what


def test_a_failure_has_its_fields() -> None:
    secret("pl4nted-in-a-reason")
    found = explain(OSError(errno.ENETUNREACH, "Unreachable by pl4nted-in-a-reason"), "s", URL)
    assert found.what == "unreachable by ***"
    assert found.where == "https://api.example.com/x"
    assert found.do == "check the network and the host in `url`"
    assert found.source == "s"


def test_only_one_file_imports_the_http_library() -> None:
    """helr/startup.py only loads it ahead of that file."""
    root = Path(helr.__file__).parent
    files = {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}
    pattern = re.compile(r"^\s*(import|from) (requests|urllib3)\b", re.MULTILINE)
    importing = {path for path, text in files.items() if pattern.search(text)}
    assert importing == {"http/urllib3_transport.py", "startup.py"}
