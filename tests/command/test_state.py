"""`helr state`: show, reset, set, export, import."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from mock_server import MockSlack
from tests.command.test_ground import ids
from tests.conftest import Helr
from tests.support import CAREFUL, PAGING


def feed(helr: Helr, document: str) -> Any:
    path = helr.cwd / "import.json"
    path.write_text(document)
    import subprocess
    import sys

    with path.open() as source:
        return subprocess.run(
            [sys.executable, "-m", "helr", "state", "import"],
            cwd=helr.cwd, env=helr.environment(), stdin=source,
            capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def collected(helr: Helr, mock_slack: MockSlack) -> Helr:
    """A source in the middle of a chain."""
    helr.slack(mock_slack.url, pagination=PAGING | {"max_pages": 2}, **CAREFUL)
    assert helr.run("run", "--once").returncode == 0
    return helr


def test_show_tells_every_key(collected: Helr) -> None:
    shown = collected.run("state", "show", "slack-audit").stdout
    for part in ("cursor: ", "chain: ", "success: ", "ids: 400 delivered ids"):
        assert part in shown


def test_export_and_import_round_trip(collected: Helr, mock_slack: MockSlack) -> None:
    exported = collected.run("state", "export").stdout
    assert len(json.loads(exported)["slack-audit"]["ids"]) == 400
    assert collected.run("state", "reset", "slack-audit").returncode == 0
    assert json.loads(collected.run("state", "export").stdout) == {}
    assert feed(collected, exported).returncode == 0
    assert collected.run("state", "export").stdout == exported
    assert ids(collected.run("run", "--once").stdout) == mock_slack.ids()[400:800]


def test_a_cursor_with_a_line_break_is_shown_on_one_line(collected: Helr) -> None:
    """Terminal control sequences are escaped."""
    odd = "c\n\x1b[31m\u202e é"
    assert collected.run("state", "set", "slack-audit", "cursor", odd).returncode == 0
    shown = collected.run("state", "show", "slack-audit").stdout
    assert "  cursor: c\\n\\x1b[31m\\u202e é\n" in shown
    exported = collected.run("state", "export").stdout
    assert json.loads(exported)["slack-audit"]["cursor"] == odd
    assert feed(collected, exported).returncode == 0
    assert collected.run("state", "export").stdout == exported


def test_import_keeps_and_names_a_key_that_the_config_no_longer_uses(collected: Helr) -> None:
    document = {"slack-audit": {"cursor": "c", "old_ts": "5"}}
    done = feed(collected, json.dumps(document))
    assert done.returncode == 0
    assert "slack-audit: old_ts: imported, but its config does not use it\n" in done.stdout
    assert json.loads(collected.run("state", "export").stdout) == document


def test_reset_starts_from_the_beginning(collected: Helr, mock_slack: MockSlack) -> None:
    collected.run("state", "reset", "slack-audit")
    assert ids(collected.run("run", "--once").stdout) == mock_slack.ids()[:400]


def test_set_moves_the_watermark(helr: Helr, mock_slack: MockSlack) -> None:
    helr.slack(mock_slack.url, **CAREFUL)
    newest = json.loads(mock_slack.raw_events()[0])["date_create"]
    assert helr.run("state", "set", "slack-audit", "oldest_ts", str(newest)).returncode == 0
    came = ids(helr.run("run", "--once").stdout)
    assert came == [
        event["id"]
        for event in map(json.loads, mock_slack.raw_events())
        if event["date_create"] >= newest
    ]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (
            "oldest_ts",
            "1521214343000",
            "in the future: every event until then would be missed; is it in mill",
        ),
        ("oldest_ts", "2099-01-01T00:00:00Z", "Slack accepts only whole Unix seconds"),
        ("oldest_ts", "1521214343.5", "Slack accepts only whole Unix seconds"),
        ("oldest_ts", "15212143430", "more than a day in the future"),
        ("oldest_ts", "yesterday", "is not a time"),
        ("oldest", "5", "oldest is not a key of this source; set one of: cursor, oldest_ts"),
        ("chain", "{}", "chain is not a key of this source"),
    ],
)
def test_set_refuses_values_that_would_be_misread(
    helr: Helr, key: str, value: str, says: str
) -> None:
    helr.slack("http://127.0.0.1:9", **CAREFUL)
    result = helr.run("state", "set", "slack-audit", key, value)
    assert result.returncode == 2
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("no json", "not JSON"),
        ("[]", 'not {"source": {"key": "value"}}; pipe in the output of `helr state export`'),
        ('{"slack-audit": 1}', 'not {"source": {"key": "value"}}; pipe in'),
        ('{"nobody": {}}', "there is no source 'nobody'; the only source is slack-audit"),
        ('{"slack-audit": {"cursor": 5}}', "must be a string"),
        ('{"slack-audit": {"oldest_ts": "soon"}}', "is not a time"),
        ('{"slack-audit": {"ids": ["abc\\n"]}}', "line break"),
        ('{"slack-audit": {"ids": "abc"}}', "ids must be a list of strings"),
        ('{"slack-audit": {"ids": ["\\ud800"]}}', "unpaired surrogate"),
        ('{"slack-audit": {"cursor": "\\ud800"}}', "unpaired surrogate"),
        ('{"slack-audit": {"resets": "' + "9" * 5000 + '"}}', "not an integer"),
        ('{"slack-audit": {"hold": "' + "[" * 9999 + '"}}', "not a JSON object"),
        ('{"slack-audit": {"chain": "{\\"greatest\\": 1e308}"}}', "not a chain"),
        (
            '{"slack-audit": {"marks": [["edge", "00", 1e999]]}}',
            "marks are not as written by `helr state export`",
        ),
        (
            '{"slack-audit": {"url": "https://u:p@api.slack.com/x"}}',
            "not a URL without user and query",
        ),
        ('{"slack-audit": {"url": "anything"}}', "not a URL without user and query"),
        ('{"slack-audit": {"chain": "{}x"}}', "not a JSON object"),
        ('{"slack-audit": {"chain": "{\\"start\\": 5}"}}', "not a chain"),
        ('{"slack-audit": {"resets": "many"}}', "not an integer"),
        ('{"slack-audit": {"marks": [[1]]}}', "marks are not as written by `helr state export`"),
        (
            '{"slack-audit": {"marks": [["edge", "xyz", 1]]}}',
            "marks are not as written by `helr state export`",
        ),
    ],
)
def test_import_refuses_the_whole_document(collected: Helr, document: str, says: str) -> None:
    before = collected.run("state", "export").stdout
    result = feed(collected, document)
    assert result.returncode == 2
    assert says in result.stderr
    assert collected.run("state", "export").stdout == before


def test_what_helr_exported_is_understood(helr: Helr, mock_slack: MockSlack) -> None:
    helr.slack(mock_slack.url, **CAREFUL)
    cursor = json.loads(_get(mock_slack, "limit=100"))["response_metadata"]["next_cursor"]
    document = json.dumps({"slack-audit": {"cursor": cursor, "oldest_ts": "1521214343"}})
    assert feed(helr, document).returncode == 0
    result = helr.run("run", "--once")
    assert ids(result.stdout) == mock_slack.ids()[100:]
    assert sum("no chain record" in line for line in result.stderr.splitlines()) == 1


def test_changes_are_refused_while_another_helr_holds_the_source(
    helr: Helr, mock_slack: MockSlack
) -> None:
    helr.slack(mock_slack.url, **CAREFUL)
    running = helr.start("run")
    assert running.stdout is not None
    running.stdout.readline()
    for args in (("reset", "slack-audit"), ("set", "slack-audit", "oldest_ts", "5")):
        result = helr.run("state", *args)
        assert result.returncode == 3
        assert f"process {running.pid}" in result.stderr
    assert feed(helr, '{"slack-audit": {}}').returncode == 3
    running.kill()
    running.communicate()
    assert helr.run("state", "reset", "slack-audit").returncode == 0


def test_the_state_file_is_its_owners_alone(collected: Helr) -> None:
    for path in collected.cwd.glob("helr-state.db*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_table_is_the_one_helr_keeps(collected: Helr) -> None:
    with sqlite3.connect(collected.cwd / "helr-state.db") as db:
        rows = db.execute("SELECT key, value FROM helr_state WHERE source_id = 'slack-audit'")
        assert {"cursor", "chain"} <= dict(rows.fetchall()).keys()


def _get(mock: MockSlack, query: str) -> bytes:
    from urllib.request import Request, urlopen

    asked = Request(f"{mock.logs_url}?{query}", headers={"Authorization": f"Bearer {mock.token}"})
    with urlopen(asked) as answer:
        return bytes(answer.read())


def test_a_new_watermark_abandons_the_open_chain(collected: Helr, mock_slack: MockSlack) -> None:
    newest = json.loads(mock_slack.raw_events()[0])["date_create"]
    told = collected.run("state", "set", "slack-audit", "oldest_ts", str(newest - 500)).stdout
    assert "the open chain is abandoned" in told
    collected.run("run", "--once")
    assert f"oldest={newest - 500}" in mock_slack.requests[-1]["query"]


def test_reset_of_an_unknown_source(collected: Helr) -> None:
    for args in (("nobody",), ("nobody", "--hold")):
        result = collected.run("state", "reset", *args)
        assert result.returncode == 2
        assert (
            "helr.yaml: there is no source 'nobody'; the only source is slack-audit"
            in result.stderr
        )
    assert not list(collected.cwd.glob("*nobody*"))


def test_a_source_that_left_the_config_can_be_forgotten(collected: Helr) -> None:
    collected.slack("http://127.0.0.1:9", name="other")
    assert "slack-audit" in json.loads(collected.run("state", "export").stdout)
    assert collected.run("state", "reset", "slack-audit").returncode == 0
    assert json.loads(collected.run("state", "export").stdout) == {}


def test_import_skips_a_source_that_is_not_in_the_config(collected: Helr) -> None:
    whole = json.loads(collected.run("state", "export").stdout)
    told = feed(collected, json.dumps(whole | {"gone": {"cursor": "x"}}))
    assert told.returncode == 0
    assert "gone: skipped, since helr.yaml has no such source" in told.stdout
    assert json.loads(collected.run("state", "export").stdout) == whole


def test_deleting_the_cursor_restarts_the_chain(collected: Helr, mock_slack: MockSlack) -> None:
    """As docs/errors.md advises for a refused cursor."""
    assert collected.run("state", "set", "slack-audit", "cursor", "").returncode == 0
    assert "chain" not in collected.run("state", "show", "slack-audit").stdout
    again = [collected.run("run", "--once") for _ in range(5)]
    assert [result.returncode for result in again] == [0] * 5
    assert [each for result in again for each in ids(result.stdout)] == mock_slack.ids()[400:]


def test_a_watermark_that_is_set_holds_nothing_back(helr: Helr, mock_slack: MockSlack) -> None:
    helr.slack(mock_slack.url, **{**CAREFUL, "dedupe": None})
    assert ids(helr.run("run", "--once").stdout) == mock_slack.ids()
    assert helr.run("state", "set", "slack-audit", "oldest_ts", "1521214343").returncode == 0
    assert ids(helr.run("run", "--once").stdout) == mock_slack.ids()


def test_set_keeps_to_the_spelling_of_the_watermark(helr: Helr) -> None:
    helr.slack("", **CAREFUL, url="http://127.0.0.1:9/another/api")
    put = ("state", "set", "slack-audit", "oldest_ts")
    assert helr.run(*put, "2018-03-16T15:32:23Z").returncode == 0, "nothing to compare with"
    result = helr.run(*put, "1521214343")
    assert result.returncode == 2
    assert (
        "slack-audit: oldest_ts: 1521214343 is Unix seconds, but the current watermark "
        "2018-03-16T15:32:23Z is ISO 8601; use the same format" in result.stderr
    )
    assert helr.run(*put, "2018-03-17").returncode == 0


def test_an_import_of_nothing_says_so(collected: Helr) -> None:
    before = collected.run("state", "export").stdout
    result = feed(collected, "{}")
    assert (result.returncode, result.stdout) == (
        0,
        "the document is empty; no source was changed\n",
    )
    assert collected.run("state", "export").stdout == before


def test_show_without_a_state_file_says_where_it_would_be(helr: Helr) -> None:
    helr.slack("http://127.0.0.1:9")
    result = helr.run("state", "show", "slack-audit")
    assert result.stdout == f"slack-audit: no state in {helr.cwd / 'helr-state.db'}\n"


# -- state of another API


def test_state_of_another_api_is_warned_of_until_that_api_has_answered(helr: Helr) -> None:
    """After a trial with a mock, the real API under the same name: the watermark hides events."""
    with MockSlack(events=5) as trial, MockSlack(events=5, base_time=1_600_000_000) as real:
        helr.slack(trial.url, **CAREFUL)
        assert "WARN" not in helr.run("run", "--once").stderr
        known = json.loads(helr.run("state", "export").stdout)["slack-audit"]
        assert known["url"] == trial.logs_url
        assert "WARN" not in helr.run("run", "--once").stderr

        helr.slack(real.url.replace("://", "://user:pass@"), **CAREFUL)
        warning = f"come from {trial.logs_url}, but `url` is now {real.logs_url}"
        way_out = "run `helr state reset slack-audit` to start over"
        for args in (["validate"], ["test", "--source", "slack-audit"]):
            for _ in range(2):
                said = helr.run(*args).stderr
                assert said.count(warning) == 1
                assert way_out in said

        helr.slack(real.url, **CAREFUL)
        real.fault("500@1+")
        assert warning in helr.run("run", "--once", "-q").stderr
        real.clear_faults()
        first = helr.run("run", "--once")
        assert (first.returncode, first.stdout) == (0, "")
        assert first.stderr.count(warning) == 1
        assert f"no events: oldest={known['oldest_ts']} from the state; " in first.stderr
        for args in (["run", "--once"], ["validate"], ["test", "--source", "slack-audit"]):
            assert "come from" not in helr.run(*args).stderr
        assert helr.run("state", "reset", "slack-audit").returncode == 0
        assert ids(helr.run("run", "--once").stdout) == real.ids()


def test_state_without_an_address_is_accepted(helr: Helr, mock_slack: MockSlack) -> None:
    """Helr writes none, and neither does a poll without events."""
    helr.slack(mock_slack.url, **CAREFUL)
    newest = json.loads(mock_slack.raw_events()[0])["date_create"]
    assert helr.run("state", "set", "slack-audit", "oldest_ts", str(newest + 1)).returncode == 0
    for _ in range(2):
        assert "WARN" not in helr.run("run", "--once").stderr
    assert "url" not in json.loads(helr.run("state", "export").stdout)["slack-audit"]
