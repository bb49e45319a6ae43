"""helr's own files, and a check that no output goes into one of them.

They are the state and the files that SQLite and helr keep beside it, the config, every file that
a `…_file` key of this run's sources names, and recordings. Files are compared by name, as some
appear only later, and by inode, as a file may have several names.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from helr.errors import UnusableError
from helr.model import Config

_BESIDE_STATE = ("", "-wal", "-shm", "-journal", ".checked")
_STANDARD = ((1, "standard output"), (2, "standard error"))


def check_output(path: str, config: Config, recordings: Sequence[str] = ()) -> None:
    """Raise UnusableError when the output at `path` is one of helr's own files.

    `recordings`: the directories of recordings that this run writes or reads.
    """
    name, identity = os.path.realpath(path), _identity(path)
    own = _match(name, identity, config, recordings)
    if own or any(os.path.dirname(name) == os.path.realpath(each) for each in recordings):
        what = own or os.path.dirname(path)
        raise UnusableError(
            f"it is one of helr's own files ({what})",
            where=f"output {path}",
            do="write to another file",
        )


def check_standard(config: Config, recordings: Sequence[str] = ()) -> None:
    """The same for standard output and standard error, which a shell may have redirected."""
    for fd, called in _STANDARD:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            continue
        own = _match(_opened_as(fd), (found.st_dev, found.st_ino), config, recordings)
        if own:
            raise UnusableError(
                f"redirected to {own}, which is one of helr's own files",
                where=called,
                do="redirect it to another file",
            )


def check_recordings(directories: Sequence[str], config: Config) -> None:
    """Raise UnusableError when recordings would be written among helr's own files."""
    there = {os.path.realpath(each): each for each in directories}
    for own in _own(config):
        place = there.get(os.path.dirname(os.path.realpath(own)))
        if place is not None:
            raise UnusableError(
                f"the directory contains {own}, which is one of helr's own files",
                where=f"recordings {place}",
                do="give --record-dir another directory",
            )


def _match(
    name: str, identity: tuple[int, int] | None, config: Config, recordings: Sequence[str]
) -> str | None:
    """helr's own file with this real name or this identity."""
    state = os.path.realpath(config.globals.state.path)
    if name.startswith(f"{state}.") and name.endswith(".lock"):  # of any source, polled or not
        return name
    for own in (*_own(config), *_within(recordings)):
        if os.path.realpath(own) == name or (identity and _identity(own) == identity):
            return os.path.normpath(own)
    return None


def _own(config: Config) -> Iterator[str]:
    yield config.path
    state = config.globals.state.path
    for end in _BESIDE_STATE:
        yield state + end
        if os.path.islink(state):  # SQLite's files are beside the file, helr's digest by the link
            yield os.path.realpath(state) + end
    beside = os.path.realpath(state)
    for found in _within([os.path.dirname(beside)]):
        if found.startswith(f"{beside}.") and found.endswith(".lock"):
            yield found
    yield from _named(msgspec.to_builtins(config, enc_hook=str))


def _named(value: Any) -> Iterator[str]:
    """The values of all keys `…_file`, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, str):
                if isinstance(key, str) and key.endswith("_file") and inner:
                    yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _named(inner)


def _within(directories: Sequence[str]) -> Iterator[str]:
    for each in directories:
        with suppress(OSError):
            yield from (entry.path for entry in os.scandir(each))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def _opened_as(fd: int) -> str:
    """The name of a descriptor's file, even if it was replaced since ("": unknown)."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}").removesuffix(" (deleted)")
    except OSError:
        return ""
