"""deploy/ has units that systemd and helr understand, and configs that docs/shippers shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.shippers.shipped import changed, chosen

UNITS = ("helr.service", "helr-once.service", "helr-once.timer")


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here: apt-get install systemd")
    for name in UNITS:
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("/opt/helr/bin/helr", "/bin/true"))
    command = [analyze, "verify", *(f"./{name}" for name in UNITS)]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    about_ours = [line for line in found.stderr.splitlines() if "helr" in line]
    assert (found.returncode, about_ours) == (0, []), found.stderr


def test_a_service_starts_again_unless_a_person_is_needed() -> None:
    """Status 2 alone: a full disk (5) is one that somebody makes room on."""
    text = (ROOT / "deploy/helr.service").read_text(encoding="utf-8")
    assert "\nRestart=on-failure\n" in text
    assert "\nRestartPreventExitStatus=2\n" in text
    once = (ROOT / "deploy/helr-once.service").read_text(encoding="utf-8")
    assert "\nSuccessExitStatus=143\n" in once  # `systemctl stop` in the middle of a poll


def commands() -> list[list[str]]:
    """The arguments of every helr that deploy/ starts."""
    found = []
    for name in UNITS[:2]:
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        found += [line.split()[1:] for line in text.splitlines() if line.startswith("ExecStart=")]
    manifest = (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    pod = list(yaml.safe_load_all(manifest))[1]["spec"]["template"]["spec"]
    helr = pod["containers"][0]
    return [*found, helr["args"], helr["livenessProbe"]["exec"]["command"][1:]]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_helr_understands_what_deploy_starts(arguments: list[str], tmp_path: Path) -> None:
    """It gets as far as the config, which is not here."""
    missing = str(tmp_path / "missing.yaml")
    arguments = [missing if word == "/etc/helr/helr.yaml" else word for word in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "helr", *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "missing.yaml" in done.stderr
    assert "usage" not in done.stderr


def shown(page: str, language: str, first: str) -> str:
    """The block of a page of docs/shippers that begins with this line."""
    text = (ROOT / "docs/shippers" / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n({re.escape(first)}\n.*?)^```", text, re.M | re.S)
    assert len(found) == 1
    return str(found[0])


def without_comments(config: str) -> list[str]:
    lines = [line.partition(" # ")[0] for line in config.splitlines()]
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def test_the_docs_show_the_collectors_config() -> None:
    text = (ROOT / "deploy/otelcol.yaml").read_text(encoding="utf-8")
    real = [
        (".mock/events", "/var/log/helr/events"),
        (".mock/otelcol", "/var/lib/otelcol/helr"),
        ("http://127.0.0.1:4318", "https://otlp.example.com"),
        ("exporters: [debug]", "exporters: [otlp_http]"),
    ]
    config = yaml.safe_load(changed(text, real))
    del config["exporters"]["debug"]
    assert yaml.safe_load(shown("otelcol.md", "yaml", "receivers:")) == config


def test_the_docs_show_rsyslogs_config() -> None:
    text = (ROOT / "deploy/rsyslog.conf").read_text(encoding="utf-8")
    real = [
        ("`echo $PWD/.mock/rsyslog`", '"/var/spool/rsyslog"'),
        ("`echo $PWD/.mock/events.ndjson*`", '"/var/log/helr/events.ndjson*"'),
        ("127.0.0.1", "relp.example.com"),
        ("#module", "module"),
    ]
    config = without_comments(chosen(changed(text, real), "file", "relp"))
    assert shown("rsyslog.md", "", "global(").splitlines() == config


def test_the_docs_show_vectors_config() -> None:
    config = chosen((ROOT / "vector.yaml").read_text(encoding="utf-8"), "run", "file")
    assert yaml.safe_load(shown("vector.md", "yaml", "data_dir: .mock")) == yaml.safe_load(config)


def test_the_docs_show_syslog_ngs_config() -> None:
    config = chosen((ROOT / "syslog-ng.conf").read_text(encoding="utf-8"), "run", "file")
    shipped = without_comments(config)
    assert without_comments(shown("syslog-ng.md", "", "@version: 3.38")) == shipped
