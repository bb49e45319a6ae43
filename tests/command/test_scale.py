"""Many sources in one helr: every one gets its turn, and pages in memory are few."""

from __future__ import annotations

import json
from collections import Counter

from mock_server import MockSlack
from tests.command.test_ground import CAREFUL, PAGING, lines
from tests.conftest import Helr, slack_source

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
    """Ten sources with pages of 3.4 MB: four at a time, so far less than ten pages' worth."""
    with MockSlack(events=5_000) as mock:
        one = slack_source(mock.url, query_params={"limit": 9999})
        helr.config(sources={f"s{number}": one for number in range(10)})
        alone = peak(helr, "s0")
        together = peak(helr)
    page = 3_400_000
    assert together - alone < 12 * page, f"{(together - alone) / page:.1f} pages more"


def peak(helr: Helr, *names: str) -> int:
    """Peak memory in bytes of one run, its output read to the end."""
    import os
    import subprocess

    args = ["--source", *names] if names else []
    process = helr.start("-q", "run", "--once", *args, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    while process.stdout.read(1 << 20):
        pass
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024
