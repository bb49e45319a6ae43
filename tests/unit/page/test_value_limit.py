"""A body that would take a hundred times its size is rejected before any value is decoded."""

from __future__ import annotations

import random

import pytest

from helr.page.value_limit import values_over

EVENT = b'{"id":"x","actor":{"type":"user","name":"n"},"text":"' + b"." * 300 + b'"},'


@pytest.mark.parametrize("bomb", [b"{},", b"[],", b"1,", b'"",', b"[["])
@pytest.mark.parametrize("before", [0, 500, 4000])
def test_a_bomb_is_found_wherever_it_is(bomb: bytes, before: int) -> None:
    random.seed(7)
    body = EVENT * before + bomb * 300_000 + EVENT * 500
    found = values_over(body, 100_000)
    assert found >= 300_000
    assert found == sum(body.count(sign) for sign in (b",", b"[", b"{"))


@pytest.mark.parametrize("events", [0, 1, 100, 9_999])
def test_ordinary_events_pass(events: int) -> None:
    assert values_over(EVENT * events, 200_000) == 0


def test_a_body_within_the_limit_passes_however_dense() -> None:
    assert values_over(b"{}," * 40_000, 100_000) == 0
