"""Which API a source's state comes from: the state key `url`, without user info and query.

State belongs to a source's name. The watermark of a trial would hide older events of the real API,
so a command that finds another address than the config's warns, but does not refuse to continue.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from helr.model import Source
from helr.secrets import HIDDEN
from helr.state.records import API
from helr.urls import safe_url


def address(source: Source) -> str:
    """The address that is saved: scheme, host, port and path."""
    return safe_url(source.url)


def another(source: Source, values: Mapping[str, str]) -> str | None:
    """A warning if the state comes from another API than the source uses now."""
    known, now = values.get(API), address(source)
    if not known or _same(known, now):
        return None
    return (
        f"the saved watermark and ids come from {known}, but `url` is now {now}: older events at "
        f"the new URL will not be fetched; run `helr state reset {source.name}` to start over"
    )


def _same(one: str, other: str) -> bool:
    """An address in which a secret was redacted still equals the one with its value."""
    return one == other or any(
        HIDDEN in hidden and re.fullmatch(".+".join(map(re.escape, hidden.split(HIDDEN))), plain)
        for hidden, plain in ((one, other), (other, one))
    )
