"""What is built can be used where nothing but Python is: in a bare venv, away from the tree.

No network: `make setup` leaves what pip needs in .venv/wheelhouse.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

import helr
from helr.commands.help import FOLDER, TOPICS
from tests.conftest import MOCK_TOKEN, ROOT, slack_source

WHEELHOUSE = Path(sys.prefix) / "wheelhouse"

pytestmark = [
    pytest.mark.unmeasured,
    pytest.mark.skipif(
        not WHEELHOUSE.is_dir(), reason="make setup puts what pip needs into .venv/wheelhouse"
    ),
]


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run to a good end, with neither the tree nor pip's settings in reach; standard output."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A source distribution, and the wheel that is built from it, as a release is made."""
    tree = tmp_path_factory.mktemp("tree") / "helr"
    ignore = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "results")
    shutil.copytree(ROOT, tree, symlinks=True, ignore=ignore)
    shutil.copy(ROOT / ".ruff.toml", tree)
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, tree, cwd=out)
    return out


@pytest.fixture(scope="session")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of a venv that holds the wheel and what it needs, nothing more."""
    return install(next(dist.glob("*.whl")), tmp_path_factory.mktemp("bare"))


def install(package: Path, where: Path, *options: str) -> Path:
    run(sys.executable, "-m", "venv", "--without-pip", where / "venv", cwd=where)
    binaries = where / "venv" / "bin"
    run(
        *(sys.executable, "-m", "pip", "--python", binaries / "python", "install", "-q"),
        *("--no-index", "--find-links", WHEELHOUSE, *options, package),
        cwd=where,
    )
    return binaries


def test_the_wheel_carries_both_packages_and_the_one_schema(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        schema = wheel.read("helr/helr.schema.json")
    assert {"mock_server/__main__.py", "helr/py.typed", "helr/vendors/slack.json"} <= names
    assert schema == (ROOT / "schema" / "helr.schema.json").read_bytes()
    top = {name.split("/")[0] for name in names}
    version = helr.__version__
    assert top == {"helr", "mock_server", f"helr-{version}.dist-info"}


def test_the_wheel_carries_the_pages_that_help_prints(bare: Path, tmp_path: Path) -> None:
    for topic in TOPICS:
        page = run(bare / "helr", "help", topic, cwd=tmp_path)
        assert page == (FOLDER / f"{topic}.md").read_text(encoding="utf-8")


def test_the_source_distribution_is_enough_to_install_from(dist: Path, tmp_path: Path) -> None:
    sdist = next(dist.glob("*.tar.gz"))
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "schema/helr.schema.json"} <= inside
    assert {"CONTRIBUTING.md", "SECURITY.md", "docs/decisions/README.md"} <= inside
    # pip builds it in isolation, as it would anywhere
    binaries = install(sdist, tmp_path, "--no-deps", "--no-compile")
    assert run(binaries / "helr", "--version", cwd=tmp_path).split() == ["helr", helr.__version__]


def test_the_command_starts_under_both_its_names(bare: Path, tmp_path: Path) -> None:
    version = run(bare / "helr", "--version", cwd=tmp_path)
    assert version.split() == ["helr", helr.__version__]
    assert run(bare / "python", "-m", "helr", "--version", cwd=tmp_path) == version


def test_the_metadata_names_license_and_python(bare: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import metadata as m; print(dict(m('helr')))"
    found = run(bare / "python", "-c", code, cwd=tmp_path)
    assert "'License-Expression': 'MIT OR Apache-2.0'" in found
    assert "'Requires-Python': '>=3.10'" in found


FIXTURES_TEST = """
import sys, urllib.request

EARLY = {"helr.http", "mock_server", "msgspec", "requests", "yaml"} & set(sys.modules)

def test_pytest_has_imported_the_plugin_alone():
    assert "helr.pytest_plugin" in sys.modules
    assert EARLY == set()

def test_the_mock(mock_slack):
    request = urllib.request.Request(mock_slack.logs_url)
    request.add_header("Authorization", "Bearer " + mock_slack.token)
    assert urllib.request.urlopen(request).status == 200

def test_the_clock(fake_clock):
    began = fake_clock.now()
    fake_clock.sleep(3600)
    assert fake_clock.now() == began + 3600
    assert fake_clock.waits == [3600]
"""


def test_pytest_finds_the_fixtures_of_the_installed_helr(dist: Path, tmp_path: Path) -> None:
    """Neither a conftest.py nor a setting names them."""
    binaries = install(next(dist.glob("*.whl")), tmp_path, "pytest")
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_fixtures.py").write_text(FIXTURES_TEST)
    assert "3 passed" in run(binaries / "python", "-m", "pytest", "-q", cwd=tests)


def test_installed_helr_collects_from_the_installed_mock(bare: Path, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = {"SLACK_AUDIT_TOKEN": MOCK_TOKEN}
    # JSON is YAML.
    config = {"sources": {"slack-audit": slack_source(f"http://127.0.0.1:{port}")}}
    (tmp_path / "helr.yaml").write_text(json.dumps(config))
    mock = subprocess.Popen(
        [bare / "python", "-m", "mock_server", "--port", str(port), "--events", "250"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_answers(mock, f"http://127.0.0.1:{port}/")
        run(bare / "helr", "validate", cwd=tmp_path, **token)
        lines = run(bare / "helr", "run", "--once", cwd=tmp_path, **token).split("\n")[:-1]
    finally:
        mock.terminate()
        mock.wait(10)
    assert len({json.loads(line)["event"]["id"] for line in lines}) == len(lines) == 250


def wait_until_answers(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 15
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            assert process.poll() is None, "the mock ended"
            assert time.monotonic() < deadline, f"{url} never answered"
            time.sleep(0.05)
