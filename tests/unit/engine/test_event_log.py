"""What the log says of what happens to a source, and at which level."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from helr.engine.event_log import log_event
from helr.engine.events import Delivered, Event, Failed, Polled, Recovered, Summary
from helr.errors import HelrError
from helr.messages import Request
from tests.unit.support import URL, make_source

SOURCE = make_source()
FIRST = Request(URL)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    """The level, text and fields of the lines that an event makes."""

    def said(event: Event, level: int = logging.DEBUG) -> list[tuple[str, str, Any]]:
        caplog.clear()
        with caplog.at_level(level, "helr"):
            log_event(event)
        return [
            (record.levelname, record.getMessage(), getattr(record, "fields", None))
            for record in caplog.records
        ]

    return said


def test_a_poll_is_one_line_with_its_numbers(said: Any) -> None:
    done = Summary(pages=2, events=300, delivered=250)
    fields = {"events": 300, "delivered": 250}
    text = "2 pages, 300 events, 250 delivered in 1.50 s"
    assert said(Polled(SOURCE, done, 1.5)) == [("INFO", text, fields)]


def test_one_that_delivered_nothing_is_for_those_who_look_closely(said: Any) -> None:
    [(level, text, _)] = said(Polled(SOURCE, Summary(pages=1), 0.25))
    assert (level, text) == ("DEBUG", "1 page, 0 events, 0 delivered in 0.25 s")
    assert said(Polled(SOURCE, Summary(pages=1), 0.25), logging.INFO) == []


def test_of_a_one_shot_run_that_delivered_nothing_the_reason_is_said(said: Any) -> None:
    again = Summary(pages=1, events=2, more=True)
    [(_, text, _)] = said(Polled(SOURCE, again, 1, FIRST), logging.INFO)
    assert text == "1 page, 2 events, none of them new; more in the next poll"
    [(_, text, _)] = said(Polled(SOURCE, Summary(pages=1), 1, FIRST), logging.INFO)
    assert text.startswith("no events: ")
    assert said(Polled(SOURCE, Summary(pages=1), 1, FIRST), logging.WARNING) == []


def test_a_poll_that_asked_nothing_gives_no_reason(said: Any) -> None:
    assert said(Polled(SOURCE, Summary(), 1, FIRST), logging.INFO) == []


def test_a_delivered_page_is_not_a_line(said: Any) -> None:
    assert said(Delivered(SOURCE, Summary(pages=1, events=5, delivered=5))) == []


def test_a_failure_is_its_own_line(said: Any) -> None:
    [(level, text, _)] = said(Failed(SOURCE, HelrError("it broke", do="mend it", source="s")))
    assert (level, text) == ("ERROR", "it broke; mend it")


def test_what_the_machine_lacks_is_said_in_its_place(said: Any) -> None:
    [(level, text, _)] = said(Failed(SOURCE, MemoryError()))
    assert level == "ERROR"
    assert text.startswith("not enough memory; ")


def test_a_defect_comes_with_its_traceback(said: Any, caplog: pytest.LogCaptureFixture) -> None:
    [(level, text, _)] = said(Failed(SOURCE, KeyError("x")))
    assert (level, text) == ("ERROR", "internal error, please report it: KeyError('x')")
    assert caplog.records[0].exc_info is not None


def test_a_source_that_works_again_says_so(said: Any) -> None:
    fields = {"failures": 3, "failing_secs": 90.123}
    [(level, text, found)] = said(Recovered(SOURCE, 3, 90.1234))
    assert (level, found) == ("INFO", fields)
    assert text.startswith("works again after 3 failed polls in ")
