"""`--replay-dir`: the recorded poll again, from disk: no network, no token, no delays.

Only the transport, the clock and the state differ from a live run. Each source has its own clock,
which is set to the time at which a response was recorded, and every wait only moves it forward. The
state is in memory and begins where the recording began.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from msgspec.structs import replace

from helr import recording
from helr.clock import Clock
from helr.errors import PollError, UnusableError
from helr.http.client import Client
from helr.log import for_source
from helr.messages import Request
from helr.model import Source
from helr.recording import Recording, scrub
from helr.state import Store, export
from helr.state.memory import MemoryStore
from helr.state.records import API, LISTS, Checkpoint

log = for_source("")

_OTHER_CONFIG = "record again, or replay with the config of the recording"


class MissingError(PollError):
    """The poll requests more than was recorded."""


class Replay:
    """The replay of these sources; `every`: they are all the sources of the config.

    Raises UnusableError for a file that neither helr nor the Rust helr wrote. `store`: the state.
    """

    def __init__(self, directory: str, sources: Sequence[Source], *, every: bool) -> None:
        if not os.path.isdir(directory):
            raise UnusableError(
                "not a directory",
                where=f"recordings {directory}",
                do="name the one given to --record-dir",
            )
        self.store = MemoryStore()
        self._directory = directory
        self._transports = {source.name: ReplayTransport(source, directory) for source in sources}
        for source in sources:
            self._rewind(source)
        self._strangers = self._others(sources) if every else []
        log.info("replaying %s: no network, no delays; the saved state is not changed", directory)

    def _rewind(self, source: Source) -> None:
        """Restore the source's state, if it was recorded (the Rust helr records none)."""
        path = os.path.join(self._transports[source.name].folder, recording.STATE)
        if not os.path.exists(path):
            return
        whole = recording.read_json(path)
        values = whole.get(source.name) if isinstance(whole, dict) else None
        if not isinstance(values, dict):
            raise recording.damaged(path, f"it has no state for source {source.name}")
        key = source.incremental_from.state_key if source.incremental_from else None
        ids, marks = export.lists(path, values)
        plain = {name: value for name, value in values.items() if name not in LISTS}
        plain.pop(API, None)  # a replay contacts no API
        for name, value in plain.items():
            export.check(f"{path}: {name}", name, value, key)
        started = Checkpoint(values=plain, ids=ids, capacity=len(ids), marks=marks)
        self.store.source(source.name).commit([started])

    def _others(self, sources: Sequence[Source]) -> list[str]:
        """Folders with recordings that belong to no configured source."""
        known = {transport.folder for transport in self._transports.values()}
        names = sorted(os.listdir(self._directory))
        folders = [os.path.join(self._directory, name) for name in names]
        return [path for path in folders if path not in known and recording.numbers(path)]

    def begin(self, store: Store) -> None:
        """A replay saves nothing."""

    def connect(self, source: Source, *, clock: Clock, slots: threading.Semaphore) -> Client:
        """A client without a network."""
        transport = self._transports[source.name]
        transport.clock = ReplayClock(clock, transport.began)
        anonymous = replace(source, auth=None)
        return Client(anonymous, clock=transport.clock, slots=slots, transport=transport)

    def finish(self) -> int:
        """Log what was left over and what was skipped; returns 1 if anything was left, else 0."""
        status = 0
        if any(
            transport.clock and transport.clock.stopping for transport in self._transports.values()
        ):
            return status
        for name, transport in self._transports.items():
            if transport.clock and transport.clock.waits:
                for_source(name).info(
                    "waits skipped: %d (%.1f s in total)",
                    transport.clock.waits,
                    transport.clock.skipped,
                )
            if transport.left:
                status = 1
                left = UnusableError(
                    f"the poll ended before {_numbered(transport.left)}",
                    where=f"recordings {transport.folder}",
                    do=_OTHER_CONFIG,
                )
                for_source(name).failure(left)
        for folder in self._strangers:
            status = 1
            stranger = UnusableError(
                "these recordings belong to no configured source",
                where=folder,
                do="select sources with --source",
            )
            log.failure(stranger)
        return status


class ReplayClock(Clock):
    """A clock that moves only by recorded times and by waits.

    A stop is the live clock's. `waits`: how many there were, of `skipped` seconds in total.
    """

    def __init__(self, live: Clock, began: float | None) -> None:
        self._stop = live._stop
        self._now = live.now() if began is None else began
        self._elapsed = 0.0
        self.waits = 0
        self.skipped = 0.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.check()
        if seconds > 0:
            self.waits += 1
            self.skipped += seconds
            self.set(self._now + seconds)

    def set(self, now: float) -> None:
        """Unix seconds; `monotonic` moves by the same amount, but never back."""
        self._elapsed += max(now - self._now, 0)
        self._now = now


class ReplayTransport:
    """The recordings of one source, as a transport: each request gets the next one.

    `began`: when the recorded run sent its first request, None if it got no response.
    """

    def __init__(self, source: Source, directory: str) -> None:
        self.folder = recording.folder(directory, source.name)
        self.clock: ReplayClock | None = None
        self.began: float | None = None
        self.left = recording.numbers(self.folder)
        self._name = source.name
        self._log = for_source(source.name, source.label_key, source.label_value)
        self._next = 0
        self._told = False
        for number in self.left:
            self._look(number)

    def _look(self, number: int) -> None:
        """Read one before anything is polled, so that an unreadable one is found by then."""
        path = recording.path(self.folder, number)
        found = recording.read(path)
        if self.began is None:
            self.began = found.received - found.elapsed
        if found.replaced:
            self._log.warning(
                "%s: a secret in the %s was redacted when it was recorded, so the output differs "
                "from the recorded run there",
                path,
                " and the ".join(found.replaced),
            )

    def send(self, request: Request) -> ReplayedReply:
        """The next response. Raises MissingError."""
        path = recording.path(self.folder, self._next)
        if self._next not in self.left:
            raise self._missing(path)
        try:
            found = recording.read(path)
        except UnusableError as error:
            raise MissingError(
                error.what, where=error.where, do=error.do, source=self._name
            ) from None
        self.left.remove(self._next)
        self._next += 1
        self._compare(path, found, request)
        if self.clock:
            self.clock.set(found.received)
        return ReplayedReply(found)

    def _missing(self, path: str) -> MissingError:
        if self.began is None:
            return MissingError(
                "no response was recorded here",
                where=f"recordings {self.folder}",
                do="name the directory given to --record-dir, and with --source what was recorded",
                source=self._name,
            )
        return MissingError(
            "the file is missing: the recorded run got no complete response, or requested less",
            where=f"recording {path}",
            do=_OTHER_CONFIG,
            source=self._name,
        )

    def _compare(self, path: str, found: Recording, request: Request) -> None:
        """Warn if the config requests something other than what was recorded."""
        asked = scrub.query(request)
        if found.helr or self._told or urlsplit(found.url).query == asked:
            return
        self._told = True
        self._log.warning(
            "%s: recorded for a different query (now: %s); replaying it anyway",
            path,
            asked or "none",
        )


class ReplayedReply:
    """A recorded response that is being read."""

    def __init__(self, found: Recording) -> None:
        self.status = found.status
        self.url = found.url
        self.headers: Mapping[str, str] = Headers(found.headers)
        self._body = memoryview(found.body)

    def read(self, size: int) -> bytes:
        piece, self._body = self._body[:size], self._body[size:]
        return bytes(piece)

    def close(self) -> None:
        pass


class Headers(Mapping[str, str]):
    """Looked up regardless of case, shown as recorded."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._values = {name.lower(): value for name, value in given.items()}

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def _numbered(numbers: Sequence[int]) -> str:
    first = f"{numbers[0]:03d}.json"
    return first if len(numbers) == 1 else f"{first} and {len(numbers) - 1} more"
