"""The `helr` command, and `python -m helr`: handles signals before helr.cli is imported."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import NoReturn

_LACKING = 5  # the exit status of errors.StateError: a restart may help
_NO_MEMORY = b"helr: not enough memory to start; allow more (ulimit -v, MemoryMax)\n"


def main() -> NoReturn:
    """Until a run waits for its signals, SIGINT ends the process at once, as SIGTERM does: Python
    would raise a KeyboardInterrupt, which is sometimes lost in the middle of an import. SIGHUP and
    similar signals stay blocked until then, and in other commands to the end."""
    try:
        from helr import shortages, signals  # noqa: F401 - a shortage may prevent the import later

        signals.ignore()
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        from helr.cli import entry

        entry()
    except Exception as error:  # noqa: BLE001 - in an import, or while reporting another error
        _give_up(error)


def _give_up(error: Exception) -> NoReturn:
    text = _NO_MEMORY
    try:
        from helr import shortages

        cause = shortages.advice(error) or f"internal error, please report it: {error!r}"
        text = f"helr: {cause}\n".encode("ascii", "backslashreplace")
    finally:
        with suppress(OSError):
            os.write(2, text)
        os._exit(_LACKING)


if __name__ == "__main__":
    main()
