"""Errors through the command: what a person sees of each case of docs/errors.yaml, and no more.

`helr run --once` and `helr test` say the same line, with the same exit status.
"""

from __future__ import annotations

import json
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from mock_server import MockSlack
from tests.conftest import ROOT, Helr, slack_source
from tests.errors_table import entries, level_and_text, pattern
from tests.support import INCREMENTAL, Handler, http_server

pytestmark = pytest.mark.unmeasured

CERTIFICATE = str(ROOT / "tests" / "mock_server" / "localhost.crt")
KEY = str(ROOT / "tests" / "mock_server" / "localhost.key")
ONCE = {"retries": {"max_attempts": 1}}


@dataclass
class Scene:
    """Where to ask, with which configuration and environment."""

    url: str  # without the path
    source: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=lambda: {"SLACK_AUDIT_TOKEN": "xoxp-mock"})
    test_says: str | None = None  # how `helr test` begins its line, where it is another
    test_adds: str = "nothing was requested"  # and what that line says
    test_exit: int | None = None


Setting = Callable[[Helr], Iterator[Scene]]
SETTINGS: dict[str, Callable[[Helr], Any]] = {}


def setting(name: str) -> Callable[[Setting], Setting]:
    def keep(make: Setting) -> Setting:
        SETTINGS[name] = contextmanager(make)
        return make

    return keep


@contextmanager
def answering(
    status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A server with one answer to every GET; as a proxy it asks for a login. Yields its URL."""

    class Api(Handler):
        def get(self) -> None:
            self.answer(body, status, headers)

    with http_server(Api) as url:
        yield url


@contextmanager
def nobody() -> Iterator[str]:
    """An address at which nothing listens, and nothing can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@setting("token unset")
def _(helr: Helr) -> Iterator[Scene]:
    yield Scene("https://api.slack.com", env={})


@setting("token in place of its variable")
def _(helr: Helr) -> Iterator[Scene]:
    auth = {"type": "bearer", "token_env": "ghp_9aBcDeF0gHiJkL"}
    yield Scene("https://api.slack.com", {"auth": auth}, env={})


@setting("plain http")
def _(helr: Helr) -> Iterator[Scene]:
    yield Scene("http://api.slack.com")


@setting("held")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3) as mock:
        mock.settings.retry_after = 500
        mock.fault("rate_limited@1")
        helr.slack(mock.url)
        assert helr.run("run", "--once").returncode == 1
        mock.fault("500@1+")
        yield Scene(mock.url, test_says="held:        ")
        assert len(mock.requests) == 1, "nothing was asked"


@setting("breaker open")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3) as mock:
        mock.fault("503@1+")
        breaker = {"failure_threshold": 1, "half_open_timeout_secs": 500}
        source = {"resilience": {**ONCE, "circuit_breaker": breaker}}
        helr.slack(mock.url, **source)
        assert helr.run("run", "--once").returncode == 1
        mock.clear_faults()
        says = "breaker:     open until "
        yield Scene(
            mock.url, source, test_says=says, test_adds="a run requests nothing", test_exit=0
        )
        assert len(mock.requests) == 2, "the run asked nothing, the test did"


@setting("state locked")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url)
        assert helr.run("run", "--once").returncode == 0
        with closing(sqlite3.connect(helr.cwd / "helr-state.db", isolation_level=None)) as blocker:
            blocker.execute("PRAGMA locking_mode = EXCLUSIVE")
            blocker.execute("BEGIN EXCLUSIVE")
            yield Scene(mock.url)
        assert len(mock.requests) == 1, "nothing was asked"


@setting("state damaged")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3) as mock:
        (helr.cwd / "helr-state.db").write_bytes(b"rubbish" * 2000)
        yield Scene(mock.url)
        assert mock.requests == [], "nothing was asked"


@setting("name unknown")
def _(helr: Helr) -> Iterator[Scene]:
    yield Scene("https://api.slack.invalid")


@setting("connection refused")
def _(helr: Helr) -> Iterator[Scene]:
    with nobody() as url:
        yield Scene(url)


@setting("certificate not trusted")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3, tls=(CERTIFICATE, KEY)) as mock:
        yield Scene(mock.url)
        assert mock.requests == []


@setting("certificate of another host")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3, tls=(CERTIFICATE, KEY), host="127.0.0.2") as mock:
        yield Scene(mock.url, {"resilience": {**ONCE, "tls": {"ca_file": CERTIFICATE}}})
        assert mock.requests == []


@setting("no TLS there")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3) as mock:
        yield Scene(mock.url.replace("http:", "https:"))


@setting("proxy unreachable")
def _(helr: Helr) -> Iterator[Scene]:
    with nobody() as proxy:
        yield Scene("https://api.slack.com", env=_proxied(proxy))


@setting("proxy login")
def _(helr: Helr) -> Iterator[Scene]:
    with answering(200) as proxy:
        yield Scene("https://api.slack.com", env=_proxied(proxy))


@setting("proxy malformed")
def _(helr: Helr) -> Iterator[Scene]:
    yield Scene("https://api.slack.com", env=_proxied("http://#proxy-password@127.0.0.1:9"))


def _proxied(proxy: str) -> dict[str, str]:
    secret = proxy.replace("//", "//user:proxy-password@")
    return {"SLACK_AUDIT_TOKEN": "xoxp-mock", "HTTPS_PROXY": secret}


def _status(status: int, body: bytes = b"", **headers: str) -> Setting:
    def make(helr: Helr) -> Iterator[Scene]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with answering(status, body, named) as url:
            yield Scene(url)

    return make


for _code in (304, 400, 401, 403, 404, 418):
    setting(f"status {_code}")(_status(_code))
setting("status 404 with HTML")(_status(404, b"<!DOCTYPE html><title>Not found</title>"))


setting("status 403 for a rate limit")(
    _status(403, b'{"message":"API rate limit exceeded"}', X_RateLimit_Remaining="0")
)
setting("redirect that drops the query")(_status(301, Location="/audit/v1/logs/"))
setting("compression that was not requested")(_status(200, b"\x8b\x00", Content_Encoding="br"))


setting("too many values")(_status(200, b'{"entries":[' + b"{}," * 600_000 + b"{}]}"))
setting("error in a 200")(
    _status(200, b'{"status":"error","code":"E7","message":"the organization is suspended"}')
)


@setting("plain http through a proxy")
def _(helr: Helr) -> Iterator[Scene]:
    with nobody() as url:
        env = {"HTTP_PROXY": "http://proxy.example:1", "http_proxy": "http://proxy.example:1"}
        yield Scene(url, env={"SLACK_AUDIT_TOKEN": "xoxp-mock", **env})


@setting("no events")
def _(helr: Helr) -> Iterator[Scene]:
    with MockSlack(events=3) as mock:
        source = {"query_params": {"oldest": "4000000000"}}
        yield Scene(mock.url, source, test_says="no events:   ")


CASES = {entry["case"]: entry for entry in entries("case")}


def test_every_case_of_the_table_is_tried() -> None:
    assert set(CASES) == set(SETTINGS)


@pytest.mark.parametrize("name", list(CASES))
def test_case(helr: Helr, name: str) -> None:
    entry = CASES[name]
    with SETTINGS[name](helr) as scene:
        helr.env = scene.env
        source = slack_source(scene.url, **{"resilience": ONCE, **scene.source})
        helr.config(sources={"slack-audit": source})
        expected = pattern(entry["line"], url=source["url"], tries="")
        run = helr.run("run", "--once")
        assert run.returncode == entry["exit"], run.stderr
        logged = entry["line"].startswith(("ERROR ", "WARN ", "INFO "))  # else there is no log yet
        told = level_and_text(run.stderr) if logged else run.stderr.splitlines()
        assert len(told) == 1, "one line, and that is all"
        assert re.fullmatch(expected, told[0]), f"{told[0]}\n{entry['line']}"

        test = helr.run("test", "--source", "slack-audit")
        status = entry["exit"] if scene.test_exit is None else scene.test_exit
        assert test.returncode == status, test.stderr
        last = test.stderr.splitlines()
        if scene.test_says is None:
            line = level_and_text(test.stderr)[-1] if logged else last[-1]
            assert re.fullmatch(expected, line), f"{line}\n{entry['line']}"
        else:
            (line,) = (told for told in last if told.startswith(scene.test_says))
            advice = entry["line"].partition("no events: ")[2] or scene.test_adds
            assert advice in line
        for output in (run.stdout, run.stderr, test.stdout, test.stderr):
            assert "xoxp-mock" not in output
            assert "proxy-password" not in output
            assert "Traceback" not in output


# -- the user's Troubleshooting table: each row's advice, in these words

TROUBLE = {
    "missing_authentication": ("xoxp-", "valid", "Enterprise organization owner", "auditlogs:read"),
    "invalid_authentication": ("xoxp-", "valid", "Enterprise organization owner", "auditlogs:read"),
    "feature_not_enabled": ("Slack Enterprise", "on the organization, not on a workspace"),
    "invalid_workspace": ("Slack Enterprise", "on the organization, not on a workspace"),
    "team_not_authorized": ("Slack Enterprise", "on the organization, not on a workspace"),
    "user_not_authorized": ("owner of the Enterprise organization",),
    "invalid_cursor": ("on_cursor_error: reset", "first page"),
    "rate_limited": (
        "50 calls a minute",
        "interval_secs",
        "max_pages",
        "page_delay_secs",
        "Retry-After",
        "respect_headers",
    ),
}


@pytest.mark.parametrize("code", list(TROUBLE))
def test_troubleshooting(helr: Helr, code: str) -> None:
    with MockSlack(events=3) as mock:
        mock.settings.retry_after = 300
        mock.fault(f"{code}@1+")
        helr.slack(mock.url, resilience=ONCE)
        told = [helr.run("test", "--source", "slack-audit")]
        helr.run("state", "reset", "slack-audit", "--hold")
        told.append(helr.run("run", "--once"))
        for result in told:
            assert result.returncode == 1
            assert result.stdout == ""
            line = level_and_text(result.stderr)[-1]
            assert line.startswith(f"ERROR slack-audit: {mock.logs_url}: HTTP 4")
            for words in (code, *TROUBLE[code]):
                assert words in line


def test_nothing_new_is_no_reason_for_advice(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        helr.slack(mock.url, incremental_from=INCREMENTAL)
        assert len(helr.run("run", "--once").stdout.splitlines()) == 3
        idle = helr.run("run", "--once")
        assert (idle.returncode, idle.stdout) == (0, "")
        assert level_and_text(idle.stderr) == [
            "INFO  slack-audit: 1 page, 3 events, none of them new"
        ]
        assert helr.run("run", "--once", "-q").stderr == ""


# -- what outlives the process


def test_a_retry_after_holds_every_process_until_it_is_lifted(helr: Helr) -> None:
    with MockSlack(events=5) as mock:
        mock.settings.retry_after = 500
        mock.fault("rate_limited@1")
        helr.slack(mock.url)
        first = helr.run("run", "--once")
        until = re.findall(r"not polled before (\S+Z)", first.stderr)
        assert first.returncode == 1
        assert len(until) == 1
        with sqlite3.connect(helr.cwd / "helr-state.db") as db:
            (saved,) = db.execute("SELECT value FROM helr_state WHERE key = 'hold'").fetchone()
        db.close()
        assert set(json.loads(saved)) == {"since", "until", "reason"}
        for _ in range(2):
            second = helr.run("run", "--once")
            assert second.returncode == 1
            assert re.findall(r"not polled before (\S+Z)", second.stderr) == until
        assert len(mock.requests) == 1, "only the first process asked"
        lifted = helr.run("state", "reset", "slack-audit", "--hold")
        assert lifted.returncode == 0
        assert len(helr.run("run", "--once").stdout.splitlines()) == 5


def test_the_breaker_opens_across_one_shot_runs_and_closes_again(helr: Helr) -> None:
    with MockSlack(events=5) as mock:
        mock.fault("503@1-3")
        breaker = {"failure_threshold": 3, "success_threshold": 1, "half_open_timeout_secs": 500}
        helr.slack(mock.url, resilience={**ONCE, "circuit_breaker": breaker})
        for number in (1, 2, 3):
            result = helr.run("run", "--once")
            assert result.returncode == 1
            assert ("closed → open until" in result.stderr) == (number == 3)
        held = helr.run("run", "--once")
        assert held.returncode == 1
        assert re.search(r"the circuit breaker is open until \d{4}-\S+Z: ", held.stderr)
        assert len(mock.requests) == 3, "an open breaker asks nothing"
        assert helr.run("state", "reset", "slack-audit", "--hold").returncode == 0
        assert len(helr.run("run", "--once").stdout.splitlines()) == 5


def test_a_half_open_breaker_tries_once(helr: Helr) -> None:
    with MockSlack(events=5) as mock:
        mock.fault("503@1-2")
        breaker = {"failure_threshold": 1, "success_threshold": 1, "half_open_timeout_secs": 0.01}
        helr.slack(mock.url, resilience={**ONCE, "circuit_breaker": breaker})
        for _ in range(2):
            assert "→ open until" in helr.run("run", "--once").stderr
        good = helr.run("run", "--once")
        assert len(good.stdout.splitlines()) == 5
        assert "circuit breaker: half-open → closed" in good.stderr
        assert len(mock.requests) == 3


def test_a_line_shows_the_url_without_its_query_and_its_user(helr: Helr) -> None:
    with MockSlack(events=3) as mock:
        mock.fault("html")
        parts = urlsplit(mock.url)
        url = f"http://me:my-password@{parts.netloc}"
        helr.slack(url, auth=None, query_params={"limit": 1, "api_key": "planted"})
        told = helr.run("run", "--once").stderr
        assert f"slack-audit: {mock.logs_url}: HTTP" in told
        assert "my-password" not in told
        assert "planted" not in told
