"""Finds configs that do not match their API: each finding is a warning, once per process.

Parts of a response that the config ignores would lose events silently: a next page that is never
requested, an id that no event has, different events with one id.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from helr.engine.dedupe import TIME_FOLLOWS, composite_keys
from helr.log import Log, counted, excerpt
from helr.model import Source
from helr.page.page import Page
from helr.pagination import More

_LOOKED_AT = 1000  # events whose ids are compared with their bytes: enough to reveal a wrong path
_MOST_KEYS = 12  # shown of an event


class Mismatches:
    """The findings about one source."""

    def __init__(self, source: Source, log: Log) -> None:
        self._source = source
        self._log = log
        self._said: set[str] = set()
        self._looked: set[str] = set()  # settings that one page shows to be right or wrong
        self._bytes: dict[str, int] = {}  # of the first events: key to hash
        self.saw_an_end = False  # of a chain, where an ignored next page shows

    def _warn(self, what: str, text: str, *args: object) -> None:
        if what not in self._said:
            self._said.add(what)
            self._log.warning(text, *args)

    def look(self, page: Page, keys: Sequence[str | None]) -> None:
        """Check one page; most mismatches show on a source's first."""
        self.saw_an_end |= not isinstance(page.next, More)
        if page.next_signs:
            self._warn("more", "%s", unfollowed(self._source, page.next_signs))
        if not page.raws:
            return
        for name in ("timestamp_field", "id_field"):
            path = getattr(self._source.transform, name)
            if path and name not in self._looked and not page.has(path):
                self._warn(
                    name,
                    "nothing at transform.%s (%s) in %s; the keys of an event: %s",
                    *(name, path, counted(len(page.raws), "event"), keys_of(page)),
                )
            self._looked.add(name)
        paths = id_paths(self._source)
        for path in paths if len(paths) > 1 and "id_path" not in self._looked else ():
            if set(composite_keys([page.column(path)])) == {None}:
                self._warn(path, "%s", no_ids(self._source, page, path))
        self._looked.add("id_path")
        self._ids(page, keys)

    def _ids(self, page: Page, keys: Sequence[str | None]) -> None:
        """Whether events have ids at all, and whether the first ones' ids are unique."""
        if len(self._bytes) >= _LOOKED_AT or not keys:
            return
        without = keys.count(None)
        if without == len(keys):
            self._warn("ids", "%s", no_ids(self._source, page))
        elif without:
            self._warn(
                "ids",
                "%d of %d events have no id at dedupe.id_path (%s): repeats of these are delivered",
                *(without, len(keys), ", ".join(id_paths(self._source))),
            )
        for index in range(min(len(keys), _LOOKED_AT)):
            key, found = keys[index], hash(bytes(page.raws[index]))
            if key is not None and self._bytes.setdefault(key, found) != found:
                self._shared(key)

    def same(self, page: Page, one: int, other: int, key: str) -> bool:
        """Whether two events with one id are identical; different ones are both delivered."""
        if bytes(page.raws[one]) == bytes(page.raws[other]):
            return True
        self._shared(key)
        return False

    def _shared(self, key: str) -> None:
        key = key.partition(TIME_FOLLOWS)[0]
        shown = f" ({excerpt(key, 64)})" if key.isprintable() and key else ""
        self._warn(
            "shared",
            "different events have the same id%s at dedupe.id_path%s: those on one page are all "
            "delivered, but one on a later page is treated as a repeat; use a path whose values "
            "are unique, or several that are unique together (id_path: [id, action])",
            " and time" if self._source.incremental_from else "",
            shown,
        )


def no_ids(source: Source, page: Page, part: str | None = None) -> str:
    """The warning that no event of a page has an id, or one `part` of it."""
    from helr.page.json_fallback import kind

    paths = (part,) if part else id_paths(source)
    values = [value for path in paths for value in page.column(path) if value is not None]
    found = f" but {kind(values[0])}" if values else ""
    where, effect = "dedupe.id_path", "nothing is recognised as a repeat"
    if part:
        where, effect = f"one path of {where}", "only the other paths identify events"
    return (
        f"no id{found} at {where} ({', '.join(paths)}) in {counted(len(page.raws), 'event')}: "
        f"{effect}; the keys of an event: {keys_of(page)}"
    )


def id_paths(source: Source) -> tuple[str, ...]:
    return tuple(source.dedupe.id_paths) if source.dedupe else ()


def keys_of(page: Page) -> str:
    """The first keys of a page's first event."""
    try:
        found = list(msgspec.json.decode(page.raws[0], type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        return "unknown"
    return excerpt(", ".join(found[:_MOST_KEYS])) + (", …" if len(found) > _MOST_KEYS else "")


def unfollowed(source: Source, signs: Sequence[str]) -> str:
    """The warning that a response shows a next page that is not requested."""
    strategy, path = source.pagination.strategy, source.pagination.options.get("cursor_path")
    ours = f"pagination ({strategy}) finds none"
    if path or strategy == "none":
        ours = f"nothing is at pagination.cursor_path ({path})" if path else "pagination is not set"
    return (
        f"the API shows that there are more events ({', '.join(signs)}), but {ours}; "
        "events after this page are not collected"
    )
