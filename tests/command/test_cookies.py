"""A load balancer's cookie through the command: `cookies: chain`."""

from __future__ import annotations

import json
import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.command.support import ids
from tests.conftest import Helr
from tests.support import INCREMENTAL, PAGING
from tests.unit.http.support import Server, answer, serving

pytestmark = pytest.mark.unmeasured
COOKIE = "AWSALB=planted-node"


def balancer(server: Server, connection: socket.socket) -> None:
    """Three pages; a cursor is valid only on the node that issued it."""
    while True:
        lines = server.read(connection).split("\r\n")
        cursor = int(parse_qs(urlsplit(lines[0].split()[1]).query).get("cursor", ["0"])[0])
        if cursor and f"Cookie: {COOKIE}" not in lines:
            connection.sendall(answer(b'{"ok":false,"error":"invalid_cursor"}', "400 Bad Request"))
            continue
        following = str(cursor + 1) if cursor < 2 else ""
        page = {
            "entries": [{"id": f"e{cursor}", "date_create": 9 - cursor}],
            "response_metadata": {"next_cursor": following},
        }
        connection.sendall(
            answer(json.dumps(page).encode(), "200 OK", f"Set-Cookie: {COOKIE}; Path=/")
        )


def source(url: str, **changes: object) -> dict[str, object]:
    return {"url": url, "pagination": PAGING, "incremental_from": INCREMENTAL, **changes}


def test_a_chain_keeps_to_its_node_and_leaves_no_trace_of_the_cookie(helr: Helr) -> None:
    with serving(balancer) as server:
        helr.config(sources={"s": source(server.url, cookies="chain")})
        done = helr.run("-v", "run", "--once", "--record-dir", "rec")
        assert (done.returncode, ids(done.stdout)) == (0, ["e0", "e1", "e2"]), done.stderr
    assert "planted-node" not in done.stderr
    for file in helr.cwd.rglob("*"):
        assert not file.is_file() or b"planted-node" not in file.read_bytes(), file
    played = helr.run("run", "--once", "--replay-dir", "rec")
    assert ids(played.stdout) == ["e0", "e1", "e2"], played.stderr


def test_without_the_option_the_refusal_names_it(helr: Helr) -> None:
    with serving(balancer) as server:
        helr.config(sources={"s": source(server.url)})
        done = helr.run("run", "--once")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(", and the server sets a cookie; try `cookies: chain`")


def test_the_vendors_advice_on_the_refusal_stays(helr: Helr) -> None:
    with serving(balancer) as server:
        helr.config(sources={"s": source(server.url.replace("/logs", "/audit/v1/logs"))})
        done = helr.run("run", "--once")
    assert done.stderr.rstrip().endswith(
        "; the cursor has expired or is invalid; with on_cursor_error: reset, the next poll starts "
        "from the first page; try `cookies: chain`"
    )
