"""Each setting matters: without it, what docs/shippers says is lost is lost, or comes twice."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.shippers.rig import SETTLE, Feed, Outcome, Rig, long_line
from tests.shippers.shipped import SHIPPERS, Changes, OtelcolBatching, Shipper

MEMORY = ("    storage.type      filesystem", "    storage.type      memory")
NO_SETTLE = ("HELR_SETTLE_SECS=5", "HELR_SETTLE_SECS=0")
VECTOR_MEMORY = ("      type: disk\n      max_size: 268435488\n", "      type: memory\n")
# From reading to storing, Fluent Bit takes up to a quarter of a second; here, two.
SLOW_STORE = {"FLB_DEV_RB_MS": "2000"}
NO_DISK_BUFFER = (
    '        disk-buffer(reliable(yes) dir("`helr-data`") disk-buf-size(1073741824) '
    "mem-buf-size(104857600))",
    "",
)


def plain(
    home: Path, *, shipper: str, changes: Changes = (), source: str = "run", size: int
) -> Outcome:
    """300 events, and one with a line of that size."""
    with Rig(SHIPPERS[shipper], home, source=source, changes=changes) as rig:
        rig.mock.add_events(events=[long_line(1, size, int(time.time()))])
        rig.start()
        rig.wait(lambda: len(rig.delivered()) >= 300, 30, "the delivery of the short ones")
        return rig.outcome(3)


def large(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """Fifty lines of half a megabyte, all there when the shipper starts."""
    with Rig(SHIPPERS[shipper], home, source="file", events=0, changes=changes) as rig:
        now = int(time.time())
        rig.mock.add_events(events=[long_line(number, 500_000, now) for number in range(50)])
        rig.start_writer()
        rig.wait(lambda: len(rig.written()) == 50, 20, "the writing")
        rig.start()
        return rig.outcome(15)


def alike(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """Rotated files whose first lines begin alike, for some thousand bytes."""
    writer = ["--output-rotate", "size:0.1"]
    rig = Rig(SHIPPERS[shipper], home, source="file", events=0, changes=changes, writer=writer)
    with rig:
        rig.start()
        now, text = int(time.time()), "x" * 4000
        for number in range(4):
            events = [
                f'{{"text":"{text}","id":"{number}-{n}","date_create":{now + number}}}'
                for n in range(30)
            ]
            rig.mock.add_events(events=events)
            rig.wait(lambda: set(rig.mock.ids()) <= rig.written(), 10, "the writing")
            rig.wait(lambda: set(rig.mock.ids()) <= rig.delivered(), 3)
        assert len(list((home / ".mock").glob("events.ndjson.*"))) >= 2
        return rig.outcome(3)


def deep(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """300 events, and one that is nested deep."""
    with Rig(SHIPPERS[shipper], home, changes=changes) as rig:
        nested = "[" * 200 + "]" * 200
        rig.mock.add_events(events=[f'{{"id":"deep","date_create":1700000000,"x":{nested}}}'])
        rig.start()
        rig.wait(lambda: len(rig.delivered()) >= 300, 30, "the delivery of the others")
        return rig.outcome(3)


def outage(home: Path, *, shipper: str, changes: Changes = (), source: str = "run") -> Outcome:
    """The destination is down, for longer than helr waits; the shipper is killed meanwhile."""
    sink = SHIPPERS[shipper].network
    with Rig(SHIPPERS[shipper], home, source=source, sink=sink, changes=changes) as rig:
        rig.sink.down()
        rig.start()
        rig.wait(lambda: len(rig.mock.requests) > 1, 20, "a poll")
        with Feed(rig.mock):
            time.sleep(SETTLE + 2)
            rig.interrupt("shipper", signal.SIGKILL)
        rig.sink.up()
        return rig.outcome(6)


def stopped(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """The destination goes away, and the shipper is stopped while it retries what it had."""
    sink = SHIPPERS[shipper].network
    with Rig(SHIPPERS[shipper], home, source="file", sink=sink, changes=changes) as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 20, "the first delivery")
        rig.sink.down()
        with Feed(rig.mock):
            time.sleep(3)
            rig.interrupt("shipper", signal.SIGTERM)
        rig.sink.up()
        return rig.outcome(6)


def patience(
    home: Path,
    *,
    shipper: str,
    changes: Changes = (),
    source: str = "run",
    events: int = 300,
) -> Outcome:
    """The destination is down for a while, and nothing else happens."""
    sink = SHIPPERS[shipper].network
    with Rig(
        SHIPPERS[shipper], home, source=source, sink=sink, changes=changes, events=events
    ) as rig:
        rig.sink.down()
        rig.start()
        rig.wait(lambda: len(rig.mock.requests) > 1, 20, "a poll")
        time.sleep(8)
        rig.sink.up()
        return rig.outcome(5)


def killed(
    home: Path, *, shipper: str, changes: Changes = (), env: dict[str, str] | None = None
) -> Outcome:
    """The shipper is killed a moment after it has read events."""
    sink, rng = SHIPPERS[shipper].network, random.Random(1)
    with Rig(SHIPPERS[shipper], home, sink=sink, changes=changes, env=env) as rig:
        rig.start()
        for _ in range(4):
            rig.wait(lambda: set(rig.mock.ids()) <= rig.delivered(), 5)
            rig.mock.add_events(20)
            asked = len(rig.mock.requests)
            rig.wait(lambda asked=asked: len(rig.mock.requests) > asked, 10, "a poll")
            time.sleep(rng.uniform(0.1, 0.3))
            rig.interrupt("shipper", signal.SIGKILL)
        return rig.outcome(6)


def restarted(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """The shipper is killed when it has delivered everything, and starts again."""
    with Rig(SHIPPERS[shipper], home, source="file", changes=changes) as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 20, "the first delivery")
        time.sleep(1)  # noted, what was delivered
        rig.interrupt("shipper", signal.SIGKILL)
        rig.mock.add_events(10)
        rig.outcome(10)
        return rig.outcome(0)


def caught(home: Path, *, shipper: Shipper) -> Outcome:
    """The collector is killed at once whenever it has noted how far it has read."""
    with Rig(shipper, home, source="file") as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 20, "the first delivery")
        (offsets,) = (home / ".mock/otelcol").glob("receiver_*")
        for _ in range(6):
            time.sleep(0.5)
            noted = offsets.stat().st_mtime_ns
            rig.mock.add_events(10)
            rig.wait(lambda noted=noted: offsets.stat().st_mtime_ns > noted, 10, "a note")
            rig.interrupt("shipper", signal.SIGKILL)
        return rig.outcome(5)


def hasty(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """Runs that are killed before they could settle."""
    with Rig(SHIPPERS[shipper], home, source="once", changes=changes) as rig:
        rig.start()
        rig.wait(lambda: len(rig.lines()) >= 900, 20, "the third delivery of the same")
        return rig.outcome(0)


def renamed(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """A rotated file, and a shipper that starts again."""
    writer = ["--output-rotate", "size:0.1"]
    rig = Rig(SHIPPERS[shipper], home, source="file", changes=changes, writer=writer)
    with rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 20, "the first delivery")
        rig.mock.add_events(10)
        rig.outcome(10)
        rig.interrupt("shipper", signal.SIGTERM)
        rig.wait(lambda: len(rig.lines()) > 310, 10)
        return rig.outcome(0)


def unread(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """What has come while helr runs, four seconds after its first poll."""
    with Rig(SHIPPERS[shipper], home, changes=changes) as rig:
        rig.start()
        rig.wait(lambda: len(rig.mock.requests) > 1, 20, "a poll")
        return rig.outcome(4)


def alone(home: Path, *, shipper: str, changes: Changes = ()) -> Outcome:
    """helr ended, and then events come."""
    with Rig(SHIPPERS[shipper], home, changes=changes) as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 20, "the first delivery")
        rig.kill_helr(signal.SIGKILL)
        rig.mock.add_events(10)
        return rig.outcome(4)


def stopping(home: Path, *, shipper: str, changes: Changes = ()) -> float:
    """How many seconds the shipper takes to stop."""
    with Rig(SHIPPERS[shipper], home, changes=changes) as rig:
        rig.start()
        rig.wait(lambda: len(rig.delivered()) == 300, 20, "the first delivery")
        began = time.monotonic()
        rig.stop(signal.SIGTERM)
        return time.monotonic() - began


Case = tuple[Callable[[Path], Any], Callable[[Any], bool]]

# What is changed, and what comes of it.
CASES: dict[str, Case] = {
    "fluent-bit short Buf_Size": (
        partial(
            plain,
            shipper="fluent-bit",
            size=5_000,
            changes=[("    Buf_Size          1048576\n", "")],
        ),
        lambda found: found.lost == 1 and found.unparsed > 0,
    ),
    "fluent-bit not threaded": (
        partial(unread, shipper="fluent-bit", changes=[("    Threaded          true\n", "")]),
        lambda found: found.lost == found.events,
    ),
    "fluent-bit Oneshot": (
        partial(
            alone, shipper="fluent-bit", changes=[("Interval_Sec      0", "Oneshot           true")]
        ),
        lambda found: found.lost == 10,
    ),
    "fluent-bit Parser in the input": (
        partial(
            deep,
            shipper="fluent-bit",
            changes=[("Interval_Sec      0", "Interval_Sec      0\n    Parser            helr")],
        ),
        lambda found: found.lost == 1 and found.unparsed == 0,
    ),
    "fluent-bit memory storage, outage": (
        partial(outage, shipper="fluent-bit", changes=[MEMORY]),
        lambda found: found.lost >= 300,
    ),
    "fluent-bit Mem_Buf_Limit": (
        partial(
            patience,
            shipper="fluent-bit",
            events=3000,
            changes=[
                ("    storage.type      filesystem", "    Mem_Buf_Limit     50K"),
                ("    thread.ring_buffer.capacity 65536\n", ""),
            ],
        ),
        lambda found: found.lost > 0,
    ),
    "fluent-bit Retry_Limit": (
        partial(
            patience, shipper="fluent-bit", changes=[("    Retry_Limit       no_limits\n", "")]
        ),
        lambda found: found.lost == found.events,
    ),
    "fluent-bit no settle": (
        partial(killed, shipper="fluent-bit", changes=[NO_SETTLE], env=SLOW_STORE),
        lambda found: found.lost > 0,
    ),
    "fluent-bit settle": (
        partial(killed, shipper="fluent-bit", env=SLOW_STORE),
        lambda found: found.lost == 0,
    ),
    "fluent-bit memory storage, no settle": (
        partial(killed, shipper="fluent-bit", changes=[MEMORY, NO_SETTLE]),
        lambda found: found.lost > 0,
    ),
    "fluent-bit memory storage, settle": (
        partial(killed, shipper="fluent-bit", changes=[MEMORY]),
        lambda found: found.lost == 0,
    ),
    "fluent-bit tail, memory storage": (
        partial(outage, shipper="fluent-bit", source="file", changes=[MEMORY]),
        lambda found: found.lost >= 300,
    ),
    "fluent-bit tail, pattern": (
        partial(renamed, shipper="fluent-bit", changes=[("/events.ndjson\n", "/events.ndjson*\n")]),
        lambda found: found.lost == 0 and found.repeated >= 300,
    ),
    "vector stderr": (
        partial(
            plain,
            shipper="vector",
            size=100,
            changes=[("include_stderr: false", "include_stderr: true")],
        ),
        lambda found: found.unparsed > 0,
    ),
    "vector short max_length": (
        partial(
            plain,
            shipper="vector",
            size=100_000,
            changes=[("max_length: 1048576", "max_length: 65536")],
        ),
        lambda found: found.lost == 1 and found.unparsed == 0,
    ),
    "vector short max_length, helr knows it": (
        partial(
            plain,
            shipper="vector",
            size=100_000,
            changes=[
                ("max_length: 1048576", "max_length: 65536"),
                ('HELR_MAX_LINE_BYTES: "1000000"', 'HELR_MAX_LINE_BYTES: "60000"'),
            ],
        ),
        lambda found: found.lost == 0,
    ),
    "vector memory buffer, outage": (
        partial(outage, shipper="vector", changes=[VECTOR_MEMORY]),
        lambda found: found.lost >= 300,
    ),
    "vector memory buffer, no settle": (
        partial(
            killed,
            shipper="vector",
            changes=[VECTOR_MEMORY, ('HELR_SETTLE_SECS: "5"', 'HELR_SETTLE_SECS: "0"')],
        ),
        lambda found: found.lost > 0,
    ),
    "vector shell": (
        partial(
            stopping,
            shipper="vector",
            changes=[("command: [helr, run]", "command: [sh, -c, helr run; true]")],
        ),
        lambda seconds: seconds > 2.5,  # it waits until its limit, which the tests set to 3
    ),
    "vector no shell": (partial(stopping, shipper="vector"), lambda seconds: seconds < 2),
    "vector hasty exec_interval_secs": (
        partial(
            hasty, shipper="vector", changes=[("exec_interval_secs: 8", "exec_interval_secs: 3")]
        ),
        lambda found: found.repeated >= 600,
    ),
    "vector file, default max_line_bytes": (
        partial(
            plain,
            shipper="vector",
            source="file",
            size=150_000,
            changes=[("    max_line_bytes: 1048576\n", "")],
        ),
        lambda found: found.lost == 1,
    ),
    "syslog-ng short log-msg-size": (
        partial(
            plain,
            shipper="syslog-ng",
            size=100_000,
            changes=[("log-msg-size(1048576)", "log-msg-size(65536)")],
        ),
        lambda found: found.lost == 1 and found.unparsed > 0,
    ),
    "syslog-ng no disk-buffer, outage": (
        partial(outage, shipper="syslog-ng", changes=[NO_DISK_BUFFER]),
        lambda found: found.lost >= 300,
    ),
    "rsyslogd short maxMessageSize": (
        partial(
            plain,
            shipper="rsyslogd",
            source="file",
            size=100_000,
            changes=[('    maxMessageSize="1048576"\n', "")],
        ),
        lambda found: found.lost == 1 and found.unparsed > 0,
    ),
    "rsyslogd no persistStateAfterSubmission": (
        partial(
            restarted,
            shipper="rsyslogd",
            changes=[('    persistStateAfterSubmission="on"\n', "")],
        ),
        lambda found: found.lost == 0 and found.repeated > 200,
    ),
    "rsyslogd memory queue, outage": (
        partial(
            outage,
            shipper="rsyslogd",
            source="file",
            changes=[('queue.type="Direct"', 'queue.type="LinkedList"')],
        ),
        lambda found: found.lost >= 300,
    ),
    "rsyslogd short inputs.timeout.shutdown, stop in an outage": (
        partial(
            stopped,
            shipper="rsyslogd",
            changes=[('    inputs.timeout.shutdown="600000"\n', "")],
        ),
        lambda found: found.lost > 0,
    ),
    "rsyslogd inputs.timeout.shutdown, stop in an outage": (
        partial(stopped, shipper="rsyslogd"),
        lambda found: found.lost == 0,
    ),
    "rsyslogd no resumeRetryCount": (
        partial(
            patience,
            shipper="rsyslogd",
            source="file",
            changes=[('        action.resumeRetryCount="-1"\n', "")],
        ),
        lambda found: found.lost > 0,
    ),
    "otelcol no synchronousLogEmitter": (
        partial(caught, shipper=OtelcolBatching()),
        lambda found: found.lost > 0,
    ),
    "otelcol synchronousLogEmitter": (
        partial(caught, shipper=SHIPPERS["otelcol"]),
        lambda found: found.lost == 0,
    ),
    "otelcol no storage of offsets": (
        partial(
            restarted,
            shipper="otelcol",
            changes=[("    storage: file_storage\n    operators", "    operators")],
        ),
        lambda found: found.lost == 0 and found.repeated >= 300,
    ),
    "otelcol memory queue, outage": (
        partial(
            outage,
            shipper="otelcol",
            source="file",
            changes=[("      storage: file_storage\n      sizer", "      sizer")],
        ),
        lambda found: found.lost >= 300,
    ),
    "otelcol short fingerprint_size": (
        partial(alike, shipper="otelcol", changes=[("    fingerprint_size: 16KiB\n", "")]),
        lambda found: found.lost > 0,
    ),
    "otelcol fingerprint_size": (
        partial(alike, shipper="otelcol"),
        lambda found: found.lost == 0,
    ),
    "otelcol no max_size of a batch": (
        partial(large, shipper="otelcol", changes=[("        max_size: 4000000\n", "")]),
        lambda found: found.lost > 0,
    ),
    "otelcol max_size of a batch": (
        partial(large, shipper="otelcol"),
        lambda found: found.lost == 0,
    ),
}
SCENARIOS = {name: case[0] for name, case in CASES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_setting_matters(result: Any, name: str) -> None:
    print(f"{name}: {result}")
    assert CASES[name][1](result), str(result)
