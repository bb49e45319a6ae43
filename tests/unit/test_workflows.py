"""The workflows keep the project's habits: least permissions, pinned actions, an end in time."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
ACTIONS = sorted(ROOT.glob(".github/actions/*/action.yml"))
# A commit, with the release that it is in a comment, which Dependabot keeps up to date.
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*")


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def name(path: Path) -> str:
    return str(path.relative_to(ROOT / ".github"))


def test_there_are_workflows_to_check() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"ci", "nightly", "release"}
    assert ACTIONS


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=name)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"uses: +(.+)", path.read_text(encoding="utf-8"))
    loose = [action for action in used if not PINNED.fullmatch(action) and action[:2] != "./"]
    assert loose == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_a_workflow_may_only_read_unless_a_job_needs_more(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_every_job_ends_in_time_and_leaves_no_token_behind(path: Path) -> None:
    for job in load(path)["jobs"].values():
        if "uses" in job:  # a workflow of ours, whose own jobs have these
            assert job["uses"].startswith("./.github/workflows/")
            continue
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_every_python_that_the_metadata_names_is_tested() -> None:
    metadata = ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    classifiers = metadata["metadata"]["classifiers"]
    named = re.findall(r"Python :: (3\.\d+)", classifiers)
    assert load(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"] == {
        "python": named
    }


def test_everything_that_helr_needs_has_a_lowest_version() -> None:
    """Else `make test-lowest` would install the newest."""
    metadata = ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    needs = metadata["options"]["install_requires"].split()
    assert needs
    assert [need for need in needs if not re.fullmatch(r"[\w.-]+>=[\d.]+", need)] == []
