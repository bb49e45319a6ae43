"""Recordings: every response of a one-shot run, saved to disk to replay the same poll later.

`DIR/<source>/000.json`, `001.json` … contain one response each, in order of arrival; the format is
that of the Rust helr (`url`, `status`, `headers`, `body_base64`) with a few more keys. `state.json`
beside them is the source's saved state. This file defines their format, recorder.py writes them,
replayer.py reads them, scrub.py keeps secrets out of them.
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
_KINDS: dict[str, tuple[type, str]] = {
    "url": (str, "a string"),
    "status": (int, "a whole number"),
    "headers": (dict, "an object"),
    "body_base64": (str, "a string"),
}


class Recording(Struct, eq=False):
    """One response. `body` is decompressed; `received`: Unix seconds at which it was complete.

    `elapsed`: seconds that the server took. `replaced`: where a secret was redacted ("body",
    "path"); there, a replay differs from the recorded run.
    """

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    received: float
    elapsed: float = 0
    replaced: tuple[str, ...] = ()
    helr: bool = False  # recorded by the Rust helr, which writes neither received nor elapsed

    def dump(self) -> bytes:
        """The file's content: JSON."""
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
    """The folder of a source's recordings. Two sources may share one: `a.b` and `a_b`."""
    return os.path.join(directory, re.sub("[^A-Za-z0-9_-]", "_", source))


def path(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number:03d}.json")


def numbers(folder: str) -> list[int]:
    """The numbers of the recordings in a folder, in order; none if it does not exist."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnusableError(
            f"cannot be listed: {error.strerror}",
            where=f"recordings {folder}",
            do="make the folder readable for helr",
        ) from None
    return sorted({int(name[:-5]) for name in names if _NUMBERED.fullmatch(name)})


def read_json(path: str) -> Any:
    """The content of a JSON file. Raises UnusableError."""
    try:
        with open(path, "rb") as file:
            return json.load(file)
    except OSError as error:
        raise UnusableError(
            f"cannot be read: {error.strerror}",
            where=f"recording {path}",
            do="make the file readable for helr",
        ) from None
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"not JSON ({error})") from None


def damaged(path: str, what: str) -> UnusableError:
    """The failure of a file that helr did not write, or that was changed since."""
    return UnusableError(what, where=f"recording {path}", do="record it again")


def read(path: str) -> Recording:
    """The recording in a file, written by helr or by the Rust helr. Raises UnusableError."""
    whole = read_json(path)
    wrong = _wrong(whole)
    if wrong:
        raise damaged(path, wrong)
    try:
        body = base64.b64decode(whole["body_base64"], validate=True)
    except (binascii.Error, ValueError):
        raise damaged(path, "body_base64 is not base64") from None
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
    for key, (kind, name) in _KINDS.items():
        if not isinstance(whole.get(key), kind):
            return f"{key} is missing or is not {name}"
    if not all(isinstance(value, str) for value in whole["headers"].values()):
        return "a value in headers is not a string"
    if any(isinstance(whole.get(k, 0), bool) or not isinstance(whole.get(k, 0), (int, float))
           for k in ("received", "elapsed")):  # fmt: skip
        return "received or elapsed is not a number"
    if not isinstance(whole.get("replaced", []), list):
        return "replaced is not an array"
    return None


def _date(headers: dict[str, str], path: str) -> float:
    """When a response recorded by the Rust helr arrived: its Date, or else the time of the file."""
    said = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        return parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return os.stat(path).st_mtime
