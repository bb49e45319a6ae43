"""Small recorded conversations with Slack's API, and how they came about.

`make cassettes` records them from the mock, with the scenarios here; test_cassettes.py plays
them to helr with the network blocked. They look as if api.slack.com had answered, so that
they go with the documented configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from helr.config import load
from helr.engine.assemble import scheduler
from helr.output.file import FileOutput
from helr.pytest_plugin import FakeClock
from helr.state.memory import MemoryStore
from tests.support import PAGING

HERE = Path(__file__).parent
URL = "https://api.slack.com/audit/v1/logs"
TOKEN = "xoxp-mock"
EVENTS = 6
PAGE = 2


class Scenario(NamedTuple):
    """`faults`: what the mock is told to do; `keys`: what the source has beyond the documented."""

    name: str
    faults: tuple[str, ...] = ()
    keys: dict[str, Any] = {}  # noqa: RUF012 - never changed


REFUSALS = (
    "missing_authentication",
    "invalid_authentication",
    "user_not_authorized",
    "missing_scope",
    "team_not_authorized",
    "invalid_workspace",
    "feature_not_enabled",
)
SCENARIOS = (
    Scenario("three_pages"),
    Scenario("rate_limited", ("rate_limited@2",)),
    Scenario("invalid_cursor", ("invalid_cursor@2",), {"on_cursor_error": "reset"}),
    *(Scenario(code, (f"{code}@1",)) for code in REFUSALS),
    Scenario("server_errors", ("500@2-6",)),
    Scenario("truncated_body", ("truncated-json@2",)),
)


class Collected(NamedTuple):
    status: int
    lines: list[bytes]
    waits: list[float]


def collect(
    folder: Path,
    scenario: Scenario,
    url: str = URL,
    store: MemoryStore | None = None,
    clock: FakeClock | None = None,
) -> Collected:
    """One poll by the engine as it is, in this process, its waits skipped."""
    token = folder / "token"
    token.write_text(TOKEN)
    config = folder / "helr.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"state": {"backend": "memory"}},
                "sources": {"slack-audit": _source(url, str(token), scenario.keys)},
            }
        )
    )
    source = load(str(config)).sources["slack-audit"]
    clock, store = clock or FakeClock(), store or MemoryStore()
    output = folder / "events.ndjson"
    made = FileOutput(str(output), store, clock)
    status = scheduler([source], store, made, clock=clock).run(once=True)
    return Collected(status, output.read_bytes().splitlines(keepends=True), clock.waits)


def _source(url: str, token: str, keys: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": url,
        "auth": {"type": "bearer", "token_file": token},
        "query_params": {"limit": PAGE},
        "pagination": PAGING,
        "resilience": {"retries": {"max_attempts": 5}, "rate_limit": {"page_delay_secs": 2}},
        **keys,
    }
