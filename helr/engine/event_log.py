"""What happens to a source, as log lines."""

from __future__ import annotations

import logging

from helr import shortages
from helr.engine.events import Event, Failed, Polled, Recovered
from helr.errors import HelrError
from helr.log import Log, counted, for_source, lasting


def log_event(event: Event) -> None:
    """An observer that writes to the source's log."""
    source = event.source
    log = for_source(source.name, source.label_key, source.label_value)
    if isinstance(event, Polled):
        _polled(log, event)
    elif isinstance(event, Failed):
        log_failure(log, event.error)
    elif isinstance(event, Recovered):
        log.info(
            "works again after %s in %s",
            counted(event.failures, "failed poll"),
            lasting(event.secs),
            fields={"failures": event.failures, "failing_secs": round(event.secs, 3)},
        )


def log_failure(log: Log, error: Exception) -> None:
    """Log what failed, or what the machine lacks; a defect of helr with its traceback."""
    lacking = "" if isinstance(error, HelrError) else shortages.advice(error)
    if isinstance(error, HelrError):
        log.failure(error)
    elif lacking:
        log.error("%s", lacking)
    else:
        log.error("internal error, please report it: %r", error, exc_info=error)


def _polled(log: Log, event: Polled) -> None:
    summary = event.summary
    say = log.info if summary.delivered else log.debug
    say(
        "%s, %s, %d delivered in %.2f s%s",
        counted(summary.pages, "page"),
        counted(summary.events, "event"),
        summary.delivered,
        event.secs,
        "; more in the next poll" if summary.more else "",
        fields={"events": summary.events, "delivered": summary.delivered},
    )
    if event.request and summary.pages and not summary.delivered and log.isEnabledFor(logging.INFO):
        _nothing_new(log, event)


def _nothing_new(log: Log, event: Polled) -> None:
    """Explain why a one-shot run delivered nothing."""
    summary = event.summary
    if summary.events:
        pages, events = counted(summary.pages, "page"), counted(summary.events, "event")
        more = "; more in the next poll" if summary.more else ""
        log.info("%s, %s, none of them new%s", pages, events, more)
        return
    from helr.vendors import hints

    assert event.request
    log.info("no events: %s", hints.no_events(event.source, event.request))
