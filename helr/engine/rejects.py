"""What `on_parse_error: skip_event` sets aside: kept beside the state file, one JSON line each.

A line contains the source, the place in the response, what is wrong, and the element's text (bytes
that are not UTF-8 as `\\udcXX`). Only the file's owner can read it, and it stops growing at
`MOST_BYTES`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from helr.log import counted, excerpt, for_source
from helr.model import Source
from helr.page.page import Page, Reject
from helr.timestamps import rfc3339

MOST_BYTES = 64_000_000


class Rejects:
    """`path`: the file that keeps them; None: none, as the state is only in memory."""

    def __init__(self, source: Source, path: str | None) -> None:
        self._source = source.name
        self._path = path
        self._log = for_source(source.name, source.label_key, source.label_value)

    def keep(self, found: Sequence[Reject], page: Page) -> None:
        """Log what was set aside of a page, and keep it. A file that cannot be written is logged,
        too."""
        if not found:
            return
        url, received = page.response.url, page.received
        kept = f"kept in {self._path}" if self._path and self._write(found, url, received) else ""
        first, more = found[0], f" and {len(found) - 1} more" if len(found) > 1 else ""
        self._log.warning(
            "%s: %s %s%s: set aside (on_parse_error: skip_event)%s",
            url,
            first.place,
            first.why,
            more,
            f", {kept}" if kept else f": {excerpt(first.text)}",
            fields={"rejected": len(found)},
        )

    def _write(self, found: Sequence[Reject], url: str, received: float) -> bool:
        lines = "".join(
            json.dumps(
                {
                    "ts": rfc3339(int(received)),
                    "source": self._source,
                    "url": url,
                    "place": reject.place,
                    "why": reject.why,
                    "text": reject.text,
                }
            )
            + "\n"
            for reject in found
        )
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(str(self._path), flags, 0o600)
            with open(fd, "w", encoding="ascii") as file:
                if os.fstat(fd).st_size + len(lines) > MOST_BYTES:
                    what = counted(len(found), "rejected element")
                    self._log.warning("%s is full: %s not kept in it", self._path, what)
                    return False
                file.write(lines)
        except OSError as error:
            self._log.warning("%s cannot be written: %s", self._path, error.strerror)
            return False
        return True
