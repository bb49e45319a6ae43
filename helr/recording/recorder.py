"""`--record-dir`: save every response of a run, in order, before it is decoded.

Delivery never depends on it: a response that cannot be saved is logged once, ends the recording of
its source, and makes the run exit with 1. Only the files' owner can read them.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from helr import recording
from helr.clock import Clock
from helr.credentials import hidden_in_urls, register_secrets
from helr.errors import UnusableError
from helr.http.client import Client
from helr.log import HIDDEN, for_source
from helr.messages import Request, Response
from helr.model import Source
from helr.recording import Recording, scrub
from helr.state import Store, export

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Recorder:
    """Records a run of these sources. Raises UnusableError if recordings would be mixed."""

    store = None  # the state is the live one

    def __init__(self, directory: str, sources: Sequence[Source]) -> None:
        self._recordings: dict[str, SourceRecording] = {}
        folders: dict[str, str] = {}
        for source in sources:
            folder = recording.folder(directory, source.name)
            if folder in folders:
                raise UnusableError(
                    f"sources {folders[folder]} and {source.name} would both be recorded here",
                    where=f"recordings {folder}",
                    do="record one at a time, with --source and a directory for each",
                )
            if recording.numbers(folder):
                raise UnusableError(
                    "the directory already contains recordings",
                    where=f"recordings {folder}",
                    do="give --record-dir another directory, or remove this one",
                )
            folders[folder] = source.name
            self._recordings[source.name] = SourceRecording(source, folder)

    def begin(self, store: Store) -> None:
        """Save the state of each source. Raises UnusableError, StateError."""
        for name, one in self._recordings.items():
            one.begin({name: export.dump(store.source(name))})

    def connect(self, source: Source, *, clock: Clock, slots: threading.Semaphore) -> Client:
        """A client that records."""
        recording = self._recordings[source.name]
        return _RecordingClient(source, clock=clock, slots=slots, recording=recording)

    def finish(self) -> int:
        """The exit status: 1 if a response could not be saved."""
        return int(any(one.broken for one in self._recordings.values()))


class SourceRecording:
    """The recording of one source."""

    def __init__(self, source: Source, folder: str) -> None:
        self._folder = folder
        self._directory = -1  # its descriptor
        self._source = source
        self._log = for_source(source.name, source.label_key, source.label_value)
        self._next = 0
        self.broken = False

    def begin(self, state: dict[str, dict[str, Any]]) -> None:
        register_secrets(self._source)
        text = json.dumps(state, indent=2, sort_keys=True) + "\n"
        kept = scrub.body(text.encode())
        path = os.path.join(self._folder, recording.STATE)
        try:
            _make_private(self._folder)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._directory = os.open(self._folder, flags)
            self._write(path, kept)
        except OSError as error:
            is_link = os.path.islink(self._folder)
            reason = "its directory is a symbolic link" if is_link else error.strerror
            raise UnusableError(
                str(reason),
                where=f"recording {path}",
                do="give --record-dir a directory that helr may write to",
            ) from None
        if kept != text.encode():
            self._log.warning(
                "%s: a secret in the saved state was redacted (%s); a replay may differ",
                path,
                HIDDEN,
            )

    def save(self, response: Response) -> None:
        """Save a response. Raises nothing: events matter more than their recording."""
        if self.broken:
            return
        path = recording.path(self._folder, self._next)
        kept = _scrubbed(response)
        try:
            self._write(path, kept.dump())
        except OSError as error:
            self.broken = True
            failure = UnusableError(
                f"{error.strerror}; this source's recording ends here, but its events are still "
                "delivered",
                where=f"recording {path}",
                do="free space, and record into another directory",
            )
            self._log.failure(failure)
            return
        self._next += 1
        if kept.replaced:
            self._log.warning(
                "%s: a secret in the %s was redacted (%s); a replay will differ there",
                path,
                " and the ".join(kept.replaced),
                HIDDEN,
            )

    def _write(self, path: str, content: bytes) -> None:
        """Write a whole file or none, mode 0600, in the open directory. Raises OSError.

        No link is followed: other users may write into the directory above (/tmp).
        """
        name, at = os.path.basename(path), self._directory
        draft = f"{name}.part"
        with suppress(FileNotFoundError):
            os.unlink(draft, dir_fd=at)  # a kill left it, or someone put a link there
        try:
            fd = os.open(draft, _NEW, 0o600, dir_fd=at)
            with open(fd, "wb") as file:
                file.write(content)
            os.rename(draft, name, src_dir_fd=at, dst_dir_fd=at)
        except OSError:
            with suppress(OSError):
                os.unlink(draft, dir_fd=at)
            raise


class _RecordingClient(Client):
    """Saves every response before it is decoded, including failed ones that are retried."""

    def __init__(
        self,
        source: Source,
        *,
        clock: Clock,
        slots: threading.Semaphore,
        recording: SourceRecording,
    ) -> None:
        super().__init__(source, clock=clock, slots=slots)
        self._recording = recording

    def send(self, request: Request) -> Response:
        response = super().send(request)
        try:
            self._recording.save(response)
        except BaseException:
            response.release()
            raise
        return response


def _scrubbed(response: Response) -> Recording:
    query, body = scrub.query(response.request), scrub.body(response.body)
    path, url = hidden_in_urls(response.path), hidden_in_urls(response.url)
    changed = {"body": body != response.body, "path": path != response.path}
    return Recording(
        url=f"{url}?{query}" if query else url,
        status=response.status,
        headers=scrub.headers(response.headers),
        body=body,
        received=response.received,
        elapsed=response.elapsed,
        replaced=tuple(what for what, is_so in changed.items() if is_so),
    )


def _make_private(path: str) -> None:
    """Make a directory, and missing ones above it, for this user only: 0700."""
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        _make_private(parent)
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
