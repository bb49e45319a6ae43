"""Record tests/cassettes again from the mock: `make cassettes`.

Each scenario of tests/cassettes/__init__.py is one poll by helr of a misbehaving mock, recorded by
vcrpy. Everything that differs from run to run, or is secret, is left out:
the mock's address, the token, dates, versions. Running it twice changes nothing.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import vcr  # type: ignore[import-untyped]
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # for the tests' own scenarios

from mock_server import MockSlack  # noqa: E402
from tests.cassettes import EVENTS, HERE, SCENARIOS, URL, Scenario, collect  # noqa: E402

NEWEST = 1_700_000_000  # Unix seconds of the newest event
KEPT_REQUEST = ("Accept",)
KEPT_RESPONSE = ("Content-Type", "Retry-After")
COMMENT = "# Recorded by `make cassettes`; do not edit.\n"


def main() -> int:
    logging.getLogger("helr").setLevel(logging.CRITICAL)  # the faults are intended
    for old in HERE.glob("*.yaml"):
        old.unlink()
    for scenario in SCENARIOS:
        path = HERE / f"{scenario.name}.yaml"
        count = record(scenario, path)
        print(f"{path.relative_to(ROOT)}: {count} responses, {path.stat().st_size} bytes")
    return 0


def record(scenario: Scenario, path: Path) -> int:
    """Record one scenario; the number of responses."""
    with (
        tempfile.TemporaryDirectory() as folder,
        MockSlack(EVENTS, base_time=NEWEST, faults=scenario.faults) as mock,
    ):
        recorder = vcr.VCR(
            before_record_request=lambda request: _request(request, mock.logs_url),
            before_record_response=_response,
        )
        with recorder.use_cassette(str(path), record_mode="all"):
            collect(Path(folder), scenario, mock.logs_url)
    return _rewrite(path)


def _request(request: Any, url: str) -> Any:
    request.uri = request.uri.replace(url, URL)
    request.headers = {k: v for k, v in request.headers.items() if k in KEPT_REQUEST}
    return request


def _response(response: dict[str, Any]) -> dict[str, Any]:
    kept = {name: found for name, found in response["headers"].items() if name in KEPT_RESPONSE}
    return {**response, "headers": kept}


def _rewrite(path: Path) -> int:
    """Write bodies on one line and unescaped, for reading and searching."""
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=1_000_000)
    if yaml.safe_load(text) != whole:
        raise ValueError(f"{path}: YAML cannot represent it unchanged")
    path.write_text(COMMENT + text, encoding="utf-8")
    return len(whole["interactions"])


if __name__ == "__main__":
    sys.exit(main())
