"""Every key of a source's state, and the shape of its value; and what a checkpoint changes.

| key | value |
| --- | --- |
| `cursor` | the token of the next page, as the API gave it (the Rust helr has the same) |
| `next_url` | the same, where the token is a URL (the Rust helr has the same) |
| `last_id`, `page`, `offset` | the same, with these kinds of pagination |
| each `incremental_from.state_key` | the watermark, spelled as the API spells times |
| `chain` | JSON of `Chain`: the chain of the token; none beside a Rust helr's token |
| `lookback_from` | Unix seconds from which the next chain's lookback counts |
| `resets` | how many refused tokens in a row led to no finished chain |
| `hold` | JSON `{"since", "until", "reason"}` (Unix seconds): a Retry-After |
| `breaker` | JSON `{"failures", "recent", "since", "until", "successes", "reason"}` |
| `success` | Unix seconds of the last success, whole |
| `url` | the API that all of it comes from, without user info and query |

Beside these values a source has delivered ids (oldest first) and marks: `("edge", digests, second)`
of delivered events at the watermark's edge, `("cursor", digest, 0)` of the chain's tokens so far.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from helr.numbers import number, whole
from helr.timestamps import EARLIEST, LATEST

CURSOR, NEXT_URL = "cursor", "next_url"
TOKENS = (CURSOR, NEXT_URL, "last_id", "page", "offset")  # a key for each kind of pagination
CHAIN = "chain"
LOOKBACK_FROM = "lookback_from"
RESETS = "resets"
RETRY_AFTER, BREAKER = "hold", "breaker"
SUCCESS = "success"
API = "url"
IDS, MARKS = LISTS = "ids", "marks"  # their names in an export
EDGE_MARK, TOKEN_MARK = "edge", "cursor"  # the kinds of marks

RESERVED = frozenset(
    (*TOKENS, CHAIN, LOOKBACK_FROM, RESETS, RETRY_AFTER, BREAKER, SUCCESS, API, IDS, MARKS)
)

Mark = tuple[str, bytes, float]  # kind, digests, at (Unix seconds)


class Chain(msgspec.Struct):
    """`start`: the incremental parameter that the first request carried, as spelled.

    `greatest`, `spelled`: the greatest event time so far (not in the future): instant and text.
    `events`: how many the chain's pages contained so far. `reached`: the time of the last of them.
    `began`, `first`: when its first page was received, and the greatest event time on that page.
    """

    start: str | None = None
    greatest: float | None = None
    spelled: str | None = None
    events: int = 0
    reached: float | None = None
    began: float | None = None
    first: float | None = None

    def dump(self) -> str:
        return msgspec.json.encode(self).decode()


def read_chain(text: str) -> Chain:
    """The chain in a state, from its JSON. Raises ValueError if it is not a chain."""
    chain = msgspec.json.decode(text, type=Chain)
    times = (chain.greatest, chain.reached, chain.began, chain.first)
    if any(at is not None and number(at, EARLIEST, LATEST) is None for at in times):
        raise ValueError("a time out of range")
    if whole(chain.events) is None or (chain.greatest is None) != (chain.spelled is None):
        raise ValueError("a count out of range, or half a time")
    return chain


def read_object(text: str | None) -> dict[str, Any]:
    """A Retry-After or breaker in a state, from its JSON; empty if that is not an object."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}


class Checkpoint(msgspec.Struct):
    """One change of a source's state. `lines`: how many delivered lines it accounts for.

    `values`: keys to set, or to remove (None). `ids`: delivered ids; beyond `capacity`, those of
    the oldest events are forgotten; `at`: their page's greatest event time (None: later than all
    before). `marks`: marks to remember; `forget`: (kind, below): marks of that kind with
    `at < below` (all, if None) are dropped.

    A page's checkpoint, on its way to the output, has an id (or None) for each line of the page,
    and possibly more ids that belong to no line.
    """

    lines: int = 0
    values: dict[str, str | None] = {}
    ids: Sequence[str | None] = ()
    capacity: int = 0
    at: float | None = None
    marks: list[Mark] = []
    forget: list[tuple[str, float | None]] = []

    def ahead(self, start: int, block: Sequence[bytes]) -> Checkpoint | None:
        """What a block of the page's lines, other than the last, may record by itself: ids run
        ahead of the token. None without ids: only the page's whole checkpoint covers its lines."""
        ids = self.ids[start : start + len(block)]
        covered = sum(1 for key, line in zip(ids, block) if key and line)  # noqa: B905
        known = [key for key in ids if key is not None]
        return Checkpoint(covered, ids=known, capacity=self.capacity, at=self.at) if known else None

    def rest(self, start: int, lines: int) -> Checkpoint:
        """What the page's last block records: everything else."""
        known = [key for key in self.ids[start:] if key is not None]
        return msgspec.structs.replace(self, ids=known, lines=lines)


class Stored(msgspec.Struct):
    """The state of one source, except its ids."""

    values: dict[str, str] = {}
    marks: list[Mark] = []


class Step(msgspec.Struct):
    """Lines about to be appended to a regular file, and where: see helr/output/file.py."""

    path: str
    device: int
    inode: int
    length: int
    lines: bytes
