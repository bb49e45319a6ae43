"""The log: one event a line, for people or machines, and no secret in any form."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote, quote_plus

import pytest

from helr import log
from helr.errors import PollError

SECRET = 'xoxp-PLANTED/"\\ü&<+=%42'


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    """Every test starts without secrets, and leaves logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger("helr")
    before = (root.level, ours.level, list(root.handlers), sys.excepthook, threading.excepthook)
    root.handlers.clear()
    yield
    root.setLevel(before[0])
    ours.setLevel(before[1])
    root.handlers[:] = before[2]
    sys.excepthook, threading.excepthook = before[3:]


def lines(fmt: str, level: str = "trace", **options: str) -> io.StringIO:
    stream = io.StringIO()
    log.setup(level, fmt, stream=stream, **options)
    return stream


def test_pretty_is_for_people() -> None:
    out = lines("pretty")
    log.for_source("okta").warning("slow: %d s", 3)
    error = PollError("refused", where="https://x", do="ask again", source="okta")
    log.for_source("okta").failure(error)
    head, _, text = out.getvalue().splitlines()[0].partition(" ")
    assert head.endswith("Z")
    assert text == "WARN  okta: slow: 3 s"
    assert out.getvalue().splitlines()[1].endswith(" ERROR okta: https://x: refused; ask again")


def test_json_is_for_machines() -> None:
    out = lines("json", label_key="service", label_value="mine")
    log.for_source("okta", "service", "prod-okta").info("waiting", fields={"wait_secs": 2.5})
    logging.getLogger("helr").info("started")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert list(first) == ["ts", "level", "msg", "service", "source", "wait_secs"]
    assert first | {"ts": ""} == {
        "ts": "",
        "level": "info",
        "msg": "waiting",
        "service": "prod-okta",
        "source": "okta",
        "wait_secs": 2.5,
    }
    assert second["service"] == "mine"


def test_a_failure_shows_its_parts_too() -> None:
    out = lines("json")
    error = PollError("refused", where="https://x", do="ask again", source="okta")
    log.for_source("okta").failure(error)
    line = json.loads(out.getvalue())
    assert line["msg"] == "https://x: refused; ask again"
    found = {key: line[key] for key in ("source", "what", "where", "do")}
    assert found == {"source": "okta", "what": "refused", "where": "https://x", "do": "ask again"}


def test_a_line_names_the_source_whatever_its_label() -> None:
    out = lines("pretty")
    log.for_source("okta", "team", "security").info("slow")
    assert out.getvalue().endswith(" INFO  okta: slow\n")
    out = lines("json")
    log.for_source("okta", "source", "security").info("slow")
    log.for_source("okta", "source", "okta").info("slow")
    log.for_source("", "", "").info("stopped")
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["source"], line.get("source_name")) for line in found] == [
        ("security", "okta"),
        ("okta", None),
        ("helr", None),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h 0 min"), (180_000, "2 d 2 h")],
)
def test_how_long_something_lasted(seconds: float, text: str) -> None:
    assert log.lasting(seconds) == text


@pytest.mark.parametrize("fmt", ["pretty", "json"])
def test_one_event_a_line_whatever_is_in_it(fmt: str) -> None:
    out = lines(fmt)
    log.for_source("s").info("a\nb\r\u2028c\x1b[31m\x00\x85d")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        log.for_source("s").exception("bug")
    assert len(out.getvalue().splitlines()) == 2
    assert "\x1b" not in out.getvalue()
    assert "two" in out.getvalue()


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("trace", "trace debug info warn error"),
        ("debug", "debug info warn error"),
        ("info", "info warn error"),
        ("warn", "warn error"),
        ("error", "error"),
    ],
)
def test_levels(level: str, shown: str) -> None:
    out = lines("json", level)
    it = log.for_source("s")
    it.log(log.TRACE, "trace")
    it.debug("debug")
    it.info("info")
    it.warning("warn")
    it.error("error")
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    assert " ".join(line["msg"] for line in found) == shown
    assert all(line["msg"] == line["level"] for line in found)


def test_headers_that_urllib3_cannot_read_are_never_shown() -> None:
    for level in log.LEVELS:
        out = lines("pretty", level)
        logging.getLogger("urllib3.connection").warning("Failed to parse: Set-Cookie: planted")
        assert not out.getvalue()


def test_libraries_speak_at_trace_only() -> None:
    for level, count in (("trace", 1), ("debug", 0)):
        out = lines("json", level)
        logging.getLogger("urllib3.connectionpool").debug("GET /x")
        assert len(out.getvalue().splitlines()) == count


def test_colour_only_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for stream, no_color, coloured in (
        (Terminal(), "", True),
        (Terminal(), "1", False),
        (io.StringIO(), "", False),
    ):
        monkeypatch.setenv("NO_COLOR", no_color)
        log.setup("info", "pretty", stream=stream)
        log.for_source("s").info("x")
        assert ("\x1b[" in stream.getvalue()) == coloured


def forms(secret: str) -> dict[str, str]:
    return {
        "plain": secret,
        "json": json.dumps({"t": secret}),
        "json, not ascii": json.dumps({"t": secret}, ensure_ascii=False),
        "json in json": json.dumps(json.dumps({"t": secret})),
        "json with escaped slashes": json.dumps({"t": secret}).replace("/", "\\/"),
        "repr": repr({"t": secret}),
        "url": "https://x/?t=" + quote(secret, safe=""),
        "url path": "https://x/" + quote(secret),
        "form": "t=" + quote_plus(secret),
        "url in lower case": "t=" + quote(secret, safe="").replace("%2F", "%2f"),
        "html": html.escape(secret, quote=False),
        "base64": base64.b64encode(secret.encode()).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(secret.encode()).decode(),
        "login": base64.b64encode(f"me:{secret}".encode()).decode(),
        "longer login": base64.b64encode(f"bob:{secret}:x".encode()).decode(),
    }


@pytest.mark.parametrize("level", sorted(log.LEVELS))
@pytest.mark.parametrize("fmt", ["pretty", "json"])
def test_no_planted_secret_passes_in_any_form(fmt: str, level: str) -> None:
    log.secret(SECRET)
    out = lines(fmt, level)
    it = log.for_source("s", "source", f"label {SECRET}")
    for form in forms(SECRET).values():
        for say in (partial(it.log, log.TRACE), it.debug, it.info, it.warning, it.error):
            say("said %s", form, fields={"field": form, "list": [SECRET]})
        logging.getLogger("urllib3.connectionpool").debug('"GET /?t=%s"', form)
        logging.getLogger("other").error(form)
        try:
            raise RuntimeError(form) from ValueError(form)
        except RuntimeError:
            it.exception("it failed")
    text = out.getvalue()
    assert "***" in text
    assert "PLANTED" not in text
    for name, form in forms("PLANTED").items():
        if name.startswith("base64"):
            assert form.rstrip("=")[:-1] not in text


def test_uncaught_exceptions_are_one_redacted_line() -> None:
    log.secret(SECRET)
    out = lines("pretty")
    try:
        raise KeyError(SECRET)
    except KeyError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=lambda: int(SECRET))
    thread.start()
    thread.join()
    assert len(out.getvalue().splitlines()) == 2
    assert "internal error" in out.getvalue()
    assert "PLANTED" not in out.getvalue()


def test_an_excerpt_is_redacted_before_it_is_cut() -> None:
    log.secret("xoxp-PLANTED-PLANTED")
    assert log.excerpt("token xoxp-PLANTED-PLANTED is bad", 12) == "token *** is…"
    assert log.excerpt("a\nb") == "a\\nb"


def test_empty_secrets_hide_nothing() -> None:
    log.secret("")
    assert log.redact("text") == "text"


def test_a_log_that_cannot_be_written_disturbs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    log.setup("info", "pretty", stream=Gone())
    log.for_source("s").info("x")
    logging.getLogger().handlers.clear()  # pytest's own would raise
    log.setup("info", "pretty", stream=io.StringIO())
    log.for_source("s").info("%d", "no number")
    assert capsys.readouterr() == ("", "")


def test_it_is_cheap_to_set_up() -> None:
    """Nothing but the standard library, and of that nothing heavy."""
    code = (
        "import sys, helr.log; helr.log.setup('info', 'json');"
        "sys.exit(any(m in sys.modules for m in ('requests', 'logging.config', 'typing_extensions',"
        " 'dataclasses', 'inspect', 'socket', 'email')))"
    )
    plain = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    assert subprocess.run([sys.executable, "-c", code], env=plain, check=False).returncode == 0
