"""The configs we ship, made ready for a test: a shape chosen, paths, ports and intervals replaced.

Each config has named blocks ("# Input "run": …", to the next blank line), one active of a kind.
A line that a test replaces must be there, so that a config that changes cannot go untested.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import yaml

from tests.conftest import ROOT
from tests.shippers.sinks import OtlpSink, RelpSink, Sink, TcpSink

BLOCK = re.compile(r'^\s*# (Input|Source|Output|Sink|Destination) "(\w+)"', re.M)
COMMENTED = re.compile(r"^(\s*)#(?! \S)", re.M)

Changes = Iterable[tuple[str, str]]
Intervals = dict[str, tuple[tuple[str, str], ...]]


def chosen(text: str, source: str, sink: str) -> str:
    """The config with these blocks active and the others gone."""
    wanted = {"Input": source, "Source": source, "Output": sink, "Sink": sink, "Destination": sink}
    parts, found = [], set()
    for part in re.split(r"\n(?=\s*\n)", text):
        block = BLOCK.search(part)
        if block is None:
            parts.append(part)
            continue
        head, body = part[: block.start()], part[block.start() :]
        active = wanted[block[1]] == block[2]
        parts.append(head + (COMMENTED.sub(r"\1", body) if active else ""))
        if active:
            found.add(block[2])
    assert found == {source, sink}
    return "\n".join(parts)


def changed(text: str, changes: Changes) -> str:
    for old, new in changes:
        assert old in text, f"the config no longer says {old!r}"
        text = text.replace(old, new)
    return text


@dataclass(frozen=True)
class Record:
    """What arrived: helr's line, and the time that the shipper took for the record's (Unix)."""

    time: float
    line: dict[str, Any]

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = self.line["event"]
        return event

    @property
    def id(self) -> str:
        return str(self.event["id"])


class Shipper:
    """One of the five: its program, its config, how to read what it wrote."""

    name = ""
    variable = ""
    config = ""
    output = ""
    shapes: ClassVar[tuple[str, ...]] = ("run", "once", "file")
    network = "http"  # the sink that can be down
    simple = "file"  # the sink of a test that names none
    patience = 70.0  # seconds after which whoever stops it kills it
    finds_renamed = False  # whether it reads on in a file that was renamed while it did not run
    rereads = False  # whether a kill can make it send the whole file again
    # Waits and ports: made short, or the test's own.
    intervals: ClassVar[Intervals] = {}
    port: tuple[str, str] = ("", "")

    def program(self) -> str | None:
        return os.environ.get(self.variable) or shutil.which(self.name, path=_path())

    def missing(self) -> str:
        return f"{self.name} is not installed: put it on the PATH or name it in {self.variable}"

    def installable(self) -> bool:
        """Whether .ci/run installs it on this machine."""
        return False

    def sink(self) -> Sink:
        """A server for the network sink."""
        return Sink()

    def write(self, home: Path, source: str, sink: str, port: int, changes: Changes) -> None:
        """Write the config into `home`, from which the shipper will be started."""
        text = chosen((ROOT / self.config).read_text(encoding="utf-8"), source, sink)
        text = changed(text, self.intervals[source])
        if sink == self.network:
            text = changed(text, [(self.port[0], self.port[1].format(port))])
        (home / self.config).parent.mkdir(exist_ok=True)
        (home / self.config).write_text(changed(text, changes), encoding="utf-8")
        (home / ".mock").mkdir(exist_ok=True)

    def command(self, home: Path) -> list[str]:
        raise NotImplementedError

    def record(self, line: bytes) -> Record:
        """A line of the file or of the network sink."""
        raise NotImplementedError


def loads(text: bytes | str) -> Any:
    """JSON, with a whole number that no shipper can hold as a float, which most make of it."""
    return json.loads(text, parse_int=lambda digits: (int if len(digits) < 19 else float)(digits))


def _whole(text: bytes, key: str) -> dict[str, Any]:
    """A record; helr's line is inside of `key` where the shipper could not parse it."""
    value: dict[str, Any] = loads(text)
    return value if "event" in value else value | loads(value[key])


def _path() -> str:
    made = str(ROOT / ".venv/shippers/bin")  # by `make shippers`
    return os.pathsep.join([made, os.environ.get("PATH", ""), "/usr/sbin", "/opt/fluent-bit/bin"])


def _instant(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


_RETRIES = ("scheduler.cap     60", "scheduler.cap     1\n    scheduler.base    1")


class FluentBit(Shipper):
    name = "fluent-bit"
    variable = "FLUENT_BIT"
    config = "fluent-bit.conf"
    output = ".mock/fluent-bit.out"
    intervals: ClassVar[Intervals] = {
        "run": (_RETRIES,),
        "once": (("Interval_Sec      60", "Interval_Sec      0"), _RETRIES),
        "file": (("Refresh_Interval  5", "Refresh_Interval  1"), _RETRIES),
    }
    port = ("9880", "{}")

    def write(self, home: Path, source: str, sink: str, port: int, changes: Changes) -> None:
        super().write(home, source, sink, port, changes)
        (home / "deploy").mkdir(exist_ok=True)
        shutil.copy(ROOT / "deploy/fluent-bit-parsers.conf", home / "deploy")

    def command(self, home: Path) -> list[str]:
        return [str(self.program()), "-q", "-c", self.config]

    def record(self, line: bytes) -> Record:
        if line.startswith(b"helr: ["):
            time, _, rest = line.removeprefix(b"helr: [").partition(b", ")
            return Record(float(time), _whole(rest[:-1], "line"))
        value = _whole(line, "line")
        return Record(_instant(value["time"]), value)


class Vector(Shipper):
    name = "vector"
    variable = "VECTOR"
    config = "vector.yaml"
    output = ".mock/vector.ndjson"
    intervals: ClassVar[Intervals] = {
        "run": (("respawn_interval_secs: 5", "respawn_interval_secs: 1"),),
        "once": (("exec_interval_secs: 300", "exec_interval_secs: 8"),),
        "file": (),
    }
    port = ("9880", "{}")

    def command(self, home: Path) -> list[str]:
        limit = ["--graceful-shutdown-limit-secs", "3"]  # a minute, where the sink is down
        return [str(self.program()), "--quiet", "--config", self.config, *limit]

    def record(self, line: bytes) -> Record:
        value = _whole(line, "message")
        return Record(_instant(value["timestamp"]), value)


class SyslogNg(Shipper):
    name = "syslog-ng"
    variable = "SYSLOG_NG"
    config = "syslog-ng.conf"
    output = ".mock/syslog-ng.out"
    network = "network"
    intervals: ClassVar[Intervals] = {
        "run": (("exec sleep 5", "exec sleep 1"),),
        "once": (("exec sleep 60", "exec sleep 1"),),
        "file": (),
    }
    port = ("port(9880)", "port({})")

    def missing(self) -> str:
        return "syslog-ng is not installed: apt-get install syslog-ng-core, or name it in SYSLOG_NG"

    def installable(self) -> bool:
        return True

    def sink(self) -> Sink:
        return TcpSink()

    def write(self, home: Path, source: str, sink: str, port: int, changes: Changes) -> None:
        soon = [("time-reopen(10)", "time-reopen(1)")] if sink == self.network else []
        super().write(home, source, sink, port, [*soon, *changes])

    def command(self, home: Path) -> list[str]:
        data = home / ".mock"
        return [
            str(self.program()),
            *("-F", "--no-caps", "-f", str(home / self.config)),
            *("-R", str(data / "syslog-ng.persist"), "-c", str(data / "syslog-ng.ctl")),
            *("-p", str(data / "syslog-ng.pid")),
        ]

    def record(self, line: bytes) -> Record:
        time, _, rest = line.partition(b" ")
        return Record(_instant(time.decode()), loads(rest))


class Rsyslog(Shipper):
    name = "rsyslogd"
    variable = "RSYSLOGD"
    config = "deploy/rsyslog.conf"
    output = ".mock/rsyslog.out"
    shapes = ("file",)
    network = "relp"
    patience = 3  # systemd's TimeoutStopSec, which it needs where its destination is down
    finds_renamed = True
    rereads = True  # it truncates its state file before it writes it
    intervals: ClassVar[Intervals] = {"file": ()}
    port = ('port="2514"', 'port="{}"')

    def missing(self) -> str:
        return "rsyslogd is not installed: make shippers unpacks it, or name it in RSYSLOGD"

    def installable(self) -> bool:
        return True

    def sink(self) -> Sink:
        return RelpSink()

    def write(self, home: Path, source: str, sink: str, port: int, changes: Changes) -> None:
        soon = []
        if sink == self.network:
            soon = [("#module(", "module("), ('resumeInterval="10"', 'resumeInterval="1"')]
        super().write(home, source, sink, port, [*soon, *changes])
        (home / ".mock/rsyslog").mkdir()

    def command(self, home: Path) -> list[str]:
        pid = str(home / ".mock/rsyslogd.pid")
        return [str(self.program()), "-n", "-f", str(home / self.config), "-i", pid]

    def record(self, line: bytes) -> Record:
        time, _, rest = line.partition(b" ")
        return Record(_instant(time.decode()), loads(rest))


class Otelcol(Shipper):
    name = "otelcol"
    variable = "OTELCOL"
    config = "deploy/otelcol.yaml"
    shapes = ("file",)
    network = simple = "otlp_http"
    finds_renamed = True

    def missing(self) -> str:
        return "otelcol is not installed: make shippers builds it with Go, or name it in OTELCOL"

    def installable(self) -> bool:
        return shutil.which("go") is not None

    def sink(self) -> Sink:
        return OtlpSink()

    def write(self, home: Path, source: str, sink: str, port: int, changes: Changes) -> None:
        text = (ROOT / self.config).read_text(encoding="utf-8")
        chosen_sink = ("exporters: [debug]", f"exporters: [{sink}]")
        sent_to = ("127.0.0.1:4318", f"127.0.0.1:{port}")
        text = changed(text, [chosen_sink, sent_to, ("max_interval: 30s", "max_interval: 1s")])
        (home / "deploy").mkdir()
        (home / self.config).write_text(changed(text, changes), encoding="utf-8")
        (home / ".mock").mkdir()

    def command(self, home: Path) -> list[str]:
        gate = "--feature-gates=stanza.synchronousLogEmitter"
        quiet = "--set=service.telemetry.metrics.level=none"  # else it listens on a port
        return [str(self.program()), "--config", self.config, gate, quiet]

    def record(self, line: bytes) -> Record:
        value = json.loads(line)
        return Record(int(value["timeUnixNano"]) / 1e9, loads(value["body"]["stringValue"]))


class OtelcolBatching(Otelcol):
    """Without the feature gate: it gathers lines in memory, and notes them as read."""

    def command(self, home: Path) -> list[str]:
        return [word for word in super().command(home) if "feature-gates" not in word]


class FluentBitYaml(FluentBit):
    """The YAML of docs/shippers/fluent-bit.md ("run") and of deploy/kubernetes.yaml ("file")."""

    def write(self, home: Path, source: str, sink: str, port: int, changes: Changes) -> None:
        if source == "run":
            page = (ROOT / "docs/shippers/fluent-bit.md").read_text(encoding="utf-8")
            text = re.findall(r"^```yaml\n(service:.*?)^```", page, re.M | re.S)[0]
        else:
            manifest = (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
            text = next(yaml.safe_load_all(manifest))["data"]["fluent-bit.yaml"]
            text = changed(text, [("/data", ".mock"), ("http_server: on", "http_server: off")])
            shown = "stdout # yours\n      match: helr\n      format: json_lines"
            text = changed(
                text, [(shown, "file\n      match: helr\n      file: .mock/fluent-bit.out")]
            )
        (home / "fluent-bit.yaml").write_text(changed(text, changes), encoding="utf-8")
        (home / ".mock").mkdir()

    def command(self, home: Path) -> list[str]:
        return [str(self.program()), "-q", "-c", "fluent-bit.yaml"]


SHIPPERS: dict[str, Shipper] = {
    shipper.name: shipper for shipper in (FluentBit(), Vector(), SyslogNg(), Rsyslog(), Otelcol())
}
