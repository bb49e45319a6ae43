"""`helr state`: shows the saved state of a source, or changes it while no other helr holds it.

An export has the shape `{"source": {…}}`; helr.state.export describes the inner object.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from helr import auth
from helr.config.problems import no_such_source
from helr.engine import watermark
from helr.errors import UnusableError
from helr.log import counted, printable
from helr.model import Config, Source
from helr.pagination import open_pagination
from helr.state import export, peek
from helr.state.lock import lock_source
from helr.state.records import (
    CHAIN,
    EDGE_MARK,
    LISTS,
    LOOKBACK_FROM,
    RESERVED,
    RESETS,
    TOKEN_MARK,
    TOKENS,
    Checkpoint,
    Stored,
)
from helr.state.sqlite import SqliteStore
from helr.timestamps import instant, spelling


class StateCommand:
    """The actions on one state file. Raises UnusableError, LockedError, StateError."""

    def __init__(self, config: Config) -> None:
        state = config.globals.state
        if state.backend != "sqlite":
            raise UnusableError(
                f"global.state.backend is {state.backend}, which keeps nothing to show or change",
                where=config.path,
                do="use sqlite",
            )
        self._config = config
        self._path = state.path

    def _reading(self) -> SqliteStore | None:
        return SqliteStore(self._path, read_only=True) if os.path.exists(self._path) else None

    def show(self, name: str) -> None:
        from helr.credentials import hidden_in_urls

        _know_tokens(self._config)
        store = self._reading()
        stored = store.load(name) if store else Stored()
        ids = store.ids(name) if store else []
        if not stored.values and not stored.marks and not ids:
            self._known(name)
            print(f"{printable(name)}: no state in {os.path.abspath(self._path)}")
            return
        print(printable(name))
        for key, value in sorted(stored.values.items()):
            print(printable(f"  {key}: {hidden_in_urls(value)}"))
        if ids:
            print(f"  ids: {counted(len(ids), 'delivered id')}")
        if stored.marks:
            events = sum(map(len, watermark.unpacked(stored.marks).values()))
            cursors = sum(kind == TOKEN_MARK for kind, _, _ in stored.marks)
            print(f"  marks: {events + cursors}")

    def reset(self, name: str, *, hold_only: bool) -> None:
        reading = self._reading()
        if reading is None or name not in reading.sources():
            self._known(name)
        store = self._changing(name)
        if hold_only:
            store.commit(name, [Checkpoint(values=dict.fromkeys(export.HELD))])
            print(f"{name}: may be polled again at once")
            return
        store.replace(name, {}, [], [])
        print(f"{name}: state deleted; its next poll starts from the beginning")

    def set(self, name: str, key: str, value: str) -> None:
        """Set a cursor or a watermark. A new watermark abandons the open chain, which would replace
        it. Either also deletes the records that would suppress events of the old position.
        """
        source = self._known(name)
        mark, token = _state_key(source), open_pagination(source.pagination).state_key
        if not key or key not in (token, mark):
            known = ", ".join(filter(None, (token, mark)))
            raise UnusableError(
                f"{key} is not a key of this source", do=f"set one of: {known}", source=name
            )
        export.check(f"{name}: {key}", key, value, mark)
        if key == mark and value:
            _check_watermark(source, key, value, peek(self._config.globals.state, name))
        change = Checkpoint(values={key: value or None})
        store = self._changing(name)
        if key == mark:
            open_chain = (*TOKENS, CHAIN, LOOKBACK_FROM, RESETS)
            change.values |= dict.fromkeys(open_chain)
            change.forget += [(TOKEN_MARK, None), (EDGE_MARK, None)]
            if store.load(name).values.keys() & set(TOKENS):
                print(f"{name}: the open chain is abandoned; the next poll starts a new one")
        else:
            change.values |= {} if value else dict.fromkeys((CHAIN, RESETS))
            change.forget.append((TOKEN_MARK, None))
        store.commit(name, [change])
        print(printable(f"{name}: {key} = {value}"))

    def export(self) -> None:
        store = self._reading()
        whole = {name: export.dump(store.source(name)) for name in store.sources()} if store else {}
        json.dump(whole, sys.stdout, indent=2, sort_keys=True)
        print()

    def load(self) -> None:
        """`import`: checks the whole document, then replaces the state of every source in it."""
        whole = _read_document()
        if not whole:
            print("the document is empty; no source was changed")
            return
        strangers = [name for name in whole if name not in self._config.sources]
        if len(strangers) == len(whole):
            self._known(strangers[0])
        for name in strangers:
            print(printable(f"{name}: skipped, since {self._config.path} has no such source"))
            del whole[name]
        for name, values in whole.items():
            source = self._config.sources[name]
            for key, value in values.items():
                if key in LISTS:
                    continue
                export.check(f"{name}: {key}", key, value, _state_key(source))
                if key not in RESERVED and key != _state_key(source):
                    print(printable(f"{name}: {key}: imported, but its config does not use it"))
            export.lists(name, values)
        stores = {name: self._changing(name) for name in whole}
        for name, values in whole.items():
            ids, marks = export.lists(name, values)
            plain = {key: value for key, value in values.items() if key not in LISTS and value}
            stores[name].replace(name, plain, ids, marks)
            print(f"{name}: imported")

    def _changing(self, name: str) -> SqliteStore:
        lock_source(self._path, name)
        return SqliteStore(self._path)

    def _known(self, name: str) -> Source:
        if name in self._config.sources:
            return self._config.sources[name]
        missing = no_such_source(name, self._config.sources)
        raise UnusableError(missing.what, where=self._config.path, do=missing.do)


def run(config: Config, action: str, **options: Any) -> int:
    """Perform one action and return the exit status."""
    command = StateCommand(config)
    if action == "show":
        command.show(options["source"])
    elif action == "reset":
        command.reset(options["source"], hold_only=options["hold"])
    elif action == "set":
        command.set(options["source"], options["key"], options["value"])
    elif action == "export":
        command.export()
    else:
        command.load()
    return 0


def _know_tokens(config: Config) -> None:
    """Register the tokens, so that none that an API returned is shown; one may be missing here."""
    for source in config.sources.values():
        auth.open_auth(source.auth).check()


def _state_key(source: Source) -> str | None:
    return source.incremental_from.state_key if source.incremental_from else None


def _check_watermark(source: Source, key: str, value: str, stored: Stored) -> None:
    """Refuse a time that would hide events, or that the API may interpret differently."""
    from helr import vendors

    shown, manner = value[:80], spelling(value)
    at, vendor = instant(value), vendors.find(source.url)
    if vendor and value.isdigit():
        at = float(value)  # the API reads it as seconds
    elif vendor:
        raise UnusableError(
            f"{shown}: {vendor['name']} accepts only {vendor['times']}",
            where=key,
            source=source.name,
        )
    if at is not None and at > time.time() + 86400:
        raise UnusableError(
            f"{shown} is more than a day in the future: every event until then would be missed",
            where=key,
            do="" if manner in ("ISO 8601", "Unix seconds") else f"is it in {manner}?",
            source=source.name,
        )
    before = stored.values.get(key)
    if before and spelling(before) != manner:
        raise UnusableError(
            f"{shown} is {manner}, but the current watermark {before} is {spelling(before)}",
            where=key,
            do="use the same format, that of the API's events",
            source=source.name,
        )


def _read_document() -> dict[str, dict[str, Any]]:
    where, do = "standard input", "pipe in the output of `helr state export`"
    if sys.stdin is None:
        raise UnusableError("standard input is closed", do=do)
    try:
        whole = json.load(sys.stdin)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"not JSON ({error})", where=where, do=do) from None
    if not isinstance(whole, dict) or not all(isinstance(v, dict) for v in whole.values()):
        raise UnusableError('not {"source": {"key": "value"}}', where=where, do=do)
    return whole
