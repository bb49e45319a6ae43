"""A pytest fixture of the Slack mock, for any client's tests.

pytest_plugins = ["helr.pytest_plugin"]  # in conftest.py

def test_it(mock_slack):
    run_my_client(url=mock_slack.logs_url, token=mock_slack.token)
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mock_server import MockSlack


@pytest.fixture
def mock_slack() -> Iterator[MockSlack]:
    """A mock with 1,000 events on a free port, for one test. Needs pytest."""
    with MockSlack() as mock:
        yield mock
