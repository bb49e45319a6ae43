"""No planted secret is in a recording, a cassette, the log or the state, in any form."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.conftest import Helr, slack_source
from tests.support import Handler, http_server

TOKEN = 'xoxp-pl4nted/"to&ken"=+1'
API_KEY = "k3y-in-a-header"
PARAM = "s3cret in/the+query"
USER, PASSWORD = "us3r-name", "p4ss/w0rd"
COOKIE, SESSION = "xoxd-c00kie", "sess10n-of-the-server"
CURSOR = "dXNlcjox-plain"
PLANTED = (TOKEN, API_KEY, PARAM, PASSWORD, COOKIE, SESSION)  # the user name is not a secret


def forms(secret: str) -> set[bytes]:
    """The forms in which it may be written."""
    raw = secret.encode()
    texts = {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        html.escape(secret, quote=False),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
    }
    return {text.encode() for text in texts} | {base64.b64encode(raw)}


class Parrot(Handler):
    """Repeats the whole request in its responses: first a 500, then a page, then a second one."""

    protocol_version = "HTTP/1.1"
    count = 0

    def get(self) -> None:
        type(self).count += 1
        told = (TOKEN, API_KEY, PARAM, PASSWORD)
        if self.count == 1:
            self.packed(500, b"<html>" + "".join(map(html.escape, told)).encode(), "text/html")
            return
        entry = {
            "id": str(self.count),
            "date_create": 1_700_000_000 + self.count,
            "raw": told,
            "url": [f"https://h.example/?a={quote(secret, safe='')}" for secret in told],
            "plus": [quote_plus(secret) for secret in told],
            "base64": [base64.b64encode(secret.encode()).decode() for secret in told],
            "basic": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
            "emoji": "\N{GRINNING FACE}",
        }
        cursor = CURSOR if self.count == 2 else ""
        page = {"entries": [entry], "response_metadata": {"next_cursor": cursor}}
        body = json.dumps(page, ensure_ascii=False).replace("/", "\\/").encode()
        self.packed(200, body, "application/json")

    def packed(self, status: int, body: bytes, kind: str) -> None:
        headers = {
            "Content-Type": kind,
            "Content-Encoding": "gzip",
            "Set-Cookie": f"d={COOKIE}; path=/",
            "X-Session-Id": SESSION,
            "X-You-Said": self.headers["Authorization"],
            "Link": f"<http://{USER}:{quote(PASSWORD)}@h.example/?token={SESSION}>",
        }
        self.answer(gzip.compress(body), status, headers)


@pytest.fixture
def parrot() -> Iterator[str]:
    Parrot.count = 0
    with http_server(Parrot) as url:
        yield url.removeprefix("http://")


def found_in(text: bytes) -> list[bytes]:
    return [form for secret in PLANTED for form in forms(secret) if form in text]


def everything(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file, and the decoded body of every recording."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "helr.yaml":
            content = path.read_bytes()
            yield path, content
            if path.suffix == ".json" and path.name != "state.json":
                yield path, base64.b64decode(json.loads(content)["body_base64"])


def test_no_planted_secret_is_left_anywhere(helr: Helr, parrot: str) -> None:
    helr.env = {"SLACK_AUDIT_TOKEN": TOKEN, "HELR_LOG_LEVEL": "trace"}
    source = slack_source(
        "",
        headers={"X-Api-Key": API_KEY},
        query_params={"limit": 1, "access_token": PARAM},
        dedupe={"id_path": "id"},
    )
    source["url"] = f"http://{USER}:{quote(PASSWORD, safe='')}@{parrot}/logs?x=1"
    source["resilience"] = {"retries": {"initial_backoff_secs": 0.01}}
    helr.config(sources={"slack-audit": source})

    live = helr.run("run", "--once", "--record-dir", "rec")
    assert live.returncode == 0, live.stderr
    lines = live.stdout.split("\n")[:-1]
    assert [json.loads(line)["event"]["raw"][0] for line in lines] == [TOKEN] * 2, (
        "recording changes nothing in what is delivered"
    )
    helr.env.pop("SLACK_AUDIT_TOKEN")
    again = helr.run("run", "--once", "--replay-dir", "rec")
    assert again.returncode == 0, again.stderr

    files = list(everything(helr.cwd))
    assert {"000.json", "001.json", "002.json", "helr-state.db"} <= {p.name for p, _ in files}
    for path, content in files:
        assert found_in(content) == [], path
    for told in (live.stderr, again.stderr, again.stdout):
        assert found_in(told.encode()) == []

    assert "a secret in the body was redacted (***)" in live.stderr
    assert "a secret in the body was redacted when it was recorded" in again.stderr
    assert "another query" not in again.stderr
    replayed = [json.loads(line) for line in again.stdout.split("\n")[:-1]]
    for line, original in zip(replayed, map(json.loads, lines), strict=True):
        assert line["event"]["raw"] == ["***"] * 4
        assert line["event"]["emoji"] == original["event"]["emoji"]
        assert {**line, "event": 0} == {**original, "event": 0}


def test_a_recording_without_secrets_is_not_marked(helr: Helr, parrot: str) -> None:
    helr.env = {"SLACK_AUDIT_TOKEN": "an0ther-token"}
    url = f"http://{parrot}"
    helr.slack(url, resilience={"retries": {"initial_backoff_secs": 0.01}})
    live = helr.run("run", "--once", "--record-dir", "rec")
    again = helr.run("run", "--once", "--replay-dir", "rec")
    assert (again.returncode, again.stdout) == (0, live.stdout)
    assert "secret" not in live.stderr + again.stderr
    first = json.loads((helr.cwd / "rec" / "slack-audit" / "001.json").read_text())
    assert "replaced" not in first
    assert first["url"] == f"{url}/audit/v1/logs?limit=200"
    assert first["headers"]["Set-Cookie"] == "***"
    assert first["headers"]["X-You-Said"] == "Bearer ***"
    assert "Content-Encoding" not in first["headers"]
