"""What skip_event sets aside is kept for its owner alone, and the file does not grow for ever."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from helr.engine import rejects
from helr.engine.rejects import Rejects
from helr.page.page import Page, Reject
from tests.unit.support import URL, make_source, respond

FOUND = [
    Reject("entries[1]", "is null, not an event", "null"),
    Reject("entries[3]", "is not UTF-8", '{"a":"\udcff"}'),
]
PAGE = Page(respond())


def test_each_is_a_line_of_json(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.rejected"
    keep = Rejects(make_source(), str(path))
    keep.keep(FOUND, PAGE)
    keep.keep(FOUND[:1], PAGE)
    lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert [line["place"] for line in lines] == ["entries[1]", "entries[3]", "entries[1]"]
    assert lines[1] == {
        "ts": "2023-11-14T22:13:20Z",
        "source": "s",
        "url": URL,
        "place": "entries[3]",
        "why": "is not UTF-8",
        "text": '{"a":"\udcff"}',
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = caplog.records[0]
    assert first.getMessage().startswith(
        f"{URL}: entries[1] is null, not an event and 1 more: set aside"
    )
    assert str(path) in first.getMessage()
    assert first.fields == {"rejected": 2}  # type: ignore[attr-defined]


def test_nothing_is_said_of_a_page_without_any(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Rejects(make_source(), str(tmp_path / "r")).keep([], PAGE)
    assert caplog.messages == []
    assert not (tmp_path / "r").exists()


def test_with_a_state_in_memory_the_log_shows_the_text(caplog: pytest.LogCaptureFixture) -> None:
    Rejects(make_source(), None).keep(FOUND[:1], PAGE)
    assert caplog.messages[0].endswith(": null")


def test_a_full_file_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r"
    path.write_text("x" * 100)
    monkeypatch.setattr(rejects, "MOST_BYTES", 150)
    Rejects(make_source(), str(path)).keep(FOUND[:1], PAGE)
    assert path.read_text() == "x" * 100
    assert f"{path} is full: 1 rejected element not kept in it" in caplog.messages
    assert caplog.messages[-1].endswith(": null")  # so that it is nowhere else


def test_a_link_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "r").symlink_to(tmp_path / "victim")
    Rejects(make_source(), str(tmp_path / "r")).keep(FOUND[:1], PAGE)
    assert not (tmp_path / "victim").exists()
    assert "cannot be written" in caplog.text
