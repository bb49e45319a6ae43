"""`helr init` writes a valid config, and never overwrites one."""

from __future__ import annotations

import re
import time

import yaml

from tests.conftest import Helr


def test_what_it_writes_is_valid_without_a_warning(helr: Helr) -> None:
    done = helr.run("init")
    assert (done.returncode, done.stdout) == (0, "")
    assert "helr.yaml" in done.stderr
    assert "SLACK_AUDIT_TOKEN" in done.stderr
    done = helr.run("validate")
    assert (done.returncode, done.stderr) == (0, "")
    assert "at most 25 calls a minute" in done.stdout


def test_what_it_holds(helr: Helr) -> None:
    helr.run("init")
    text = (helr.cwd / "helr.yaml").read_text()
    source = yaml.safe_load(text)["sources"]["slack-audit"]
    assert source["incremental_from"]["param_name"] == "oldest"
    assert source["dedupe"]["id_path"] == "id"
    assert source["on_cursor_error"] == "reset"
    days = (time.time() - source["first_request_query_params"]["oldest"]) / 86400
    assert 29.9 < days < 31.1
    assert time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * 86400)) in text
    for step in ("auditlogs:read", "Owner of the Enterprise organization", "xoxp-"):
        assert step in text
    schema = re.match(r"# yaml-language-server: \$schema=(.+)\n", text)
    assert schema
    assert (helr.cwd / schema[1]).exists()


def test_it_never_overwrites(helr: Helr) -> None:
    (helr.cwd / "helr.yaml").write_text("mine")
    done = helr.run("init")
    assert done.returncode == 2
    assert "helr.yaml: already exists and was not changed" in done.stderr
    assert (helr.cwd / "helr.yaml").read_text() == "mine"
    done = helr.run("-c", "my slack.yaml", "init")
    assert done.stderr.endswith(
        "helr -c 'my slack.yaml' validate, helr -c 'my slack.yaml' test --source slack-audit\n"
    )
    assert "# Then: helr -c 'my slack.yaml' validate," in (helr.cwd / "my slack.yaml").read_text()
    assert helr.run("-c", "slack.yaml", "init").returncode == 0
    assert helr.run("validate", "-c", "slack.yaml").returncode == 0


def test_a_missing_directory(helr: Helr) -> None:
    done = helr.run("init", "-c", "nowhere/helr.yaml")
    assert done.returncode == 2
    assert "nowhere/helr.yaml: cannot be written: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr
