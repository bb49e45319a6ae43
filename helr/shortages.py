"""What the machine has run out of: memory, threads, open files, disk space, characters.

Any call can fail for such a reason, even an import; what was done until then is in the state.
"""

from __future__ import annotations

import errno

from helr.errors import Problem

MEMORY = Problem(
    "not enough memory",
    "allow more (ulimit -v, MemoryMax, a container's limit), or make pages smaller (limit in "
    "query_params)",
)
THREADS = Problem(
    "no thread can be started",
    "allow more (ulimit -u, TasksMax, a container's pids limit), or free memory",
)
FILES = Problem("too many open files", "allow more (ulimit -n, LimitNOFILE)")
DISK = Problem("the disk is full", "make room")

_BY_NUMBER = {
    errno.ENOMEM: MEMORY,
    errno.EMFILE: FILES,
    errno.ENFILE: FILES,
    errno.ENOSPC: DISK,
    errno.EDQUOT: DISK,
}
_BY_WORDS = {
    "can't start new thread": THREADS,
    "can't allocate lock": MEMORY,
    "out of memory": MEMORY,
    "Cannot allocate memory": MEMORY,
    "failed to map segment": MEMORY,  # the dynamic linker's, in an ImportError
    "Too many open files": FILES,
    "No space left on device": DISK,
}


def advice(error: BaseException | None) -> Problem | None:
    """The shortage behind an error or one of its causes; None for an error of another kind."""
    for _ in range(20):
        if error is None:
            break
        found = _of_one(error)
        if found:
            return found
        error = error.__cause__ or error.__context__
    return None


def _of_one(error: BaseException) -> Problem | None:
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, UnicodeEncodeError):
        text = error.object[error.start : error.end][:20]
        return Problem(
            f"the locale's encoding {error.encoding} lacks characters: {text!a}",
            "set a locale with UTF-8, such as LC_ALL=C.UTF-8",
        )
    number = getattr(error, "errno", None)
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    text = str(error)
    return next((shortage for words, shortage in _BY_WORDS.items() if words in text), None)
