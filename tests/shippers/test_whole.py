"""Every event comes out whole and with its own time, whatever its length and its spelling."""

from __future__ import annotations

import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.shippers.rig import Rig, long_line
from tests.shippers.shipped import SHIPPERS, FluentBitYaml, Record, Shipper, loads

# What one JSON parser or another refuses.
TOO_LONG = 1_500_000  # over HELR_MAX_LINE_BYTES, and over what the shipper takes
HARD = {
    "surrogate": r'"\ud800 alone"',
    "deep": "[" * 200 + "]" * 200,
    "long number": "9" * 400,
    "great number": "1e999",
}


def collected(shipper: Shipper, source: str, home: Path) -> tuple[list[bytes], list[Record], int]:
    """The mock's events, newest first; what came; how many lines were no record."""
    with Rig(shipper, home, source=source, events=400) as rig:
        at = int(time.time()) - 86400
        sizes = [4_000, 5_000, 65_536, *[100_000] * 10, 900_000, TOO_LONG]
        rig.mock.add_events(events=[long_line(n, size, at + n) for n, size in enumerate(sizes)])
        rig.mock.add_events(
            events=[
                f'{{"id":"{name}","date_create":{at},"details":{text}}}'
                for name, text in HARD.items()
            ]
        )
        rig.start()
        rig.outcome()
        return rig.mock.raw_events(), *rig.records()


SCENARIOS = {
    **{
        f"{name} {source}": partial(collected, shipper, source)
        for source in ("run", "once", "file")
        for name, shipper in SHIPPERS.items()
        if source in shipper.shapes
    },
    "fluent-bit yaml": partial(collected, FluentBitYaml(), "run"),
    "fluent-bit kubernetes": partial(collected, FluentBitYaml(), "file"),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_events_arrive_whole_and_with_their_time(
    result: tuple[list[bytes], list[Record], int], name: str
) -> None:
    raw, records, unparsed = result
    came = {record.id: record for record in records}
    assert unparsed == 0
    assert len(records) == len(came) == len(raw)
    for text in raw:
        event = loads(text)
        record = came[event["id"]]
        assert record.time == event["date_create"], event["id"]
        if len(text) > TOO_LONG:
            assert record.line["meta"]["truncated"] > TOO_LONG
            event = {key: event[key] for key in record.event}
        assert same(record.event, event), f"{text!r} became {record.event!r}"


def same(one: Any, other: Any) -> bool:
    """Equal, but for what no shipper's numbers can hold, and a surrogate that stands alone."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-15)
    return one == other or one == str(other).replace("\ud800", "\ufffd")
