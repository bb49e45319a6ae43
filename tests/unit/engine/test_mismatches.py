"""Mismatches: what an answer shows and the config ignores is found, and nothing else is."""

from __future__ import annotations

from helr.engine.dedupe import Seen, composite_keys


def test_an_id_of_several_parts() -> None:
    keys = composite_keys([["t1", "t2", "t1", None, "t1"], [7, 7, 7, None, "7"]])
    assert keys[0] == keys[2]
    assert keys[3] is None
    assert len({keys[0], keys[1], keys[4]}) == 3
    assert composite_keys([["a", "b"]]) == ["a", "b"]
    assert len(set(composite_keys([["a", ""], ["", "a"]]))) == 2


def test_different_events_with_one_id_on_a_page_are_both_delivered() -> None:
    raws = ["x", "y", "x", "z"]
    keys: list[str | None] = ["k", "k", "k", "n"]
    seen = Seen(10)
    assert seen.fresh(keys, lambda one, other: raws[one] == raws[other]) == [0, 1, 3]
    assert seen.fresh(keys) == [0, 3]
