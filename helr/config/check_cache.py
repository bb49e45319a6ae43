"""Records, beside the state file, that these values fit this schema in this version.

Otherwise a one-shot run would spend much of its time importing jsonschema, only to repeat the
check of the previous run. The file contains only a digest. Failing to write it is not an error.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import helr
from helr.config import schema as schemas


def digest(schema: bytes, *values: object) -> str:
    """A fingerprint of everything the check depends on."""
    import hashlib

    whole = "\0".join((helr.__version__, hashlib.sha256(schema).hexdigest(), repr(values)))
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def beside_state(tree: dict[str, Any], schema: schemas.Schema) -> Path | None:
    """The file for the digest, or None if nothing is kept (the memory backend)."""
    state = tree.get("global", {})
    state = state.get("state", {}) if isinstance(state, dict) else None
    if not isinstance(state, dict) or state.get("backend", "sqlite") != "sqlite":
        return None
    known = schema["properties"]["global"]["properties"]["state"]["properties"]
    path = state.get("path", known["path"]["default"])
    return Path(f"{path}.checked") if isinstance(path, str) and path else None


def is_known(file: Path | None, fingerprint: str) -> bool:
    """Whether a check of exactly these values has succeeded before."""
    if file is None:
        return False
    try:
        return file.read_bytes()[:200].strip() == fingerprint.encode()
    except (OSError, ValueError):
        return False


def remember(file: Path | None, fingerprint: str) -> None:
    """Save the digest in one atomic step, readable only by the owner."""
    if file is None:
        return
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(fingerprint + "\n")
        draft.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
