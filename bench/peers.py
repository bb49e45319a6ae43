"""The commands that are measured: helr and its alternatives.

Each takes the mock and states the expected output, so that a peer that drops or repeats an event
is an error and not a good figure.
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.measure import TOKEN, Command
from bench.mock import ROOT, Mock

HERE = Path(__file__).resolve().parent
HEADER = f"Authorization: Bearer {TOKEN}"
PEERS = ROOT / ".venv" / "peers"

HELR = "helr"
HELR_DEDUPE = "helr, dedupe"
FIRST = ", new config"
FLOOR = "curl + cat"
ONE_CURL = "one curl + cat"
JQ = "curl + jq -c"
LEAST = "least Python"
SDK = "slack_sdk loop"
GROVE = "grove"
RUST = "Rust helr 0.7"


@dataclass(frozen=True, slots=True)
class Work:
    """A backfill: every event of the mock, `limit` per page."""

    mock: Mock
    limit: int
    gzip: bool = False


def helr(work: Work, scratch: Path, dedupe: bool = False) -> Command:
    config = write_config(scratch, sources(work, dedupe=dedupe))
    argv = [str(Path(sys.executable).with_name("helr")), "run", "--once", "-c", str(config)]
    return Command(HELR_DEDUPE if dedupe else HELR, argv, lines=work.mock.events)


def rust(work: Work, scratch: Path) -> Command | None:
    binary = rust_binary()
    if binary is None:
        return None
    config = write_config(scratch, sources(work))
    argv = [binary, "run", "--once", "-c", str(config)]
    return Command(RUST, argv, lines=work.mock.events)


def rust_binary() -> str | None:
    """What `make bench-peers` built."""
    built = PEERS / "bin" / "helr"
    return str(built) if built.exists() else None


def sources(
    work: Work, count: int = 1, dedupe: bool = False, pause: float = 60
) -> dict[str, object]:
    """That many Slack sources, as in docs/slack.md, without pauses."""
    source: dict[str, object] = {
        "url": work.mock.logs,
        "schedule": {"interval_secs": pause},
        "auth": {"type": "bearer", "token_env": "SLACK_AUDIT_TOKEN"},
        "query_params": {"limit": str(work.limit)},
        "pagination": {
            "strategy": "cursor",
            "cursor_param": "cursor",
            "cursor_path": "response_metadata.next_cursor",
            "max_pages": 100_000,
        },
        "incremental_from": {
            "state_key": "oldest_ts",
            "event_timestamp_path": "date_create",
            "param_name": "oldest",
        },
    }
    if dedupe:
        source["dedupe"] = {"id_path": "id", "capacity": 2 * work.mock.events + 1000}
    return {f"slack-{number}": source for number in range(count)}


def write_config(scratch: Path, sources: dict[str, object]) -> Path:
    """A config with a state file of its own beside it. JSON is YAML."""
    state = {"backend": "sqlite", "path": str(scratch / "state.db")}
    path = scratch / "helr.yaml"
    path.write_text(json.dumps({"global": {"state": state}, "sources": sources}))
    return path


def floor(work: Work, scratch: Path) -> Command:
    """One curl per page. It is given the pages' URLs, so it spends no time on cursors."""
    pages = work.mock.pages(work.limit)
    urls = scratch / "urls"
    urls.write_text("".join(f"{url}\n" for url in pages.urls))
    loop = f"while read -r url; do {curl(work)} -H '{HEADER}' \"$url\"; done <'{urls}' | cat"
    return Command(FLOOR, ["sh", "-c", loop], bytes=pages.bytes)


def one_curl(work: Work, scratch: Path) -> Command:
    """A single curl with all URLs on one connection: cheaper than any real client."""
    script = f"{curl(work)} -K '{url_list(work, scratch)}' | cat"
    return Command(ONE_CURL, ["sh", "-c", script], bytes=work.mock.pages(work.limit).bytes)


def jq(work: Work, scratch: Path) -> Command:
    script = f"{curl(work)} -K '{url_list(work, scratch)}' | jq -c '.entries[]'"
    return Command(JQ, ["sh", "-c", script], lines=work.mock.events)


def curl(work: Work) -> str:
    return "curl -sS --noproxy '*'" + (" --compressed" if work.gzip else "")


def url_list(work: Work, scratch: Path) -> Path:
    """A curl config file."""
    path = scratch / "curl.conf"
    lines = "".join(f'url = "{url}"\n' for url in work.mock.pages(work.limit).urls)
    path.write_text(f'header = "{HEADER}"\n{lines}')
    return path


def slack_sdk(work: Work, scratch: Path) -> Command:
    argv = [sys.executable, str(HERE / "slack_sdk_loop.py")]
    base = f"{work.mock.url}/audit/v1/"
    return Command(SDK, [*argv, base, str(work.limit)], lines=work.mock.events)


def least(work: Work, scratch: Path) -> Command:
    argv = [sys.executable, str(HERE / "least.py"), work.mock.logs, str(work.limit)]
    return Command(LEAST, argv, lines=work.mock.events)


def grove(work: Work, scratch: Path) -> Command | None:
    """Requests 1,000 per page whatever `limit` says, and at first the last seven days."""
    python = PEERS / "grove" / "bin" / "python"
    if not python.exists():
        return None
    configs = scratch / "grove"
    configs.mkdir(exist_ok=True)
    config = {"name": "bench", "identity": "bench", "connector": "slack_audit_logs", "key": TOKEN}
    (configs / "slack.json").write_text(json.dumps({**config, "outputs": {"logs": "raw"}}))
    argv = [str(python), str(HERE / "grove_loop.py"), f"{work.mock.url}/audit/v1"]
    env = {"GROVE_CONFIG_LOCAL_FILE_PATH": str(configs)}
    return Command(GROVE, argv, lines=work.mock.events, env=env)


def missing() -> list[str]:
    """What cannot be measured here, and how to get it."""
    found = []
    if shutil.which("jq") is None:
        found.append("jq is not installed (Debian: apt-get install jq)")
    if rust_binary() is None:
        found.append(f"{RUST}: make bench-peers builds it with cargo")
    if not (PEERS / "grove").exists():
        found.append(f"{GROVE}: make bench-peers installs it")
    return found
