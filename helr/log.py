"""The log: one event a line on standard error, for people or machines, without secrets.

Every text passes through `redact` last, whatever wrote it: helr, a library, a traceback.
Standard `logging` underneath; helr's own lines go through `for_source`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from helr.errors import HelrError
from helr.log_writer import LineWriter
from helr.secrets import HIDDEN, excerpt, printable, redact, secret, shown

__all__ = ["HIDDEN", "excerpt", "printable", "redact", "secret"]

TRACE = 5
LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}

_COLOURS = {"trace": "2", "debug": "2", "info": "32", "warn": "33", "error": "31"}


def counted(number: int, what: str) -> str:
    """`1 page`, `2 pages`"""
    return f"{number} {what}" + ("" if number == 1 else "s")


def lasting(seconds: float) -> str:
    """`40 s`, `5 min`, `3 h 20 min`, `2 d 4 h`"""
    hours, minutes = divmod(int(seconds) // 60, 60)
    if seconds < 60:
        return f"{seconds:.3g} s"
    if hours < 1:
        return f"{minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


if TYPE_CHECKING:
    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter  # not subscriptable before Python 3.11


class Log(Adapter):
    """Log lines that carry a label; `fields={…}` adds members to a JSON line."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        fields = kwargs.pop("fields", None)
        kwargs["extra"] = {**(self.extra or {}), "fields": fields}
        return msg, kwargs

    def failure(self, error: HelrError) -> None:
        """A failure, with its parts as members of a JSON line."""
        parts = {"what": error.what, "where": error.where, "do": error.do}
        fields = {name: text for name, text in parts.items() if text}
        self.error("%s", error.text, fields=fields)


def for_source(name: str, label_key: str = "", label_value: str = "") -> Log:
    """The log of one source; the label defaults to `source` and its name."""
    extra = {"name_": name, "label_key": label_key, "label_value": label_value or name}
    return Log(logging.getLogger("helr"), extra)


def setup(
    level: str,
    fmt: str,
    *,
    label_key: str = "source",
    label_value: str = "helr",
    stream: TextIO | None = None,
) -> None:
    """Send the log to `stream` (standard error). `level`: a key of LEVELS; `fmt`: pretty | json.

    At `trace` the libraries' own lines are shown too. May be called again.
    """
    target = sys.stderr if stream is None else stream
    formatter = _Json(label_key, label_value) if fmt == "json" else _Pretty(_wants_colour(target))
    number = LEVELS[level]
    for value, name in ((TRACE, "trace"), (logging.WARNING, "warn")):
        logging.addLevelName(value, name)
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(_Handler(target, formatter))
    root.setLevel(number if number <= TRACE else max(number, logging.WARNING))
    logging.getLogger("helr").setLevel(number)
    # It would show headers of an answer, cookies among them, that it could not read.
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
    # What no line shows need not be found out for each (Python's Logging HOWTO, "Optimization").
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    sys.excepthook = _unexpected
    threading.excepthook = lambda a: _unexpected(
        a.exc_type, a.exc_value or a.exc_type(), a.exc_traceback
    )


def last_word(text: str) -> None:
    """Say why helr ends: in the log, or as it is on standard error before the log is set up."""
    _say(logging.ERROR, text)


def defect(error: Exception) -> None:
    """Tell a defect of helr, with its traceback, in one line."""
    import traceback

    trace = printable("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    _say(logging.ERROR, f"internal error, please report it: {type(error).__name__}: {trace}")


def note(text: str) -> None:
    """A warning in the log; before it is set up, as it is on standard error."""
    _say(logging.WARNING, text)


def _say(level: int, text: str) -> None:
    if any(isinstance(handler, _Handler) for handler in logging.getLogger().handlers):
        logging.getLogger("helr").log(level, "%s", text)
        return
    with suppress(OSError, ValueError, AttributeError):
        writer = _writer(sys.stderr)
        writer.write(printable(text) + "\n")
        writer.close()


class _Unbound:
    """A stream without a descriptor: the live line, or a test's."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()

    def close(self) -> None:
        """The stream is not ours."""


def _writer(stream: TextIO, notice: Callable[[int], str] = str) -> LineWriter | _Unbound:
    """What writes lines there, and waits for nobody where the stream has a descriptor."""
    try:
        return LineWriter(stream, notice)
    except (OSError, ValueError, AttributeError):
        return _Unbound(stream)


def _wants_colour(stream: TextIO) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:
        return False


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A bug: its traceback, without secrets, as one log event."""
    if issubclass(kind, (KeyboardInterrupt, SystemExit)):
        return
    logging.getLogger("helr").error(
        "internal error, please report it: %s: %s", kind.__name__, error, exc_info=error
    )


class _Handler(logging.Handler):
    """Writes whole lines; a log that cannot be written never disturbs the work."""

    def __init__(self, stream: TextIO, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer = _writer(stream, self._dropped)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._writer.write(self.format(record) + "\n")
        except (OSError, ValueError):
            return  # standard error is closed or full
        except Exception:  # noqa: BLE001 - a bad log call must not end a poll, nor print secrets
            return

    def close(self) -> None:
        self._writer.close()
        super().close()

    def _dropped(self, number: int) -> str:
        """The line about log lines that could not be written, now that one can."""
        text = f"standard error was not read: {counted(number, 'log line')} dropped"
        record = logging.LogRecord("helr", logging.WARNING, "", 0, text, None, None)
        record.fields = {"dropped": number}
        return self.format(record) + "\n"


class _Pretty(logging.Formatter):
    """`2026-01-02T03:04:05Z INFO  slack-audit: message`"""

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        level, text = _level(record), _message(record)
        name = getattr(record, "name_", "")
        if name:
            text = f"{name}: {text}"
        trace = _trace(record)
        shown = printable(f"{text} {trace}" if trace else text)
        head = f"{level.upper():5}"
        if self._colour:
            head = f"\x1b[{_COLOURS.get(level, '0')}m{head}\x1b[0m"
        return f"{_time(record, millis=False)} {head} {shown}"


class _Json(logging.Formatter):
    """`{"ts":…,"level":…,"msg":…,LABEL:…,"source":…, fields…}`; the label's key may be `source`,
    and the source is in `source_name` when its value is another."""

    def __init__(self, label_key: str, label_value: str) -> None:
        super().__init__()
        self._label = (label_key, label_value)

    def format(self, record: logging.LogRecord) -> str:
        key = getattr(record, "label_key", "") or self._label[0]
        line: dict[str, Any] = {
            "ts": _time(record, millis=True),
            "level": _level(record),
            "msg": shown(_message(record)),
            key: redact(getattr(record, "label_value", "") or self._label[1]),
        }
        name = redact(getattr(record, "name_", ""))
        if name and line.setdefault("source", name) != name:
            line["source_name"] = name
        fields: Mapping[str, Any] = getattr(record, "fields", None) or {}
        for name, value in fields.items():
            plain = value is None or isinstance(value, (bool, int, float))
            line.setdefault(name, value if plain else shown(str(value)))
        if trace := _trace(record):
            line["trace"] = shown(trace)
        return json.dumps(line, separators=(",", ":"))


def _level(record: logging.LogRecord) -> str:
    number = record.levelno
    return next((name for name, n in reversed(LEVELS.items()) if number >= n), "trace")


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except (TypeError, ValueError):
        text = f"{record.msg} {record.args}"
    return text if record.name.startswith("helr") else f"{record.name}: {text}"


def _trace(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    return logging.Formatter().formatException(record.exc_info)


def _time(record: logging.LogRecord, *, millis: bool) -> str:
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{text}.{int(record.msecs):03d}Z" if millis else f"{text}Z"
