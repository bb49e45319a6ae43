"""`helr status`: shows each source's last success, its position, and anything blocking it.

For alerts, cron jobs and container probes: it takes no lock, only reads the state, contacts no API
and needs no secret.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import floor
from typing import Any

from helr.errors import UnusableError
from helr.log import printable
from helr.model import Config, Source
from helr.numbers import whole
from helr.state.records import BREAKER, CHAIN, RETRY_AFTER, SUCCESS, TOKENS, read_object
from helr.timestamps import instant, rfc3339


@dataclass(slots=True)
class Status:
    """What the state records about a source; times in Unix seconds.

    `chain`: the open chain's `events`, `newest` and `reached` (how far back it has got).
    `held`: `until` when no request is sent, and the `reason`.
    """

    name: str
    success: float | None
    watermark: str | None
    chain: dict[str, Any] | None
    held: dict[str, Any] | None

    def fresh(self, max_age: float | None, now: float) -> bool:
        """Whether the last success is recent enough; if it is in the future, its age is unknown."""
        return max_age is None or (self.success is not None and 0 <= now - self.success <= max_age)


def run(config: Config, *, max_age: float | None = None, output_format: str = "text") -> int:
    """Print the status. Returns 1 if a source's last success is older than `max_age` seconds.

    Raises StateError if the state cannot be read.
    """
    if max_age is not None and not max_age > 0:
        raise UnusableError(f"--max-age must be more than 0 seconds, not {max_age:g}")
    now = time.time()
    found = read(config, now)
    if not os.path.exists(path := os.path.abspath(config.globals.state.path)):
        print(f"no state in {path}", file=sys.stderr)
    fresh = {status.name: status.fresh(max_age, now) for status in found}
    if output_format == "json":
        sources = [_as_json(status, fresh[status.name], now) for status in found]
        print(json.dumps({"ok": all(fresh.values()), "sources": sources}, indent=2))
    else:
        for status in found:
            print("\n  ".join(map(printable, _as_text(status, fresh[status.name], now))))
    return 0 if all(fresh.values()) else 1


def read(config: Config, now: float) -> list[Status]:
    """The status of every source in the config. Raises UnusableError, StateError."""
    state = config.globals.state
    if state.backend != "sqlite":
        raise UnusableError(
            f"global.state.backend is {state.backend}, which keeps nothing between runs",
            where=config.path,
            do="use sqlite",
        )
    if not os.path.exists(state.path):
        return [_status(source, {}, now) for source in config.sources.values()]
    from helr.state.sqlite import SqliteStore

    store = SqliteStore(state.path, read_only=True)
    try:
        return [
            _status(source, store.load(name).values, now) for name, source in config.sources.items()
        ]
    finally:
        store.close()


def _status(source: Source, values: Mapping[str, str], now: float) -> Status:
    known = source.incremental_from
    return Status(
        source.name,
        _number(values.get(SUCCESS)),
        values.get(known.state_key) if known else None,
        _chain(values),
        _held(values, source, now),
    )


def _chain(values: Mapping[str, str]) -> dict[str, Any] | None:
    if not any(values.get(key) for key in TOKENS):
        return None
    record = read_object(values.get(CHAIN))
    return {
        "events": whole(record.get("events")) or 0,
        "newest": _number(record.get("greatest")),
        "reached": _number(record.get("reached")),
    }


def _held(values: Mapping[str, str], source: Source, now: float) -> dict[str, Any] | None:
    """A Retry-After or an open breaker, whichever lasts longer."""
    from helr.http.circuit_breaker import open_secs
    from helr.http.wait import MOST_SECS, remaining

    circuit = source.resilience.circuit_breaker
    kinds = {RETRY_AFTER: MOST_SECS} | ({BREAKER: open_secs(circuit)} if circuit.enabled else {})
    held: list[dict[str, Any]] = []
    for kind, most in kinds.items():
        record = read_object(values.get(kind))
        left = remaining(record, now, most)
        if left:
            reason = printable(str(record.get("reason", "")))
            held.append({"by": kind, "until": now + left, "reason": reason})
    return max(held, key=lambda each: float(each["until"]), default=None)


def _number(value: Any) -> float | None:
    """A time from the state, or None if the value is not a time."""
    return None if isinstance(value, bool) else instant(value)


def _as_json(status: Status, fresh: bool, now: float) -> dict[str, Any]:
    at = instant(status.watermark)
    chain, held = status.chain, status.held
    return {
        "name": status.name,
        "ok": fresh,
        "last_success": _time(status.success),
        "last_success_age_secs": _age(status.success, now),
        "watermark": status.watermark,
        "watermark_age_secs": _age(at, now),
        "chain": chain
        and {**chain, "newest": _time(chain["newest"]), "reached": _time(chain["reached"])},
        "held": held and {**held, "until": _time(held["until"])},
    }


def _as_text(status: Status, fresh: bool, now: float) -> list[str]:
    ago = (
        "never succeeded"
        if status.success is None
        else f"last success {_when(status.success, now)}"
    )
    ahead = status.success is not None and status.success > now
    stale = ": IN THE FUTURE (the clock was or is wrong)" if ahead else ": TOO OLD"
    lines = [f"{status.name}: {ago}" + ("" if fresh else stale)]
    if status.watermark is not None:
        at = instant(status.watermark)
        lines.append(f"watermark {status.watermark if at is None else _when(at, now)}")
    if status.chain:
        newest, reached = status.chain["newest"], status.chain["reached"]
        begun = f", from {_when(newest, now)}" if newest is not None else ""
        back = f" back to {_when(reached, now)} so far" if reached is not None else ""
        lines.append(f"open chain: {status.chain['events']} events{begun}{back}")
    if status.held:
        lines.append(f"held until {_when(status.held['until'], now)}: {status.held['reason']}")
    return lines


def _time(at: float | None) -> str | None:
    """Without a fraction, which jq's fromdateiso8601 and others do not accept."""
    return None if at is None else rfc3339(floor(at))


def _age(at: float | None, now: float) -> int | None:
    return None if at is None else round(now - at)


def _when(at: float, now: float) -> str:
    """`2018-03-16T15:32:23Z (2 h ago)`"""
    secs = abs(now - at)
    size, unit = next(each for each in _UNITS if secs >= each[0] * 2 or each[0] == 1)
    length = f"{secs / size:.0f} {unit}"
    return f"{rfc3339(floor(at))} ({length + ' ago' if at <= now else 'in ' + length})"


_UNITS = ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"))
