"""Many sources in one helr: every one gets its turn, and pages in memory are few."""

from __future__ import annotations

import json
import subprocess
from collections import Counter

import pytest

from mock_server import MockSlack
from tests.command.test_ground import lines
from tests.conftest import Helr, slack_source
from tests.support import CAREFUL, PAGING

pytestmark = pytest.mark.unmeasured

SOURCES = 200


def test_none_of_many_sources_starves(helr: Helr) -> None:
    with MockSlack(events=2_000) as mock:
        one = slack_source(
            mock.url,
            query_params={"limit": 20},
            pagination=PAGING | {"max_pages": 3},
            **CAREFUL,
        )
        helr.config(sources={f"s{number:03}": one for number in range(SOURCES)})
        result = helr.run("-q", "run", "--once")
        assert result.returncode == 0, result.stderr
        order = [json.loads(line)["source"] for line in lines(result.stdout)]
    assert Counter(order) == {f"s{number:03}": 60 for number in range(SOURCES)}


def test_large_pages_of_many_sources_take_turns_in_memory(helr: Helr) -> None:
    """Ten sources with pages of 3.4 MB, each of which costs about three times that while it is
    decoded and written: four at a time, so far less than ten together."""
    with MockSlack(events=5_000) as mock:
        one = slack_source(mock.url, query_params={"limit": 9999})
        helr.config(sources={f"s{number}": one for number in range(10)})
        alone = peak(helr, "s0")
        together = peak(helr)
    page = 3_400_000
    assert together - alone < 20 * page, f"{(together - alone) / page:.1f} pages more"


def peak(helr: Helr, *names: str) -> int:
    """Peak memory in bytes of one run."""
    args = ["--source", *names] if names else []
    status, size = helr.peak("-q", "run", "--once", *args, stdout=subprocess.DEVNULL)
    assert status == 0
    return size
