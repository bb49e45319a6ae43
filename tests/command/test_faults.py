"""The fault matrix: every fault of the mock, on the first page and in the middle of a chain.

docs/errors.yaml says what helr writes and with which status it ends; `OUTCOMES` below says in
numbers what is delivered and kept. Each case is a source with a mock of its own. It begins with a
watermark in its state and meets the fault in a run together with others that end alike; then a
second run polls the same sources without faults.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from helr.state.records import Checkpoint
from helr.state.sqlite import SqliteStore
from mock_server import MockSlack
from mock_server.faults import FAULTS
from tests.conftest import Helr, slack_source
from tests.errors_table import entries, level_and_text, pattern
from tests.support import INCREMENTAL

pytestmark = pytest.mark.unmeasured

STATE = "helr-state.db"
EVENTS, LIMIT = 7, 2  # four pages
TRIES = 2
TOGETHER = 25  # sources in a run
BASE_TIME = 1_760_000_000
RETRY_AFTER = 100  # seconds, more than max_backoff_secs
YEAR_2099 = 4_000_000_000
# On a reused connection, these look like its end: helr retries without logging anything.
POOLED = ("reset", "close")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run. `pages`: delivered, with the fault on the first or on a later page."""

    pages: tuple[int, int] | None  # None: all
    tries: int = 1
    failures: int = 0  # counted by the breaker
    held: bool = False
    resets: int = 0
    passes: bool = False  # whether helr retries, so that a fault that strikes once is not visible


OUTCOMES = {
    "failed": Outcome((0, 1)),
    "skipped": Outcome((0, 1)),
    "retried": Outcome((0, 1), tries=TRIES, passes=True),
    "counted": Outcome((0, 1), tries=TRIES, failures=TRIES, passes=True),
    "held": Outcome((0, 1), held=True),
    "reset": Outcome((0, 1), resets=1),
    "looped": Outcome((2, 2)),
    "delivered": Outcome(None),
}


@dataclass(frozen=True, eq=False)
class Case:
    """One fault at one place: "first", "middle", or "passing" (once, in the middle)."""

    entry: dict[str, Any]
    fault: str
    place: str

    @property
    def outcome(self) -> Outcome:
        return OUTCOMES["delivered" if self.place == "passing" else self.entry["outcome"]]

    @property
    def exit(self) -> int:
        return 0 if self.place == "passing" else int(self.entry["exit"])

    @property
    def order(self) -> str:
        at = 1 if self.place == "first" else 2
        once = self.entry["outcome"] == "delivered" or self.place == "passing"
        return f"{self.fault}@{at}" if once else f"{self.fault}@{at}+"

    def __str__(self) -> str:
        words = [v for v in self.entry.get("config", {}).values() if isinstance(v, str)]
        return "-".join([self.fault, *words, self.place])


def cases() -> list[Case]:
    found = []
    for entry in entries("faults"):
        places = list(entry.get("at", ["first", "middle"]))
        if OUTCOMES[entry["outcome"]].passes:
            places.append("passing")
        found += [Case(entry, fault, place) for fault in entry["faults"] for place in places]
    return found


@dataclass
class Met:
    """A case after its fault struck: what was delivered, and the state."""

    case: Case
    mock: MockSlack
    start: str
    status: int
    log: list[str]
    events: list[bytes]
    state: dict[str, str]


@dataclass
class Later:
    """What the good run after it delivered for a case."""

    events: list[bytes]
    state: dict[str, str]


class Matrix:
    """All cases of this session: several in each run, two runs in parallel."""

    def __init__(self, chosen: list[Case], base: Path) -> None:
        FAULTS["gzip-bomb"].reply(None)  # type: ignore[arg-type]  # packs its gigabyte only once
        self._pool = ThreadPoolExecutor(2)
        self._runs = {}
        for number, cases in enumerate(together(chosen)):
            run = self._pool.submit(meet, cases, base / str(number))
            self._runs |= {str(case): run for case in cases}

    def met(self, case: Case) -> tuple[Met, Later]:
        return self._runs[str(case)].result()[str(case)]

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def together(cases: list[Case]) -> Iterator[list[Case]]:
    """Cases with the same exit status; those that wait for timeouts separately and first."""

    def alike(case: Case) -> tuple[bool, int]:
        return "resilience" not in case.entry.get("config", {}), case.exit

    for _, group in groupby(sorted(cases, key=alike), key=alike):
        left = list(group)
        while left:
            yield left[:TOGETHER]
            del left[:TOGETHER]


@pytest.fixture(scope="module")
def matrix(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Matrix]:
    items = (getattr(item, "callspec", None) for item in request.session.items)
    asked = (spec.params.get("case") for spec in items if spec)
    chosen = {str(case): case for case in asked if isinstance(case, Case)}
    matrix = Matrix(list(chosen.values()), tmp_path_factory.mktemp("faults"))
    yield matrix
    matrix.close()


def test_every_fault_of_the_mock_is_in_the_table() -> None:
    assert {case.fault for case in cases()} == set(FAULTS)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_fault(matrix: Matrix, case: Case) -> None:
    """What helr promises for the run in which the fault strikes."""
    met, _ = matrix.met(case)
    count = EVENTS + extra(case) if case.outcome.pages is None else LIMIT * _pages(case)
    assert met.status == case.exit, met.log
    assert len(met.events) == count, met.log
    check_log(met)
    check_tries(case, met.mock)
    check_state(met)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_later(matrix: Matrix, case: Case) -> None:
    """A later good run delivers all other events, and none twice."""
    met, later = matrix.met(case)
    events = met.events + later.events
    raws = met.mock.raw_events()
    assert sorted(raw for raw in events if raw in raws) == sorted(raws), "each once, byte for byte"
    assert len(events) == EVENTS + extra(case)
    assert set(later.state) == {"oldest_ts", "success", "url"}, "no cursor, chain, hold or breaker"
    assert later.state["oldest_ts"] == _newest(events)
    asked = [parse_qs(str(request["query"])) for request in met.mock.requests]
    assert all("oldest" in query for query in asked), "every page of a chain keeps its start"


def meet(cases: list[Case], directory: Path) -> dict[str, tuple[Met, Later]]:
    """The run with the faults and the good one, for each source."""
    directory.mkdir()
    helr = Helr(directory)
    mocks = {str(case): MockSlack(events=EVENTS, base_time=BASE_TIME) for case in cases}
    try:
        begin(helr, cases, mocks)
        run = helr.run("run", "--once")
        assert "xoxp-mock" not in run.stderr
        assert all(_about(line) in mocks for line in level_and_text(run.stderr)), run.stderr
        states = {name: _state(helr, name) for name in mocks}
        for case in cases:
            if case.outcome.held:
                assert helr.run("state", "reset", str(case), "--hold").returncode == 0
            mocks[str(case)].clear_faults()
        helr.config(sources={name: source(mock, {}) for name, mock in mocks.items()})
        good = helr.run("run", "--once")
        assert good.returncode == 0, good.stderr
        assert "ERROR" not in good.stderr
        return {
            name: (
                Met(
                    case,
                    mocks[name],
                    start(mocks[name]),
                    run.returncode,
                    _log(run.stderr, name),
                    _events(run.stdout, name),
                    states[name],
                ),
                Later(_events(good.stdout, name), _state(helr, name)),
            )
            for name, case in ((str(case), case) for case in cases)
        }
    finally:
        for mock in mocks.values():
            mock.stop()


def begin(helr: Helr, cases: list[Case], mocks: dict[str, MockSlack]) -> None:
    """Each source with its watermark at the oldest event, and its fault pending."""
    store = SqliteStore(str(helr.cwd / STATE))
    for case in cases:
        mock = mocks[str(case)]
        mock.start()
        mock.settings.retry_after = RETRY_AFTER
        mock.fault(case.order)
        store.commit(str(case), [Checkpoint(values={"oldest_ts": start(mock)})])
    store.close()
    configs = {str(case): case.entry.get("config", {}) for case in cases}
    helr.config(sources={name: source(mocks[name], config) for name, config in configs.items()})


def start(mock: MockSlack) -> str:
    """The time of the oldest event."""
    return str(json.loads(mock.raw_events()[-1])["date_create"])


def extra(case: Case) -> int:
    """How many extra events the fault adds to those of the mock."""
    return 0 if case.place == "passing" else int(case.entry.get("extra", 0))


def source(mock: MockSlack, config: dict[str, Any]) -> dict[str, Any]:
    """Small pages, short waits, a watermark and ids; and the settings of the entry."""
    resilience: dict[str, Any] = {
        "retries": {"max_attempts": TRIES, "initial_backoff_secs": 0.01, "max_backoff_secs": 0.05}
    }
    resilience |= config.get("resilience", {})
    return slack_source(
        mock.url,
        query_params={"limit": LIMIT},
        incremental_from=INCREMENTAL,
        dedupe={"id_path": "id"},
        max_response_bytes=1_000_000,
        **{**config, "resilience": resilience},
    )


def _pages(case: Case) -> int:
    assert case.outcome.pages is not None
    looped = case.fault == "repeat-cursor"  # detected only after the page is delivered
    return 2 if looped else case.outcome.pages[case.place != "first"]


def check_log(met: Met) -> None:
    """The only warnings and errors are the line in the table."""
    case, mock = met.case, met.mock
    told = [line for line in met.log if line.startswith(("WARN", "ERROR"))]
    text = case.entry.get("line")
    if case.place == "middle":
        text = case.entry.get("middle", text)
    if text is None or case.place == "passing":
        assert told == []
        if case.place == "passing" and case.fault not in POOLED:
            wait = r"INFO .* waiting .* try 2 of 2\b.*: http://"
            assert any(re.match(wait, line) for line in met.log), "a wait says why"
        return
    assert len(told) == 1, met.log
    code = case.entry.get("code", {}).get(case.fault, case.fault)
    elsewhere = mock.logs_url.replace("127.0.0.1", "localhost")
    text = text.replace("slack-audit", str(case))
    expected = pattern(text, url=mock.logs_url, fault=case.fault, code=code, elsewhere=elsewhere)
    assert re.fullmatch(expected, told[0]), f"{told[0]}\n{text}"


def check_tries(case: Case, mock: MockSlack) -> None:
    struck = [request for request in mock.requests if request["fault"]]
    if case.place == "passing" or case.outcome.pages is None:
        assert len(struck) == 1
    elif case.fault not in ("repeat-cursor", *POOLED):
        assert len(struck) == case.outcome.tries, "asked as often as is promised"


def check_state(met: Met) -> None:
    """Cursor, chain, watermark, hold and breaker after the run."""
    case, mock, events, state = met.case, met.mock, met.events, dict(met.state)
    outcome = case.outcome
    assert state.pop("url", None) == (mock.logs_url if events else None)
    if outcome.pages is None:
        assert state["oldest_ts"] == _newest(events)
        assert set(state) == {"oldest_ts", "success"}
        return
    assert state["oldest_ts"] == met.start, "the watermark waits for the chain's end"
    in_chain = events and not outcome.resets
    expected = {"oldest_ts"} | ({"cursor", "chain"} if in_chain else set())
    expected |= {"hold"} if outcome.held else set()
    expected |= {"breaker"} if outcome.failures else set()
    expected |= {"resets"} if outcome.resets else set()
    assert set(state) == expected
    if in_chain:
        chain = json.loads(state["chain"])
        second = parse_qs(str(mock.requests[1]["query"]))
        assert state["cursor"] == second["cursor"][0], "the cursor of the first page"
        assert chain["start"] == met.start
        assert chain["greatest"] == json.loads(mock.raw_events()[0])["date_create"]
        assert chain["events"] == LIMIT
    if outcome.held:
        wait = 86_400 if case.fault == "big-retry-after" else RETRY_AFTER
        assert 0 < json.loads(state["hold"])["until"] - time.time() <= wait + 2
    if outcome.failures:
        breaker = json.loads(state["breaker"])
        assert (breaker["failures"], breaker["until"]) == (outcome.failures, 0)
    if outcome.resets:
        assert state["resets"] == "1"


def _log(log: str, name: str) -> list[str]:
    """The lines of a log that are about a source, without their times."""
    return [line for line in level_and_text(log) if _about(line) == name]


def _about(line: str) -> str:
    """The source that a line of the log is about."""
    return line.partition(": ")[0].split()[-1] if ": " in line else ""


def _events(output: str, name: str) -> list[bytes]:
    """The bytes of a source's events as they are in the lines."""
    head, label = '{"endpoint":"/audit/v1/logs","event":', f'}},"source":"{name}","ts":"'
    lines = output.splitlines(keepends=True)
    assert all(line.startswith(head) and line.endswith('"}\n') for line in lines)
    mine = [line for line in lines if label in line]
    return [line[len(head) : line.rindex(',"meta":{')].encode() for line in mine]


def _newest(events: list[bytes]) -> str:
    times = [int(re.findall(rb'"date_create":(\d+)', event)[0]) for event in events]
    return str(max(at for at in times if at < YEAR_2099))


def _state(helr: Helr, name: str) -> dict[str, str]:
    store = SqliteStore(str(helr.cwd / STATE), read_only=True)
    values = store.source(name).load().values
    store.close()
    return values
