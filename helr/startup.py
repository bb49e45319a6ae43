"""helr's two large libraries, imported without what they would bring along and never use here.

More than a tenth of a cold start went into modules that helr's use of msgspec and requests never
needs. For the moment of their import these are missing, or others stand in for them, which import
them when they are asked for something; afterwards anybody may import them.
"""

from __future__ import annotations

import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_once = threading.Lock()  # sys.modules and the filters of warnings belong to all threads


def import_msgspec() -> None:
    """Without typing_extensions: since Python 3.11 typing has all that it is asked for. Without
    its own inspect, and without platform, which uuid asks for the system's name."""
    others = {name: _later(name) for name in ("platform", "msgspec.inspect")}
    others["platform"].system = lambda: os.uname().sysname  # type: ignore[attr-defined]
    new = {"typing_extensions": None} if sys.version_info >= (3, 11) else {}
    with _replaced(**others, **new):
        import msgspec  # noqa: F401


def import_requests() -> None:
    """Without a guesser of encodings, since no answer is read as text, without importlib.metadata,
    which urllib3 wants for HTTP/2 alone, and without zipfile, in which requests would look for
    certificates. Every source's thread may call it.

    A requests that insists on what is hidden is left to be imported as it is.
    """
    metadata = _later("importlib.metadata")
    metadata.version = lambda name: metadata.__getattr__("version")(name)  # type: ignore[attr-defined]
    others = {"importlib.metadata": metadata, "zipfile": _later("zipfile")}
    with _once:
        if "requests" in sys.modules:
            return
        with (
            _replaced(charset_normalizer=None, chardet=None, **others),
            warnings.catch_warnings(),
            suppress(ImportError),
        ):
            warnings.simplefilter("ignore")  # requests misses the guesser
            import requests  # noqa: F401


def _later(name: str) -> types.ModuleType:
    """A stand-in for a module, which imports it when it is asked for something: not before the
    stand-in has left sys.modules."""
    module = types.ModuleType(name)

    def get(attribute: str) -> object:
        if attribute.startswith("__"):  # the import's own questions
            raise AttributeError(attribute)
        import importlib

        return getattr(importlib.import_module(name), attribute)

    module.__getattr__ = get  # type: ignore[method-assign]
    return module


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
