"""Checkpoints are split by blocks without an id or a line lost; odd records are read as nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.state.records import Chain, Checkpoint, read_chain, read_object

lines_and_ids = st.lists(st.tuples(st.sampled_from([b"", b"x\n"]), st.none() | st.text("ab")))


@given(lines_and_ids, st.lists(st.text("cd"), max_size=3), st.integers(1, 4))
def test_blocks_and_the_rest_record_what_the_whole_would(
    page: list[tuple[bytes, str | None]], extra: list[str], size: int
) -> None:
    """`extra`: ids that no line shows. A line without an id is covered by the rest alone."""
    lines = [line for line, _ in page]
    whole = Checkpoint(
        values={"cursor": "c"}, ids=[*(id_ for _, id_ in page), *extra], capacity=9, at=7.0
    )
    starts = list(range(0, len(lines), size))
    last = starts[-1] if starts else 0
    ahead = [part for at in starts[:-1] if (part := whole.ahead(at, lines[at : at + size]))]
    delivered = sum(1 for line in lines if line)
    rest = whole.rest(last, delivered - sum(part.lines for part in ahead))

    ids = [id_ for part in [*ahead, rest] for id_ in part.ids]
    assert ids == [id_ for id_ in whole.ids if id_ is not None]
    assert sum(part.lines for part in [*ahead, rest]) == delivered
    for part in ahead:
        assert (part.values, part.marks, part.forget) == ({}, [], [])  # never the token
        assert (part.capacity, part.at) == (9, 7.0)
    assert rest.values == {"cursor": "c"}


def test_a_block_without_ids_records_nothing_by_itself() -> None:
    whole = Checkpoint(values={"cursor": "c"}, ids=[None, None, "a"])
    assert whole.ahead(0, [b"x\n", b"y\n"]) is None


def test_an_id_whose_line_was_left_out_covers_no_line() -> None:
    part = Checkpoint(ids=["a", "b"], capacity=5).ahead(0, [b"", b"x\n"])
    assert part is not None
    assert (list(part.ids), part.lines) == (["a", "b"], 1)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "null", "1", "[" * 9999, '"{}"'])
def test_what_is_not_an_object_is_an_empty_one(text: str | None) -> None:
    assert read_object(text) == {}


def test_an_object_is_itself() -> None:
    assert read_object('{"until": 5}') == {"until": 5}


def test_a_chain_is_read_as_it_was_written() -> None:
    chain = Chain("17", 18.5, "18.50", 200, 17.0, 19.0, 18.0)
    assert read_chain(chain.dump()) == chain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"start": 5}',
        '{"greatest": 1.5}',  # without its spelling
        '{"spelled": "1.5"}',
        '{"greatest": 1e300, "spelled": "1e300"}',
        '{"events": -1}',
        '{"began": -1e18}',
    ],
)
def test_a_chain_that_cannot_be_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_chain(text)
