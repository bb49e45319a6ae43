"""What makes a cold start quick: helr's two large libraries without what they bring along in vain.

For the moment of their import the modules in `HIDDEN` are missing, or others stand in for them,
which import them when they are used; afterwards anybody may import them. A test
(tests/unit/test_startup.py) fails when one of them no longer pays.

Everything else that a start saves follows from one rule, an import where it is used: what a cold
poll may import is listed in tests/command/test_startup.py, and how much the rule saves is in
docs/decisions/0008-a-quick-start.md.
"""

from __future__ import annotations

import os
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

_once = threading.Lock()  # sys.modules and the filters of warnings belong to all threads


class Hidden(NamedTuple):
    """A module that is left out while `library` is imported. `millis`: what that saves, measured
    with -X importtime on Python 3.11, requests 2.34, urllib3 2.8 and msgspec 0.23."""

    library: str
    module: str
    millis: float
    why: str


HIDDEN = (
    Hidden("msgspec", "platform", 1.9, "uuid asks it for the name of the system only"),
    Hidden("msgspec", "msgspec.inspect", 1.2, "helr does not inspect its types"),
    Hidden("requests", "charset_normalizer", 14.0, "helr reads no response as text"),
    Hidden("requests", "importlib.metadata", 10.0, "urllib3 uses it for HTTP/2 only"),
    Hidden("requests", "zipfile", 3.2, "requests would look for certificates in archives"),
)
if sys.version_info >= (3, 11):  # before, typing lacks what msgspec takes from it
    HIDDEN += (Hidden("msgspec", "typing_extensions", 9.7, "typing has all that is needed"),)


def import_msgspec() -> None:
    """Import msgspec without what is hidden from it."""
    stand_ins = {name: _later(name) for name in ("platform", "msgspec.inspect")}
    stand_ins["platform"].system = lambda: os.uname().sysname  # type: ignore[attr-defined]
    with _replaced("msgspec", stand_ins):
        import msgspec  # noqa: F401


def import_requests() -> None:
    """Import requests without what is hidden from it. Every source's thread may call it.

    A requests that insists on what is hidden is left to be imported as it is.
    """
    metadata = _later("importlib.metadata")
    metadata.version = lambda name: metadata.__getattr__("version")(name)  # type: ignore[attr-defined]
    stand_ins = {"importlib.metadata": metadata, "zipfile": _later("zipfile")}
    with _once:
        if "requests" in sys.modules:
            return
        with _replaced("requests", stand_ins), warnings.catch_warnings(), suppress(ImportError):
            warnings.simplefilter("ignore")  # requests misses charset_normalizer
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
def _replaced(library: str, stand_ins: dict[str, types.ModuleType]) -> Iterator[None]:
    """Let the import of a library find stand-ins, or nothing, in the place of what is hidden from
    it and not imported yet."""
    names = [hidden.module for hidden in HIDDEN if hidden.library == library]
    if "charset_normalizer" in names:
        names.append("chardet")  # which requests would take instead
    ours = {name: stand_ins.get(name) for name in names if name not in sys.modules}
    sys.modules.update(ours)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]
