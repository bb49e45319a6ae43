"""A state file into which another program wrote: a clear error or a sane reading, never a crash."""

from __future__ import annotations

import io
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, redirect_stdout, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr.clock import Clock
from helr.commands import state as state_command
from helr.commands import status
from helr.config import load
from helr.engine.assemble import parts
from helr.errors import HelrError, UnusableError
from helr.model import Config
from helr.output.file import FileOutput
from helr.state import export
from helr.state.records import Checkpoint, Step
from helr.state.sqlite import SqliteStore
from tests.support import examples, some

pytestmark = pytest.mark.unmeasured

CONFIG = """
global: {state: {path: state.db}}
sources:
  s:
    url: "http://127.0.0.1:9/x"
    pagination: {strategy: cursor, cursor_param: cursor, cursor_path: next}
    incremental_from: {state_key: since, event_timestamp_path: at, param_name: since}
    dedupe: {id_path: id}
"""
GOOD = {
    "since": "1700000000",
    "cursor": "c",
    "chain": '{"start":"1","greatest":1700000000.5,"spelled":"x","events":3,"reached":5}',
    "resets": "1",
    "success": "1700000000",
    "lookback_from": "1699999999.5",
    "url": "http://127.0.0.1:9/x",
    "hold": '{"until": 1.5, "reason": "busy"}',
    "breaker": '{"failures": 1, "recent": "x", "until": 5, "successes": 0, "reason": "r"}',
}
COLUMNS = {
    "helr_state": ("source_id", "key", "value", "updated_at"),
    "helr_delivered": ("slot", "source_id", "turn", "count", "ids"),
    "helr_marks": ("source_id", "kind", "mark", "at"),
    "helr_steps": ("path", "device", "inode", "length", "lines"),
    "helr_proof": ("at",),
}
NUMBERS = [0, 1, -1, 2**53, 2**63 - 1, -(2**63), 0.5, 1e308, -1e308, 1e999, -1e999]
NUMERIC_TEXT = [
    "", "0", "-1", "1e999", "NaN", "inf", "Infinity", "9" * 30, "9" * 5000, "-" + "9" * 400, "0x1",
    "1_0", "٣", "1.5", " 1", "1\n", "1e5", "99999999999999999", "x" * 200_000, "\x1b[31m", "\0",
    "0001-01-01", "9999-12-31T23:59:59Z", "[" * 9999,
]  # fmt: skip
ODDITIES = (
    *NUMERIC_TEXT, b"\xff\xfe", b"{}", 1.5, '{"until": 1e999}', '{"until": NaN}',
    '{"failures": 1e999}', '{"successes": 1e999}', '{"until": "nan"}',
)  # fmt: skip
JSON_KEYS = (
    "start", "greatest", "spelled", "events", "reached", "began", "first",
    "until", "reason", "failures", "recent", "successes", "asked", "at", "secs",
)  # fmt: skip
raw_numbers = st.sampled_from(
    ["1e999", "-1e999", "NaN", "1e308", "-1", "9" * 400, "9" * 5000, "0.5", "null", "true", '"nan"',
     '"9"', "[]", "{}", '"\\ud800"', '"\\u001b[31m"']
)  # fmt: skip
objects = st.dictionaries(st.sampled_from(JSON_KEYS), raw_numbers, max_size=8).map(
    lambda found: "{" + ",".join(f"{json.dumps(key)}: {raw}" for key, raw in found.items()) + "}"
)
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(NUMERIC_TEXT),
    objects,
)
values = st.one_of(
    texts, st.binary(max_size=40), st.sampled_from(NUMBERS), st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("odd")
        patch.chdir(path)
        (path / "helr.yaml").write_text(CONFIG)
        yield path


@pytest.fixture(scope="module")
def config(folder: Path) -> Config:
    return load("helr.yaml", environ=MappingProxyType({}))


@pytest.fixture(scope="module")
def good(folder: Path) -> dict[str, bytes]:
    """A good state file, and an output file with an unfinished step in it."""
    store = SqliteStore("state.db")
    marks = [("edge", b"\1" * 32, 1700000000.0), ("cursor", b"\2" * 8, 0.0)]
    store.source("s").commit(
        [Checkpoint(values=dict(GOOD), ids=["a", "b"], capacity=9, marks=marks)]
    )
    out = folder / "out.ndjson"
    out.write_bytes(b"{}\n")
    found = out.stat()
    store.journal.commit(Step(str(out), found.st_dev, found.st_ino, 3, b"{}\n"))
    store.check_writable()
    store.close()
    return {name: (folder / name).read_bytes() for name in ("state.db", "out.ndjson")}


def changed(good: dict[str, bytes], statement: str, *values: Any) -> None:
    """The good state, and a statement of another program in it."""
    for name in ("state.db-wal", "state.db-shm", *good):
        Path(name).unlink(missing_ok=True)  # another inode: the last test's may still be open
    for name, content in good.items():
        Path(name).write_bytes(content)
    with (
        closing(sqlite3.connect("state.db", isolation_level=None)) as db,
        suppress(sqlite3.Error, ValueError),  # ValueError: a message that is not UTF-8
    ):
        db.execute("PRAGMA synchronous = OFF")
        db.execute(statement, values)


def use(config: Config) -> None:
    """All that reads a state; HelrError is an error line."""
    source = config.sources["s"]
    with redirect_stdout(io.StringIO()):
        for output_format in ("text", "json"):
            with suppress(HelrError):
                status.run(config, max_age=60, output_format=output_format)
        for action in ({"action": "show", "source": "s"}, {"action": "export"}):
            with suppress(HelrError):
                state_command.run(config, **action)
    with suppress(HelrError), closing(SqliteStore("state.db", busy_secs=0.05)) as store:
        store.source("s").is_current()
        for path in store.journal.unfinished():
            assert isinstance(path, str)
        with suppress(HelrError):
            FileOutput("out.ndjson", store, Clock()).close()
        stored = store.source("s").load()
        slots, here = threading.BoundedSemaphore(1), store.source("s")
        made = parts(source, stored, here, here.note, clock=Clock(), slots=slots)
        position = made.position
        position.next_request()
        assert len(position.seen) >= 0
        with suppress(HelrError):
            made.retry.check_held()
        more = Checkpoint(values={"cursor": "d"}, ids=["c"], capacity=2, forget=[("edge", 5.0)])
        store.source("s").commit([more, position.reset().checkpoint])


@examples(60)
@given(data=st.data())
def test_any_value_in_any_column(data: Any, good: dict[str, bytes], config: Config) -> None:
    table = data.draw(st.sampled_from(sorted(COLUMNS)))
    column, value = data.draw(st.sampled_from(COLUMNS[table])), data.draw(values)
    changed(good, f"UPDATE {table} SET {column} = ?", value)
    use(config)


@examples(60)
@given(key=st.sampled_from(sorted(GOOD)), value=values)
def test_any_value_of_any_key(key: str, value: Any, good: dict[str, bytes], config: Config) -> None:
    changed(good, "UPDATE helr_state SET value = ? WHERE key = ?", value, key)
    use(config)


@pytest.mark.parametrize("key", sorted(GOOD))
def test_each_known_oddity_of_each_key(key: str, good: dict[str, bytes], config: Config) -> None:
    for value in some(ODDITIES, sorted(GOOD).index(key)):
        changed(good, "UPDATE helr_state SET value = ? WHERE key = ?", value, key)
        use(config)


@examples(60)
@given(
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=50))),
    cut=st.floats(0, 1),
)
def test_any_damage_to_the_file(
    places: list[tuple[float, bytes]], cut: float, good: dict[str, bytes], config: Config
) -> None:
    content = bytearray(good["state.db"])
    for place, found in places:
        start = int(place * len(content))
        content[start : start + len(found)] = found
    if cut < 0.3:
        del content[int(cut * len(content)) :]
    changed({**good, "state.db": bytes(content)}, "PRAGMA user_version")
    use(config)


def test_a_message_of_sqlites_that_is_not_utf_8_is_a_clear_error(good: dict[str, bytes]) -> None:
    """It quotes a name in the schema, and Python cannot decode that."""
    content = good["state.db"].replace(b"tablehelr_proof", b"table" + b"\xff" * 10)
    content = content.replace(b"CREATE TABLE helr_proof (", b"CREATE TABLE helr_proof )")
    assert content != good["state.db"]
    changed({**good, "state.db": content}, "PRAGMA user_version")
    with pytest.raises(HelrError, match="restore it from a backup, or move it away"):
        SqliteStore("state.db")


def test_text_that_is_not_utf_8_is_a_clear_error(good: dict[str, bytes]) -> None:
    changed(good, "UPDATE helr_state SET value = CAST(x'ff' AS TEXT) WHERE key = 'cursor'")
    with (
        closing(SqliteStore("state.db")) as store,
        pytest.raises(HelrError, match="restore it from a backup, or move it away"),
    ):
        store.source("s").load()


# -- export and import

state_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
times = st.one_of(
    st.integers(0, 2_000_000_000).map(str),
    st.sampled_from(["2018-03-16T15:32:23Z", "2018-03-16 15:32:23.25+01:00", "1521214343.5"]),
)
instants = st.floats(0, 2e9)
chains = st.builds(
    lambda start, greatest, spelled, events: json.dumps(
        {"start": start, "greatest": greatest, "spelled": spelled, "events": events}
    ),
    st.none() | times, instants, state_texts, st.integers(0, 10**9),
)  # fmt: skip
held = st.builds(
    lambda until, reason: json.dumps({"until": until, "reason": reason}), instants, st.text()
)
whole_states = st.fixed_dictionaries(
    {},
    optional={
        "since": times, "cursor": state_texts, "next_url": state_texts, "chain": chains,
        "resets": st.integers(0, 50).map(str), "success": st.integers(0, 2**33).map(str),
        "lookback_from": instants.map("{:.6f}".format), "hold": held, "breaker": held,
        "url": st.sampled_from(["http://127.0.0.1:9/x", "https://[::1]:8/a%20b", "https://x.y/"]),
        "an_old_key": state_texts,
    },
)  # fmt: skip
id_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), min_size=1)
mark_rows = st.tuples(st.sampled_from(["edge", "cursor"]), st.binary(max_size=48), instants)


@examples(60)
@given(found=whole_states, ids=st.lists(id_texts, max_size=200), marks=st.lists(mark_rows))
def test_what_export_wrote_can_be_imported(
    found: dict[str, str], ids: list[str], marks: list[Any], good: dict[str, bytes], config: Config
) -> None:
    changed(good, "PRAGMA user_version")
    store = SqliteStore("state.db")
    store.replace("s", found, ids, marks)
    before = export.dump(store.source("s"))
    written = io.StringIO()
    with redirect_stdout(written):
        state_command.run(config, "export")
    store.replace("s", {}, [], [])
    store.close()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        patch.setattr("sys.stdin", io.StringIO(written.getvalue()))
        if not before:
            return
        state_command.run(config, "import")
    with closing(SqliteStore("state.db", read_only=True)) as again:
        assert export.dump(again.source("s")) == before


@examples(80)
@given(
    key=st.sampled_from([*GOOD, "ids", "marks", "other"]),
    value=st.recursive(
        st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(), texts, objects),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
)
def test_an_import_is_refused_or_can_be_used(
    key: str, value: Any, good: dict[str, bytes], config: Config
) -> None:
    changed(good, "PRAGMA user_version")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
        patch.setattr("sys.stdin", io.StringIO(json.dumps({"s": {key: value}})))
        with suppress(UnusableError):
            state_command.run(config, "import")
    use(config)
