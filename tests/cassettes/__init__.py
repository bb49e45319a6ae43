"""Small recorded exchanges with Slack's API, and how to record them.

`make cassettes` records them from the mock, with the scenarios here; test_cassettes.py plays
them to helr with the network blocked. They look as if api.slack.com had answered, so that they
match the documented configuration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from helr.clock import Clock
from helr.config import load
from helr.engine.assemble import pollers
from helr.engine.event_log import log_event
from helr.engine.scheduler import Scheduler
from helr.output.file import FileOutput
from helr.state.memory import MemoryStore

HERE = Path(__file__).parent
URL = "https://api.slack.com/audit/v1/logs"
TOKEN = "xoxp-mock"
EVENTS = 6
PAGE = 2


class Scenario(NamedTuple):
    """`faults`: those of the mock; `keys`: the source's additional keys."""

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


class Patient(Clock):
    """A clock that records waits instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.check()
        self.waits.append(seconds)


class Collected(NamedTuple):
    status: int
    lines: list[bytes]
    waits: list[float]


def collect(
    folder: Path, scenario: Scenario, url: str = URL, store: MemoryStore | None = None
) -> Collected:
    """One poll by the real engine in this process, without its waits."""
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
    clock, store = Patient(), store or MemoryStore()
    written = folder / "events.ndjson"
    output = FileOutput(str(written), store, clock)
    made = pollers([source], store, output, clock=clock)
    status = Scheduler(made, output, clock, log_event).run(once=True)
    return Collected(status, written.read_bytes().splitlines(keepends=True), clock.waits)


def _source(url: str, token: str, keys: dict[str, Any]) -> dict[str, Any]:
    return {
        "url": url,
        "auth": {"type": "bearer", "token_file": token},
        "query_params": {"limit": PAGE},
        "pagination": {
            "strategy": "cursor",
            "cursor_param": "cursor",
            "cursor_path": "response_metadata.next_cursor",
        },
        "resilience": {"retries": {"max_attempts": 5}, "rate_limit": {"page_delay_secs": 2}},
        **keys,
    }
