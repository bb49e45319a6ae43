"""`helr validate`: lists everything wrong with a config, or summarizes what it collects.

Uses nothing but the file system. Problems and warnings go to standard error, the summary to
standard output; with `--format json` everything is one JSON document there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from helr.config import ConfigError, Problem
from helr.config.load import examine
from helr.config.warnings import calls_per_minute, page_size
from helr.log import counted, printable
from helr.model import Config, Source
from helr.urls import safe_url


def run(config_path: str, *, output_format: str = "text", sources: Sequence[str] = ()) -> int:
    """Check the file. Returns 0, or 2 when it cannot be used."""
    try:
        config, warnings = examine(config_path, sources=sources)
    except ConfigError as error:
        if output_format == "json":
            _write_json(_report(error.problems))
        else:
            sys.stderr.write(f"{error}\n{counted(len(error.problems), 'problem')}\n")
        return error.exit_status
    if output_format == "json":
        _write_json({**_report([], warnings), **_summary(config)})
        return 0
    for line in (*config.notices, *(warning.line_of("warning") for warning in warnings)):
        sys.stderr.write(printable(line) + "\n")
    sys.stdout.write("\n".join(map(printable, _lines(config))) + "\n")
    return 0


def dry_run(config_path: str, command: str, sources: Sequence[str]) -> int:
    """The same check for `--dry-run` of another command, with nothing on standard output."""
    config, warnings = examine(config_path, sources=sources)
    for line in (*config.notices, *(warning.line_of("warning") for warning in warnings)):
        sys.stderr.write(printable(line) + "\n")
    sys.stderr.write(
        f"{config.path}: valid, {counted(len(config.sources), 'source')}; dry run of `helr "
        f"{command}`, nothing done (`helr validate` shows what would be collected)\n"
    )
    return 0


def _report(problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> dict[str, Any]:
    return {
        "valid": not problems,
        "problems": [_as_json(problem) for problem in problems],
        "warnings": [_as_json(warning) for warning in warnings],
    }


def _as_json(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": printable(problem.message),
    }


def _write_json(report: dict[str, Any]) -> None:
    import json

    sys.stdout.write(json.dumps(report, indent=2) + "\n")


def _summary(config: Config) -> dict[str, Any]:
    sources = [
        {
            "name": source.name,
            "url": safe_url(source.url),
            "interval_secs": source.schedule.interval_secs,
            "jitter_secs": source.schedule.jitter_secs,
            "max_pages": _pages(source),
            "page_size": page_size(source),
            "calls_per_minute": calls_per_minute(source),
            "incremental": source.incremental_from is not None,
            "dedupe_capacity": source.dedupe.capacity if source.dedupe else None,
        }
        for source in config.sources.values()
    ]
    return {"notices": list(config.notices), "sources": sources}


def _pages(source: Source) -> int:
    return source.pagination.max_pages if source.pagination.strategy != "none" else 1


def _lines(config: Config) -> Iterator[str]:
    yield f"{config.path}: valid, {counted(len(config.sources), 'source')}"
    for source in config.sources.values():
        yield f"{source.name}: GET {safe_url(source.url)}"
        yield f"  {_how_often(source)}"
        yield f"  {_from_where(source)}"
        yield f"  {_limits(source)}"
    state = config.globals.state
    place = state.path if state.backend == "sqlite" else "none (memory backend)"
    yield f"state: {place}; settle time {config.globals.settle_secs:g} s"


def _how_often(source: Source) -> str:
    schedule, size = source.schedule, page_size(source)
    jitter = f" plus up to {schedule.jitter_secs:g} s" if schedule.jitter_secs else ""
    events = f" of {counted(size, 'event')}" if size else ""
    return (
        f"every {schedule.interval_secs:g} s{jitter}, at most "
        f"{counted(_pages(source), 'page')}{events} per poll"
    )


def _from_where(source: Source) -> str:
    known = source.incremental_from
    begins = "the first page every time"
    if known:
        start = {**source.query_params, **source.first_request_query_params}.get(known.param_name)
        first = f"{known.param_name}={start}" if start else "all events"
        begins = f"the newest event so far ({known.event_timestamp_path}), initially {first}"
    ids = f"{source.dedupe.capacity} ids remembered" if source.dedupe else "no ids remembered"
    return f"starts at {begins}; {ids}"


def _limits(source: Source) -> str:
    rules = source.resilience
    tries = counted(rules.retries.max_attempts, "attempt")
    pause = f", {rules.rate_limit.page_delay_secs:g} s between pages"
    return (
        f"{rules.timeouts.request_secs:g} s and {tries} per request"
        f"{pause if rules.rate_limit.page_delay_secs else ''}; "
        f"at most {counted(calls_per_minute(source), 'call')} a minute"
    )
