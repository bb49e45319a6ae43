"""A server for answers that the mock does not give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support import Handler, http_server


@pytest.fixture
def httpserver_json(
    httpserver_pages: Callable[[list[Any]], str],
) -> Callable[[Any], str]:
    """Serve one JSON document to every GET; the function returns the URL."""
    return lambda document: httpserver_pages([document])


@pytest.fixture
def httpserver_pages() -> Iterator[Callable[[list[Any]], str]]:
    """Serve one JSON document after the other, the last of them for ever, with headers where one
    is a pair; the function returns the URL."""
    with ExitStack() as servers:

        def serve(documents: list[Any]) -> str:
            coming = list(documents)

            class Pages(Handler):
                def get(self) -> None:
                    document = coming.pop(0) if len(coming) > 1 else coming[0]
                    pair = document if isinstance(document, tuple) else (document, {})
                    self.answer(pair[0], headers=pair[1])

            return f"{servers.enter_context(http_server(Pages))}/things"

        yield serve
