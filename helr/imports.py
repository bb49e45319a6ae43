"""helr's two large libraries, imported without what they would bring along and never use here.

More than a tenth of a cold start went into modules that helr's use of msgspec and requests never
needs. For the moment of their import these are missing, or stand in for themselves; afterwards
anybody may import them.
"""

from __future__ import annotations

import sys
import threading
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_once = threading.Lock()  # sys.modules and the filters of warnings belong to all threads


def import_msgspec() -> None:
    """Without typing_extensions: since Python 3.11 typing has all that it is asked for."""
    if sys.version_info >= (3, 11):
        with _replaced(typing_extensions=None):
            import msgspec  # noqa: F401


def import_requests() -> None:
    """Without a guesser of encodings, since no answer is read as text, and without
    importlib.metadata, which urllib3 wants for HTTP/2 alone. Every source's thread may call it.

    A requests that insists on what is hidden is left to be imported as it is.
    """
    metadata = types.ModuleType("importlib.metadata")
    metadata.version = _version  # type: ignore[attr-defined]
    hidden = {"charset_normalizer": None, "chardet": None, "importlib.metadata": metadata}
    with _once:
        if "requests" in sys.modules:
            return
        with _replaced(**hidden), warnings.catch_warnings(), suppress(ImportError):
            warnings.simplefilter("ignore")  # requests misses the guesser
            import requests  # noqa: F401


def _version(name: str) -> str:
    from importlib.metadata import version

    return version(name)


@contextmanager
def _replaced(**modules: types.ModuleType | None) -> Iterator[None]:
    """Let an import find these in the place of modules that are not imported yet; None: nothing."""
    ours = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(ours)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]
