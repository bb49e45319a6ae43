"""Slack's own client gets from the mock what it gets from Slack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mock_server import MockSlack
from mock_server.catalog import ACTIONS, SCHEMAS

audit_logs = pytest.importorskip("slack_sdk.audit_logs")


@pytest.fixture
def sdk(mock: MockSlack) -> Callable[..., object]:
    def make(token: str = mock.token) -> object:
        return audit_logs.AuditLogsClient(token=token, base_url=f"{mock.url}/audit/v1/")

    return make


def test_logs_over_all_pages_typed(mock: MockSlack, sdk) -> None:  # type: ignore[no-untyped-def]
    client, ids, cursor = sdk(), [], None
    while cursor != "":
        response = client.logs(limit=70, cursor=cursor)
        assert response.status_code == 200
        for entry in response.typed_body.entries:
            ids.append(entry.id)
            assert entry.actor.user.id
            assert entry.entity.type
            assert entry.context.location.id
        cursor = response.typed_body.response_metadata.next_cursor
    assert ids == mock.ids()


def test_filters(mock: MockSlack, sdk) -> None:  # type: ignore[no-untyped-def]
    everything = sdk().logs().typed_body.entries
    one = everything[100]
    asked = {"oldest": one.date_create, "latest": one.date_create, "action": one.action}
    found = sdk().logs(**asked, actor=one.actor.user.id, limit=9999).typed_body.entries
    assert one.id in [entry.id for entry in found]
    assert {entry.date_create for entry in found} == {one.date_create}


def test_schemas_and_actions(sdk) -> None:  # type: ignore[no-untyped-def]
    client = sdk("no-token-is-needed")
    assert client.schemas().body == {"schemas": SCHEMAS}
    assert client.actions().body == {"actions": ACTIONS}


def test_errors(mock: MockSlack, sdk) -> None:  # type: ignore[no-untyped-def]
    refused = sdk("xoxp-wrong").logs()
    assert (refused.status_code, refused.body["error"]) == (401, "invalid_authentication")
    mock.fault("rate_limited")
    limited = sdk().logs()
    assert (limited.status_code, limited.body["error"]) == (429, "rate_limited")
    assert limited.headers["Retry-After"] == "1"
    expired = sdk().logs(cursor="gone")
    assert (expired.status_code, expired.body["error"]) == (400, "invalid_cursor")
