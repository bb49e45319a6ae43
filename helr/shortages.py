"""What the machine lacks just now, told in a line: memory, threads, open files, disk, letters.

Any call can fail so, the import of a module too; what was done until then is in the state.
"""

from __future__ import annotations

import errno

MEMORY = (
    "there is not enough memory: allow more (ulimit -v, MemoryMax, a container's limit), or make"
    " pages smaller (limit in query_params)"
)
THREADS = (
    "no thread can be started: allow more (ulimit -u, TasksMax, a container's pids limit), or free"
    " memory"
)
FILES = "too many files are open: allow more (ulimit -n, LimitNOFILE)"
DISK = "the disk is full"
LETTERS = (
    "the locale has no such letters: {text!a} in {encoding}; set one with UTF-8, such as"
    " LC_ALL=C.UTF-8"
)

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


def advice(error: BaseException | None) -> str:
    """What is lacking, and what to do; "" for an error of another kind. Looks at causes too."""
    for _ in range(20):
        if error is None:
            break
        found = _of_one(error)
        if found:
            return found
        error = error.__cause__ or error.__context__
    return ""


def _of_one(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, UnicodeEncodeError):
        return LETTERS.format(
            text=error.object[error.start : error.end][:20], encoding=error.encoding
        )
    number = getattr(error, "errno", None)
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    text = str(error)
    return next((told for words, told in _BY_WORDS.items() if words in text), "")
