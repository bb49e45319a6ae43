"""The real shippers, and scenarios that run side by side, as they mostly wait."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.shippers.shipped import SHIPPERS

AT_ONCE = 6


def need(name: str) -> None:
    """Skip where the shipper is missing; in CI, fail."""
    shipper = SHIPPERS[name]
    if shipper.program() is None:
        if os.environ.get("CI") == "true":
            pytest.fail(shipper.missing())
        pytest.skip(shipper.missing())


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    """The module's SCENARIOS that were asked for and whose shipper is here, begun side by side.

    A scenario is "shipper what" and a function of its directory; its test is parametrized with
    its name and asks for the result.
    """
    scenarios: dict[str, Callable[[Path], Any]] = request.module.SCENARIOS
    asked = {
        item.callspec.params.get("name")
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.module is request.module
        and hasattr(item, "callspec")
    }
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(run, tmp_path_factory.mktemp("shipper"))
            for name, run in scenarios.items()
            if name in asked and SHIPPERS[name.split()[0]].program()
        }


@pytest.fixture
def result(running: dict[str, Future[Any]], name: str) -> Any:
    """What the scenario of this name came to."""
    need(name.split()[0])
    return running[name].result()
