"""Where a body is kept while it arrives, so that a slow server does not delay other sources.

Only a few large pages may be in memory at once, however many sources there are. Places in memory
are for complete bodies: one that is still arriving has a place only while another one is free. When
none is, the data received so far goes into an unlinked temporary file, and the rest after it; the
body waits for a place once it is complete. A small body needs neither.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from helr.http.timeouts import Deadline

SMALL_BYTES = 65_536
PATIENCE_SECS = 0.5  # how long an incomplete body may occupy the last place in memory
_WAIT_SECS = 0.05


class Buffer:
    """The body of one response. `close` releases its resources, unless `whole` was returned.

    `places`: one for each large page in memory; `place`: the one that this body occupies.
    """

    def __init__(
        self,
        places: threading.Semaphore,
        deadline: Deadline,
        make_file: Callable[[], IO[bytes]] | None = None,
    ) -> None:
        self.place: threading.Semaphore | None = None
        self._places = places
        self._deadline = deadline
        self._make_file = make_file or _unlinked
        self._kept = bytearray()
        self._file: IO[bytes] | None = None
        self._in_memory = False  # no file can be written: the body stays in memory
        self._since = 0.0
        deadline.waiting = self.make_room

    def add(self, piece: bytes) -> None:
        """Keep a piece of the body. Raises Stopped if it has to wait for a place."""
        unplaced = self._file is None and self.place is None
        if unplaced and len(self._kept) + len(piece) > SMALL_BYTES and not self._take_free():
            self._spill()
        if self._file is None:
            self._kept += piece
        else:
            self._append(piece)

    def make_room(self) -> None:
        """While waiting for more data: leave the last place to a complete body."""
        if self.place is None or self._in_memory:
            return
        if self._deadline.clock.monotonic() - self._since < PATIENCE_SECS:
            return
        if self._places.acquire(blocking=False):
            self._places.release()
            return
        self._spill()

    def whole(self) -> bytearray:
        """The complete body, in memory. Raises Stopped."""
        self._deadline.waiting = None
        if self._file is not None:
            self._back_into_memory()
        return self._kept

    def close(self) -> None:
        """Discard the body."""
        self._deadline.waiting = None
        self._drop_file()
        self._kept = bytearray()
        self._give_back()

    def _spill(self) -> None:
        """Move the body into a file and free its place; without a file, keep or await a place."""
        try:
            self._file = self._make_file()
        except OSError:
            self._stay_in_memory()
            return
        kept, self._kept = self._kept, bytearray()
        self._append(kept)
        if self._file is not None:
            self._give_back()

    def _append(self, piece: bytes | bytearray) -> None:
        assert self._file is not None
        left = memoryview(piece)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:  # a full disk: what the file already has is intact
            self._back_into_memory()
            self._stay_in_memory()
            self._kept += left

    def _stay_in_memory(self) -> None:
        self._in_memory = True
        self._wait_for_place()

    def _back_into_memory(self) -> None:
        self._wait_for_place()
        assert self._file is not None
        self._kept = bytearray(self._file.tell())
        self._file.seek(0)
        self._file.readinto(self._kept)  # type: ignore[attr-defined]  # it is a raw file
        self._drop_file()

    def _drop_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                file.close()

    def _take_free(self) -> bool:
        if not self._places.acquire(blocking=False):
            return False
        self.place, self._since = self._places, self._deadline.clock.monotonic()
        return True

    def _wait_for_place(self) -> None:
        """Wait for a place, without counting that time against the server."""
        if self.place is not None:
            return
        clock = self._deadline.clock
        began = clock.monotonic()
        while not self._places.acquire(timeout=_WAIT_SECS):
            clock.check()
        self.place, self._since = self._places, clock.monotonic()
        self._deadline.extend(clock.monotonic() - began)

    def _give_back(self) -> None:
        place, self.place = self.place, None
        if place is not None:
            place.release()


def _unlinked() -> IO[bytes]:
    import tempfile  # a normal poll does not need it

    return tempfile.TemporaryFile(buffering=0)
