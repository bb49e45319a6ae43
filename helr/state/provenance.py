"""Which API a source's state was made with: its state key `url`, without user info and query.

State belongs to a source's name. A watermark of a trial would hide what the real API has from
before it, so whoever finds another address than the config's says so; nobody refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from helr.model import Source
from helr.secrets import HIDDEN
from helr.state.records import API
from helr.urls import safe_url


def address(source: Source) -> str:
    """What is kept: scheme, host, port and path."""
    return safe_url(source.url)


def another(source: Source, values: Mapping[str, str]) -> str | None:
    """A warning when the state was made with another API than the source names now."""
    known, now = values.get(API), address(source)
    if not known or _same(known, now):
        return None
    return (
        f"the saved watermark and ids come from {known}, but `url` is now {now}: older events at "
        f"the new URL will not be fetched; run `helr state reset {source.name}` to start over"
    )


def _same(one: str, other: str) -> bool:
    """What a secret was once, and is not taken for one now, makes no other address."""
    return one == other or any(
        HIDDEN in hidden and re.fullmatch(".+".join(map(re.escape, hidden.split(HIDDEN))), plain)
        for hidden, plain in ((one, other), (other, one))
    )
