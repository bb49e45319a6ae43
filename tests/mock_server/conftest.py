"""A client that hides nothing: every request by hand, every response with its raw bytes."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from mock_server import MockSlack


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def ids(self) -> list[str]:
        return [entry["id"] for entry in self.json["entries"]]

    @property
    def cursor(self) -> str:
        return str(self.json.get("response_metadata", {}).get("next_cursor", ""))


class Client:
    """Asks a mock. Raises what http.client raises."""

    def __init__(self, url: str, token: str | None = "xoxp-mock", timeout: float = 20) -> None:
        self.url, self.token, self.timeout = url, token, timeout

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            str(address.hostname), address.port, timeout=self.timeout
        )
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def logs(self, **query: object) -> Answer:
        return self.ask("/audit/v1/logs?" + urlencode(query))

    def chain(self, **query: object) -> list[str]:
        """Ids of all pages, by cursor."""
        ids: list[str] = []
        cursor = ""
        while True:
            answer = self.logs(**query, **({"cursor": cursor} if cursor else {}))
            assert answer.status == 200, answer
            ids += answer.ids
            cursor = answer.cursor
            if not cursor:
                return ids


BASE_TIME = 1_760_000_000


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=300, base_time=BASE_TIME) as running:
        yield running


@pytest.fixture
def client(mock: MockSlack) -> Client:
    return Client(mock.url)


@pytest.fixture
def ask_of() -> Callable[[MockSlack], Client]:
    return lambda running: Client(running.url)
