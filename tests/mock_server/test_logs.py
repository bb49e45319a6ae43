"""GET /audit/v1/logs: the API's rules, each as Slack's users know them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mock_server import MockSlack
from mock_server.settings import Bucket, parse_rate
from tests.mock_server.conftest import BASE_TIME, Client

Clients = Callable[[MockSlack], Client]


def times_of(answer_body: bytes) -> list[int]:
    return [entry["date_create"] for entry in json.loads(answer_body)["entries"]]


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (None, "missing_authentication"),
        ("", "missing_authentication"),
        ("Bearer ", "missing_authentication"),
        ("Basic eHg=", "missing_authentication"),
        ("Bearer xoxp-other", "invalid_authentication"),
        ("Bearer xoxp-mock-and-more", "invalid_authentication"),
    ],
)
def test_a_token_is_asked_for(mock: MockSlack, header: str | None, error: str) -> None:
    client = Client(mock.url, token=None)
    headers = {} if header is None else {"Authorization": header}
    answer = client.ask("/audit/v1/logs", **headers)
    assert (answer.status, answer.json) == (401, {"ok": False, "error": error})


def test_no_token_is_asked_for_when_it_is_empty() -> None:
    with MockSlack(events=3, token="") as mock:
        assert len(Client(mock.url, token=None).logs().ids) == 3


@pytest.mark.parametrize("path", ["/audit/v1/schemas", "/audit/v1/actions"])
def test_schemas_and_actions_need_no_token(mock: MockSlack, path: str) -> None:
    answer = Client(mock.url, token=None).ask(path)
    assert answer.status == 200
    assert answer.json[path.rpartition("/")[2]]


def test_newest_first_in_the_events_own_bytes(mock: MockSlack, client: Client) -> None:
    answer = client.logs(limit=300)
    times = times_of(answer.body)
    assert times == sorted(times, reverse=True)
    assert times[0] == BASE_TIME
    assert answer.body.startswith(b'{"entries":[' + b",".join(mock.raw_events()) + b"]")


@pytest.mark.parametrize("limit", [1, 7, 100, 299, 300, 301, 9999])
def test_the_pages_hold_each_event_once(mock: MockSlack, client: Client, limit: int) -> None:
    assert client.chain(limit=limit) == mock.ids()


def test_a_full_last_page_has_no_next_one(client: Client) -> None:
    first = client.logs(limit=150)
    assert client.logs(limit=150, cursor=first.cursor).cursor == ""


def test_oldest_and_latest_are_inclusive_seconds(mock: MockSlack, client: Client) -> None:
    times = times_of(client.logs().body)
    oldest, latest = times[200], times[50]
    expected = [when for when in times if oldest <= when <= latest]
    assert times_of(client.logs(oldest=oldest, latest=latest).body) == expected
    assert expected[0] == latest
    assert expected[-1] == oldest
    assert times_of(client.logs(oldest=BASE_TIME + 1).body) == []


def test_a_cursor_forgets_oldest_and_latest(mock: MockSlack, client: Client) -> None:
    times = times_of(client.logs().body)
    first = client.logs(limit=10, oldest=times[40], latest=times[5])
    without = client.logs(limit=9999, cursor=first.cursor)
    assert without.ids[-1] == mock.ids()[-1]
    kept = client.logs(limit=9999, cursor=first.cursor, oldest=times[40])
    assert set(times_of(kept.body)) <= set(range(times[40], times[5] + 1))
    assert len(kept.ids) < len(without.ids)


def test_what_arrives_above_a_cursor_does_not_shift_it(mock: MockSlack, client: Client) -> None:
    before = mock.ids()
    first = client.logs(limit=100)
    mock.add_events(37)
    mock.add_events(3, at=BASE_TIME)
    second = client.logs(limit=100, cursor=first.cursor)
    assert first.ids + second.ids == before[:200]


def test_a_late_event_below_a_cursor_is_met(mock: MockSlack, client: Client) -> None:
    first = client.logs(limit=10)
    oldest = times_of(client.logs().body)[-1]
    late = mock.add_events(1, at=oldest)
    assert late[0] in client.logs(limit=9999, cursor=first.cursor).ids
    assert mock.ids()[0] == first.ids[0]


@pytest.mark.parametrize("style", ["empty", "absent", "missing"])
def test_a_last_page_ends_in_each_of_slacks_ways(
    mock: MockSlack, client: Client, style: str
) -> None:
    mock.settings.change("last_page", style)
    body = client.logs().json
    expected = {"empty": {"next_cursor": ""}, "absent": {}, "missing": None}[style]
    assert body.get("response_metadata") == expected
    assert client.logs(limit=5).cursor


def test_filters(mock: MockSlack, client: Client) -> None:
    everything = client.logs().json["entries"]
    actor = everything[0]["actor"]["user"]["id"]
    entity = everything[0]["entity"]
    entity_id = entity[entity["type"]].get("id") or entity["message"]["channel"]
    actions = "user_login,file_downloaded"
    for query, fits in [
        ({"actor": actor}, lambda e: e["actor"]["user"]["id"] == actor),
        ({"action": actions}, lambda e: e["action"] in actions.split(",")),
        ({"action": "no_such_action"}, lambda e: False),
        (
            {"actor": actor, "action": everything[0]["action"]},
            lambda e: e["actor"]["user"]["id"] == actor and e["action"] == everything[0]["action"],
        ),
    ]:
        expected = [entry["id"] for entry in everything if fits(entry)]
        assert client.logs(**query).ids == expected
        assert client.chain(limit=3, **query) == expected
    assert everything[0]["id"] in client.logs(entity=entity_id).ids
    assert len(client.logs(entity=entity_id).ids) < 300


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 10_000},
        {"limit": 0},
        {"limit": -1},
        {"limit": "many"},
        {"oldest": "1.521214343e9"},
        {"oldest": "1521214343.5"},
        {"latest": "2018-03-16"},
        {"action": ",".join(f"action_{n}" for n in range(31))},
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(
    client: Client, query: dict[str, object]
) -> None:
    answer = client.logs(**query)
    assert answer.status == 400
    assert answer.json["error"] == "invalid_arguments"


@pytest.mark.parametrize("cursor", ["nonsense", "MTIzNA==", "é", "a" * 5000])
def test_an_invalid_cursor(client: Client, cursor: str) -> None:
    answer = client.logs(cursor=cursor)
    assert (answer.status, answer.json) == (400, {"ok": False, "error": "invalid_cursor"})


def test_a_cursor_cut_short_is_invalid(client: Client) -> None:
    assert client.logs(cursor=client.logs(limit=1).cursor[:-4]).status == 400


def test_expired_cursors_are_invalid_and_new_ones_are_not(mock: MockSlack, client: Client) -> None:
    old = client.logs(limit=10).cursor
    mock.expire_cursors()
    assert client.logs(cursor=old).json["error"] == "invalid_cursor"
    new = client.logs(limit=10).cursor
    assert client.logs(limit=10, cursor=new).status == 200


def test_a_cursor_lives_as_long_as_it_is_told(mock: MockSlack, client: Client) -> None:
    cursor = client.logs(limit=10).cursor
    mock.settings.change("cursor_lifetime", 1000)
    assert client.logs(cursor=cursor).status == 200
    mock.settings.change("cursor_lifetime", 0)
    assert client.logs(cursor=cursor).json["error"] == "invalid_cursor"


def test_a_cursor_outlives_the_process(mock: MockSlack, client: Client, ask_of: Clients) -> None:
    first = client.logs(limit=100)
    with MockSlack(events=300, base_time=BASE_TIME) as again:
        assert ask_of(again).logs(limit=9999, cursor=first.cursor).ids == mock.ids()[100:]


def test_calls_beyond_the_rate_limit_are_told_when_to_come_back(
    mock: MockSlack, client: Client
) -> None:
    mock.settings.change("rate_limit", "5/hour")
    statuses = [client.logs(limit=1).status for _ in range(5)]
    refused = client.logs(limit=1)
    assert statuses == [200] * 5
    assert (refused.status, refused.json) == (429, {"ok": False, "error": "rate_limited"})
    assert 1 < int(refused.headers["Retry-After"]) <= 720


def test_the_bucket_refills_at_its_rate_after_a_burst() -> None:
    bucket = Bucket()
    assert [bucket.wait("50/min", 1000.0) for _ in range(50)] == [0] * 50
    assert bucket.wait("50/min", 1000.0) == 2  # 1.2 seconds, in whole ones
    assert bucket.wait("50/min", 1001.3) == 0
    assert bucket.wait("50/min", 1001.3) > 0
    assert [bucket.wait("50/min", 9999.0) for _ in range(51)] == [0] * 50 + [2]


@pytest.mark.parametrize("text", ["", "50", "50/fortnight", "0/min", "-1/s", "a/min"])
def test_a_rate_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="rate limit"):
        parse_rate(text)


def test_live_events_appear_as_time_passes(ask_of: Clients) -> None:
    with MockSlack(events=10, live=200) as mock:
        client = ask_of(mock)
        seen = client.logs(limit=9999).ids
        while len(client.logs(limit=9999).ids) < len(seen) + 5:
            pass
        assert set(seen) < set(mock.ids())
        times = times_of(client.logs(limit=9999).body)
        assert times == sorted(times, reverse=True)
