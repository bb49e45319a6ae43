"""The real shippers, and scenarios that run side by side, as they mostly wait."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.shippers.shipped import SHIPPERS

AT_ONCE = 10


def need(name: str) -> None:
    """Skip where the shipper is missing; fail where it is required.

    Required is, in CI, what .ci/run installs, and everywhere what HELR_REQUIRE_SHIPPERS names,
    separated by spaces.
    """
    shipper = SHIPPERS[name]
    if shipper.program() is not None:
        return
    installed_by_ci = os.environ.get("CI") and shipper.installable()
    if installed_by_ci or name in os.environ.get("HELR_REQUIRE_SHIPPERS", "").split():
        pytest.fail(shipper.missing())
    pytest.skip(shipper.missing())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the summary say once for each missing shipper, not for each file, that it is missing."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason in [shipper.missing() for shipper in SHIPPERS.values()]:
            report.longrepr = (__file__, need.__code__.co_firstlineno, reason)
    return report


@pytest.fixture(scope="session")
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Future[Any]]]:
    """The SCENARIOS of these modules that were asked for and whose shipper is here, side by side.

    A scenario is "shipper what" and a function of its directory; its test is parametrized with
    its name and asks for the result.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun: dict[tuple[str, str], Future[Any]] = {}
        for item in request.session.items:
            if not isinstance(item, pytest.Function) or "result" not in item.fixturenames:
                continue
            name: str = item.callspec.params["name"]
            if SHIPPERS[name.split()[0]].program():
                home = tmp_path_factory.mktemp("shipper")
                scenario = item.module.SCENARIOS[name]
                begun[item.module.__name__, name] = pool.submit(scenario, home)
        try:
            yield begun
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.fixture
def result(
    request: pytest.FixtureRequest, running: dict[tuple[str, str], Future[Any]], name: str
) -> Any:
    """What the scenario of this name came to."""
    need(name.split()[0])
    return running[request.module.__name__, name].result()
