"""The `helr` command, and `python -m helr`: what a SIGINT does before helr.cli is imported."""

from __future__ import annotations

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Until a run waits for its signals, SIGINT ends the process at once, as SIGTERM does: Python
    would raise a KeyboardInterrupt, and loses it now and then in the middle of an import. SIGHUP
    and its like wait until then; in the other commands, for ever."""
    from helr import stopping

    stopping.ignore()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else the parent ignores it
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from helr.cli import entry

    entry()


if __name__ == "__main__":
    main()
