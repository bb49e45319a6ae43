"""Each kind of pagination and of authentication, from its keys in the config to the last event:
across polls, across a kill in the middle of a chain, and from a state of another helr."""

from __future__ import annotations

import json
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.command.support import follow
from tests.conftest import Helr

EVENTS = [{"id": f"event-{n:03d}", "at": 1_700_000_000 + n, "pad": "x" * 3000} for n in range(200)]
PAGE = 50
ALL = [event["id"] for event in EVENTS]

KINDS = {
    "link_header": {"strategy": "link_header"},
    "next_url in the body": {"strategy": "next_url", "next_url_path": "links.next"},
    "next_url in a header": {"strategy": "next_url", "next_url_header": "NextPageUri"},
    "cursor": {"strategy": "cursor", "cursor_param": "skip", "cursor_path": "links.skip"},
    "cursor and a flag": {
        "strategy": "cursor",
        "cursor_param": "skip",
        "cursor_path": "links.always",
        "more_path": "has_more",
    },
    "last_id": {"strategy": "last_id", "id_path": "id", "id_param": "after"},
    "page_offset": {
        "strategy": "page_offset",
        "page_param": "page",
        "limit_param": "limit",
        "limit": PAGE,
    },
    "offset": {
        "strategy": "offset",
        "offset_param": "skip",
        "limit_param": "limit",
        "limit": PAGE,
        "end": "empty_page",
    },
}
ADDRESSED = list(KINDS)[:3]  # an address leads on
KEYS = dict(zip(ADDRESSED, ("rel", "next_url_path", "next_url_header"), strict=True))
LOGINS: dict[str, tuple[dict[str, Any], dict[str, str], str, str]] = {
    "bearer": (
        {"type": "bearer", "token_env": "TOKEN"},
        {"TOKEN": "secret-token-1"},
        "Authorization",
        "Bearer secret-token-1",
    ),
    "api_key": (
        {"type": "api_key", "header": "X-Api-Key", "key_env": "KEY"},
        {"KEY": "secret-key-2"},
        "X-Api-Key",
        "secret-key-2",
    ),
    "basic": (
        {"type": "basic", "user_env": "API_USER", "password_env": "API_PASSWORD"},
        {"API_USER": "ann", "API_PASSWORD": "secret-password-3"},
        "Authorization",
        f"Basic {b64encode(b'ann:secret-password-3').decode()}",
    ),
}


class Api:
    """200 events, oldest first; the next page's address is told in every way at once."""

    def __init__(self) -> None:
        self.wants = ("", "")  # a header and its value
        self.asked: list[str] = []
        self.elsewhere = ""
        self.events = list(EVENTS)
        self.feed = False  # the link to the next page is there, even when there is no event
        self.forgotten = 0  # tokens below that are refused
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                api.asked.append(self.path)
                header, value = api.wants
                if header and self.headers.get(header) != value:
                    self.send_error(401)
                    return
                query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                start = api.start(query)
                if "skip" in query and start < api.forgotten:
                    self.send_error(410)
                    return
                found = api.events[start : start + PAGE]
                after = start + len(found)
                more = f"{api.elsewhere}/logs?limit={PAGE}&skip={after}"
                body: dict[str, Any] = {"value": found, "has_more": after < len(api.events)}
                body["links"] = {"always": after}
                self.send_response(200)
                if after < len(api.events) or api.feed:
                    body["links"] |= {"next": more, "skip": after}
                    self.send_header("Link", '</logs>; rel="first"; title="a, b"')
                    self.send_header("Link", f'<{more}>; rel="next"')
                    self.send_header("NextPageUri", more)
                data = json.dumps(body).encode()
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/logs"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def start(self, query: dict[str, str]) -> int:
        """The index of the first event that is asked for."""
        if "after" in query:
            return 1 + [event["id"] for event in self.events].index(query["after"])
        if "page" in query:
            return (int(query["page"]) - 1) * PAGE
        since = float(query.get("since", 0))
        first = sum(event["at"] < since for event in self.events)
        return int(query.get("skip", first))

    def add(self, number: int) -> list[str]:
        """New events; their ids."""
        count = len(self.events)
        new = [
            {"id": f"event-{n:03d}", "at": 1_700_000_000 + n} for n in range(count, count + number)
        ]
        self.events += new
        return [event["id"] for event in new]


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()
    made.server.server_close()


def configure(helr: Helr, api: Api, **changes: Any) -> None:
    source = {
        "url": api.url,
        "query_params": {"limit": PAGE},
        "response_events_path": "value",
        "dedupe": {"id_path": "id"},
        "incremental_from": {
            "state_key": "since",
            "event_timestamp_path": "at",
            "param_name": "since",
        },
    }
    helr.config(sources={"s": source | changes})


def ids(output: str) -> list[str]:
    return [json.loads(line)["event"]["id"] for line in output.splitlines()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_over_several_polls_brings_every_event_once(
    helr: Helr, api: Api, kind: str
) -> None:
    configure(helr, api, pagination={**KINDS[kind], "max_pages": 1})
    came: list[str] = []
    for poll in range(4):
        done = helr.run("run", "--once")
        assert done.returncode == 0, done.stderr
        came += ids(done.stdout)
        if poll < 3:  # some kinds know the end only by a page after it
            assert f"open chain: {PAGE * (poll + 1)} events" in helr.run("status").stdout
    assert came == ALL
    if kind in ADDRESSED:
        assert [path.partition("skip=")[2] for path in api.asked] == ["", "50", "100", "150"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_in_mid_chain_loses_nothing_and_repeats_a_block_at_most(
    helr: Helr, api: Api, kind: str
) -> None:
    configure(helr, api, pagination=KINDS[kind])
    process = helr.start("run", "--once")
    log = follow(process.stderr)
    assert process.stdout is not None
    came = ids(b"".join(process.stdout.readline() for _ in range(70)).decode())
    process.kill()
    process.wait()
    rest = process.stdout.read().decode()
    process.stdout.close()
    log.end()
    came += ids(rest[: rest.rfind("\n") + 1])
    again = ids(helr.run("run", "--once").stdout)
    assert set(came + again) == set(ALL)
    assert len(came) + len(again) - len(ALL) <= 65536 // 3000


@pytest.mark.parametrize("login", LOGINS)
def test_a_login_is_sent_and_never_shown(helr: Helr, api: Api, login: str) -> None:
    auth, environment, *wanted = LOGINS[login]
    api.wants = (wanted[0], wanted[1])
    configure(helr, api, auth=auth, pagination=KINDS["link_header"])
    helr.env.update(environment)
    done = helr.run("run", "--once", "-v")
    assert ids(done.stdout) == ALL
    assert "secret" not in done.stderr
    helr.env.update(dict.fromkeys(environment, "another-secret"))
    refused = helr.run("run", "--once", "-v")
    assert refused.returncode == 1
    assert "HTTP 401" in refused.stderr
    assert "secret" not in refused.stderr
    helr.env = {}
    missing = helr.run("run", "--once")
    assert missing.returncode == 2
    assert "is not set; export" in missing.stderr


@pytest.mark.parametrize("kind", ADDRESSED)
def test_a_next_address_at_another_origin_is_refused_and_gets_no_credentials(
    helr: Helr, api: Api, kind: str
) -> None:
    api.elsewhere = "http://localhost:9"
    configure(helr, api, pagination=KINDS[kind])
    refused = helr.run("run", "--once")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.rstrip().endswith(
        f"ERROR s: {api.url}: HTTP 200, the next address, http://localhost:9/logs, has a different "
        "origin and was not followed, because the credentials would be sent there; check "
        f"pagination.{KEYS[kind]}, or put the correct origin into `url`"
    )


# -- feeds

FEEDS = [*ADDRESSED, "cursor"]


@pytest.mark.parametrize("kind", FEEDS)
def test_a_feed_is_continued_and_idle_polls_cost_one_request(
    helr: Helr, api: Api, kind: str
) -> None:
    api.feed = True
    configure(helr, api, pagination={**KINDS[kind], "keep": True})
    done = helr.run("run", "--once")
    assert (done.returncode, ids(done.stdout)) == (0, ALL)
    assert len(api.asked) == 5, "four pages, and an empty one"
    for _ in range(2):
        api.asked.clear()
        idle = helr.run("run", "--once")
        assert (idle.returncode, idle.stdout, len(api.asked)) == (0, "", 1), idle.stderr
        assert "since" not in api.asked[0]
    new = api.add(60)
    assert ids(helr.run("run", "--once").stdout) == new


@pytest.mark.parametrize("kind", FEEDS)
def test_a_feed_whose_token_is_refused_begins_again_at_its_newest_event(
    helr: Helr, api: Api, kind: str
) -> None:
    api.feed = True
    configure(helr, api, pagination={**KINDS[kind], "keep": True}, on_cursor_error="reset")
    assert ids(helr.run("run", "--once").stdout) == ALL
    new = api.add(3)
    api.forgotten = 1000
    reset = helr.run("run", "--once")
    assert (reset.returncode, reset.stdout) == (0, "")
    assert "restarting from the first page and keeping the watermark" in reset.stderr
    api.forgotten = 0
    api.asked.clear()
    assert ids(helr.run("run", "--once").stdout) == new
    assert f"since={EVENTS[-1]['at']}" in api.asked[0]


@pytest.mark.parametrize("kind", ["cursor", ADDRESSED[0]])
def test_refusals_with_good_polls_between_them_are_not_in_a_row(
    helr: Helr, api: Api, kind: str
) -> None:
    api.feed = True
    configure(helr, api, pagination={**KINDS[kind], "keep": True}, on_cursor_error="reset")
    for _ in range(3):
        api.forgotten = 0
        assert helr.run("run", "--once").returncode == 0
        api.forgotten = 1000
        assert "in a row" not in helr.run("run", "--once").stderr


def test_a_saved_address_is_not_requested_when_the_url_names_another_host(
    helr: Helr, api: Api
) -> None:
    configure(helr, api, pagination={**KINDS["link_header"], "max_pages": 1})
    assert len(ids(helr.run("run", "--once").stdout)) == PAGE
    api.asked.clear()
    moved = api.url.replace("127.0.0.1", "localhost")
    configure(helr, api, url=moved, pagination=KINDS["link_header"])
    refused = helr.run("run", "--once")
    assert (refused.returncode, refused.stdout, api.asked) == (1, "", [])
    assert (
        "does not have the origin of `url`; run `helr state reset` for this source"
        in refused.stderr
    )
    assert helr.run("state", "reset", "s").returncode == 0
    assert ids(helr.run("run", "--once").stdout) == ALL


def test_several_link_headers_are_replayed_as_they_were_recorded(helr: Helr, api: Api) -> None:
    configure(helr, api, pagination=KINDS["link_header"])
    live = helr.run("run", "--once", "--record-dir", "rec")
    replay = helr.run("run", "--once", "--replay-dir", "rec")
    assert (replay.returncode, replay.stdout) == (0, live.stdout)


def test_a_position_of_any_kind_can_be_set(helr: Helr, api: Api) -> None:
    configure(helr, api, pagination=KINDS["offset"])
    assert helr.run("state", "set", "s", "offset", "150").returncode == 0
    assert ids(helr.run("run", "--once").stdout) == ALL[150:]
    refused = helr.run("state", "set", "s", "cursor", "150")
    assert refused.returncode == 2
    assert "set one of: offset, since" in refused.stderr


# -- a state that another helr left in mid-chain


def write_state(helr: Helr, statements: list[tuple[str, tuple[Any, ...]]], version: int) -> None:
    with closing(sqlite3.connect(helr.cwd / "helr-state.db")) as db, db:
        for statement, values in statements:
            db.execute(statement, values)
        db.execute(f"PRAGMA user_version = {version}")


# as timescale/helr 0.7 makes it
RUST_TABLE = (
    "CREATE TABLE helr_state (source_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
    "updated_at INTEGER NOT NULL, PRIMARY KEY (source_id, key))"
)
OUR_TABLES = (
    RUST_TABLE,
    "CREATE TABLE helr_delivered (slot INTEGER PRIMARY KEY, source_id TEXT NOT NULL, "
    "turn INTEGER NOT NULL, count INTEGER NOT NULL, ids TEXT NOT NULL)",
    "CREATE TABLE helr_marks (source_id TEXT NOT NULL, kind TEXT NOT NULL, mark BLOB NOT NULL, "
    "at REAL NOT NULL, PRIMARY KEY (source_id, kind, mark)) WITHOUT ROWID",
    "CREATE TABLE helr_steps (path TEXT PRIMARY KEY, device INTEGER NOT NULL, "
    "inode INTEGER NOT NULL, length INTEGER NOT NULL, lines BLOB NOT NULL)",
    "CREATE TABLE helr_proof (only INTEGER PRIMARY KEY CHECK (only = 1), at REAL)",
)
SET = "INSERT INTO helr_state VALUES ('s', ?, ?, 1700000000)"


def test_a_next_url_that_the_rust_helr_left_is_continued(helr: Helr, api: Api) -> None:
    left = f"{api.url}?limit={PAGE}&skip=100"
    write_state(helr, [(RUST_TABLE, ()), (SET, ("next_url", left)), (SET, ("cursor", ""))], 0)
    configure(helr, api, pagination={"strategy": "link_header", "max_pages": 20})
    done = helr.run("run", "--once")
    assert (done.returncode, ids(done.stdout)) == (0, ALL[100:])
    assert "the Rust helr wrote it" in done.stderr


def test_an_empty_next_url_of_the_rust_helr_is_none(helr: Helr, api: Api) -> None:
    write_state(helr, [(RUST_TABLE, ()), (SET, ("next_url", ""))], 0)
    configure(helr, api, pagination=KINDS["link_header"])
    assert ids(helr.run("run", "--once").stdout) == ALL


def test_a_chain_that_helr_0_1_left_is_continued(helr: Helr, api: Api) -> None:
    """Written by hand, as 0.1.0 wrote it: no time `began`, ids without the time of their event."""
    chain = {
        "start": "1600000000",
        "greatest": 1700000099.0,
        "spelled": "1700000099",
        "events": 100,
    }
    delivered = "\n".join(ALL[:120])  # ids run ahead of the token
    rows: list[tuple[str, tuple[Any, ...]]] = [(table, ()) for table in OUR_TABLES]
    rows += [
        (SET, ("next_url", f"{api.url}?limit={PAGE}&skip=100")),
        (SET, ("chain", json.dumps(chain))),
        (SET, ("since", "1600000000")),
        ("INSERT INTO helr_delivered VALUES (1, 's', 1, 120, ?)", (delivered,)),
    ]
    write_state(helr, rows, 2)
    configure(helr, api, pagination=KINDS["next_url in the body"])
    done = helr.run("run", "--once")
    assert (done.returncode, ids(done.stdout)) == (0, ALL[120:])
    assert "wrote it" not in done.stderr
    shown = helr.run("state", "show", "s").stdout
    assert f"since: {1_700_000_199}" in shown
    assert "next_url" not in shown
