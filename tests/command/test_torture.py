"""At least a hundred kills; see tests/torture. `make torture` runs as many as asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.stories import stories
from tests.torture.story import side_by_side


@pytest.mark.unmeasured
@pytest.mark.slow
def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    counts = side_by_side(stories(100, 1, tmp_path), 4)
    print(*counts, sep="\n")
    assert sum(count.kills for count in counts) >= 100
    assert [str(count) for count in counts if not count.fine] == []
