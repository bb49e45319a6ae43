"""`--output-rotate`, `--output-keep`: the command and its flags."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

from mock_server import MockSlack
from tests.conftest import Helr

pytestmark = pytest.mark.unmeasured


def test_through_the_command(helr: Helr) -> None:
    with MockSlack(events=1000) as mock:
        helr.slack(mock.url, dedupe={"id_path": "id"})
        done = helr.run("run", "--once", "-o", "f", "--output-rotate", "size:0.2")
        assert done.returncode == 0, done.stderr
        assert "rotated to f." in done.stderr
        names = sorted(path.name for path in helr.cwd.glob("f*"))
        assert len(names) > 2
        today = time.strftime("%Y-%m-%d", time.gmtime())
        assert all(re.fullmatch(rf"f(\.{today}(\.\d+)?)?", name) for name in names)
        ids = []
        for name in names:
            assert (helr.cwd / name).stat().st_size <= 200_000
            lines = (helr.cwd / name).read_bytes().splitlines()
            ids += [json.loads(line)["event"]["id"] for line in lines]
        assert sorted(ids) == sorted(mock.ids())


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--output-rotate", "daily"], "requires -o FILE"),
        (["-o", "fifo", "--output-rotate", "daily"], "which fifo is not"),
        (["-o", "f", "--output-keep", "3"], "--output-keep requires --output-rotate"),
        (["-o", "f", "--output-rotate", "daily", "--output-keep", "0"], "keep at least 1"),
        (["-o", "f", "--output-rotate", "hourly"], "give daily, or size:N"),
        (["-o", "helr.yaml"], "output helr.yaml: it is one of helr's own files"),
        (["-o", "./helr-state.db"], "output ./helr-state.db: it is one of helr's own files"),
        (["-o", "f", "--output-rotate", "size:0"], "give daily, or size:N"),
        (["-o", "f", "--output-rotate", f"size:{'9' * 400}"], "give daily, or size:N"),
        (["-o", "f", "--output-rotate", "size:-1"], "give daily, or size:N"),
        (["-o", "f", "--output-rotate", ""], "give daily, or size:N"),
        (["-o", "f", "--output-rotate", "daily", "--output-keep", "x"], "--output-keep"),
    ],
)
def test_flags_that_make_no_sense_end_with_2(helr: Helr, args: list[str], said: str) -> None:
    os.mkfifo(helr.cwd / "fifo")
    (helr.cwd / "helr-state.db").touch()
    with MockSlack(events=1) as mock:
        helr.slack(mock.url)
        done = helr.run("run", "--once", *args)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert mock.requests == []
