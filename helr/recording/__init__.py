"""Recordings: every response of a one-shot run on disk, and the same poll from them again.

`DIR/<source>/000.json`, `001.json` … hold one response each, in the order they came; the
format is Helr's (`url`, `status`, `headers`, `body_base64`) and a little more. `state.json`
beside them is where the source stood. This file knows how they are spelled, record.py
writes them, replay.py reads them, scrub.py keeps secrets out of them.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct

from helr.errors import UnusableError

STATE = "state.json"
_NUMBERED = re.compile(r"[0-9]+\.json")


class Recording(Struct, eq=False):
    """One response. `body` is decompressed; `received`: Unix seconds at which it was complete.

    `elapsed`: seconds the server took. `replaced`: where a secret was replaced, of "body" and
    "path"; what a replay makes of it differs there.
    """

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    received: float
    elapsed: float = 0
    replaced: tuple[str, ...] = ()
    helr: bool = False  # by Helr, which knows neither received nor elapsed

    def dump(self) -> bytes:
        """As JSON."""
        whole: dict[str, Any] = {
            "url": self.url,
            "status": self.status,
            "headers": self.headers,
            "received": self.received,
            "elapsed": round(self.elapsed, 6),
        }
        if self.replaced:
            whole["replaced"] = self.replaced
        whole["body_base64"] = base64.b64encode(self.body).decode()
        return json.dumps(whole, indent=2).encode() + b"\n"


def folder(directory: str, source: str) -> str:
    """Where the recordings of a source are. Sources may share one: `a.b` and `a_b`."""
    return os.path.join(directory, re.sub("[^A-Za-z0-9_-]", "_", source))


def path(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number:03d}.json")


def numbers(folder: str) -> list[int]:
    """The numbers of the recordings in a folder, in order; none where it does not exist."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnusableError(f"recordings {folder}: {error.strerror}") from None
    return sorted({int(name[:-5]) for name in names if _NUMBERED.fullmatch(name)})


def read_json(path: str) -> Any:
    """Raises UnusableError that names the file and what is wrong with it."""
    try:
        with open(path, "rb") as file:
            return json.load(file)
    except OSError as error:
        raise UnusableError(f"recording {path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"recording {path}: not JSON ({error}); record it anew") from None


def read(path: str) -> Recording:
    """The recording in a file, ours or Helr's. Raises UnusableError as above."""
    whole = read_json(path)
    wrong = _wrong(whole)
    if wrong:
        raise UnusableError(f"recording {path}: {wrong}; record it anew")
    try:
        body = base64.b64decode(whole["body_base64"], validate=True)
    except (binascii.Error, ValueError):
        raise UnusableError(
            f"recording {path}: body_base64 is not base64; record it anew"
        ) from None
    received = whole.get("received")
    return Recording(
        url=whole["url"],
        status=whole["status"],
        headers=whole["headers"],
        body=body,
        received=_date(whole["headers"], path) if received is None else received,
        elapsed=whole.get("elapsed", 0),
        replaced=tuple(whole.get("replaced", ())),
        helr=received is None,
    )


def _wrong(whole: Any) -> str | None:
    if not isinstance(whole, dict):
        return "not a JSON object"
    kinds = (("url", str), ("status", int), ("headers", dict), ("body_base64", str))
    for key, kind in kinds:
        if not isinstance(whole.get(key), kind):
            return f"{key} is missing or is no {kind.__name__}"
    if not all(isinstance(value, str) for value in whole["headers"].values()):
        return "headers holds something that is no text"
    if any(isinstance(whole.get(k, 0), bool) or not isinstance(whole.get(k, 0), (int, float))
           for k in ("received", "elapsed")):  # fmt: skip
        return "received or elapsed is no number"
    if not isinstance(whole.get("replaced", []), list):
        return "replaced is no list"
    return None


def _date(headers: dict[str, str], path: str) -> float:
    """When a response of Helr's came: what its Date says, else the age of the file."""
    said = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        return parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return os.stat(path).st_mtime
