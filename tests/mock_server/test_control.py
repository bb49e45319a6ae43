"""The endpoints under /_mock/ and the status page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mock_server import MockSlack
from mock_server.faults import FAULTS
from tests.mock_server.conftest import BASE_TIME, Client


@pytest.fixture
def control(mock: MockSlack) -> Client:
    return Client(mock.url, token=None)


def test_health(control: Client) -> None:
    assert control.ask("/_mock/health").json == {"ok": True, "events": 300, "requests": 0}


def test_the_request_log_says_what_was_asked_and_never_the_token(
    mock: MockSlack, client: Client, control: Client
) -> None:
    client.logs(limit=5, oldest=7)
    client.ask("/audit/v1/logs?token=xoxp-mock&other=xoxb-1-2", **{"User-Agent": "x xoxp-mock"})
    control.ask("/audit/v1/schemas")
    answer = control.ask("/_mock/requests")
    first, second, third = answer.json["requests"]
    assert answer.json["count"] == 3
    assert (first["n"], first["method"], first["path"]) == (1, "GET", "/audit/v1/logs")
    assert (first["query"], first["status"]) == ("limit=5&oldest=7", 200)
    assert (first["authorization"], third["authorization"]) == (True, False)
    assert second["query"] == "token=***&other=***"
    assert b"xox" not in answer.body
    assert control.ask("/_mock/requests", "DELETE").status == 200
    assert control.ask("/_mock/requests").json == {"requests": [], "count": 0}


def test_events_are_added_on_top_or_late(client: Client, control: Client) -> None:
    added = control.ask("/_mock/events", "POST", {"count": 3}).json
    assert added["count"] == 3
    assert client.logs(limit=3).ids == added["ids"][::-1]
    late = control.ask("/_mock/events", "POST", {"count": 1, "at": BASE_TIME - 50}).json["ids"]
    assert client.logs(limit=1).ids == added["ids"][-1:]
    assert late[0] in control.ask("/_mock/events").json["ids"]


def test_given_events_keep_their_bytes(client: Client, control: Client) -> None:
    text = '{ "id":"mine", "date_create":4000000000, "x":1.50, "y":"\\ud83c\\udf89" }'
    given = {"id": "other", "date_create": 4000000001}
    control.ask("/_mock/events", "POST", {"events": [text, given]})
    answer = client.logs(limit=2)
    assert answer.ids == ["other", "mine"]
    assert text.encode() in answer.body


def test_all_events_can_be_had_for_comparison(mock: MockSlack, control: Client) -> None:
    assert control.ask("/_mock/events").json == {"ids": mock.ids(), "count": 300}
    lines = control.ask("/_mock/events?format=ndjson").body
    assert lines == b"".join(raw + b"\n" for raw in mock.raw_events())
    some = control.ask(f"/_mock/events?oldest={BASE_TIME - 30}").json
    assert some["ids"] == mock.ids()[: some["count"]]
    assert 0 < some["count"] < 300


def test_cursors_are_expired(client: Client, control: Client) -> None:
    cursor = client.logs(limit=1).cursor
    control.ask("/_mock/expire-cursors", "POST")
    assert client.logs(cursor=cursor).json["error"] == "invalid_cursor"


def test_faults_are_ordered_listed_and_forgotten(client: Client, control: Client) -> None:
    client.logs(limit=1)
    answer = control.ask("/_mock/faults", "POST", {"fault": "503@2"}).json
    assert answer["pending"] == ["503@2"]
    assert answer["known"] == {name: fault.help for name, fault in FAULTS.items()}
    assert [client.logs(limit=1).status for _ in range(3)] == [200, 503, 200]
    assert control.ask("/_mock/faults").json["pending"] == []
    control.ask("/_mock/faults", "POST", {"fault": "500@1+"})
    control.ask("/_mock/faults", "DELETE")
    assert client.logs(limit=1).status == 200


def test_settings_change_while_it_runs(mock: MockSlack, control: Client) -> None:
    wanted = {
        "token": "xoxp-new",
        "latency_ms": 3,
        "rate_limit": "9/min",
        "cursor_lifetime": 60.5,
        "gzip": True,
        "last_page": "absent",
        "retry_after": 4,
        "slow_seconds": 0.1,
        "drip_seconds": 0.1,
    }
    answer = control.ask("/_mock/settings", "POST", wanted).json
    assert answer == wanted | {"token": True}
    assert mock.settings.token == "xoxp-new"
    assert control.ask("/_mock/settings").json == answer
    assert Client(mock.url, "xoxp-new").logs(limit=1).status == 200
    back = {"rate_limit": None, "cursor_lifetime": None}
    assert control.ask("/_mock/settings", "POST", back).json == answer | back


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/_mock/settings", {"last_page": "odd"}, "last_page"),
        ("/_mock/settings", {"rate_limit": "often"}, "rate limit"),
        ("/_mock/settings", {"latency_ms": -1}, "latency_ms"),
        ("/_mock/settings", {"latency_ms": True}, "latency_ms"),
        ("/_mock/settings", {"nothing": 1}, "the settings are token, latency_ms"),
        ("/_mock/settings", [], "object"),
        ("/_mock/faults", {"fault": "odd"}, "the faults are missing_authentication"),
        ("/_mock/faults", {}, "KIND@N"),
        ("/_mock/events", {}, "count"),
        ("/_mock/events", {"count": -1}, "count"),
        ("/_mock/events", {"count": 1, "at": "now"}, "at"),
        ("/_mock/events", {"events": [{"id": "undated"}]}, "date_create"),
        ("/_mock/events", {"events": ["not json"]}, ""),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    control: Client, path: str, body: Any, said: str
) -> None:
    answer = control.ask(path, "POST", body)
    assert answer.status == 400
    assert said in answer.json["error"]
    assert control.ask("/_mock/health").json["events"] == 300


def test_other_paths_and_methods(control: Client) -> None:
    assert control.ask("/_mock/nothing").status == 404
    answer = control.ask("/_mock/expire-cursors")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_control_is_out_of_reach_of_faults_and_the_log(mock: MockSlack, control: Client) -> None:
    mock.fault("close@1+")
    assert control.ask("/_mock/health").status == 200
    assert control.ask("/").status == 200
    assert mock.requests == []


def test_the_status_page_says_what_it_serves_and_how_to_ask(
    mock: MockSlack, control: Client
) -> None:
    mock.fault("500@3")
    page = control.ask("/")
    text = page.body.decode()
    assert page.headers["Content-Type"].startswith("text/plain")
    assert f"300 events, dated {json.loads(mock.raw_events()[-1])['date_create']}" in text
    assert f"GET {mock.url}/audit/v1/logs" in text
    assert "faults to come: 500@3" in text
    assert "/_mock/events -d" in text
    assert "xoxp-mock" not in text
