"""No output, log or recording goes into a file of helr's own, by whatever name it is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server import MockSlack
from tests.command.support import careful
from tests.conftest import MOCK_TOKEN, ROOT, Helr

pytestmark = pytest.mark.unmeasured

OWN = (
    "helr.yaml",
    "helr-state.db",
    "helr-state.db-wal",
    "helr-state.db-shm",
    "helr-state.db-journal",
    "helr-state.db.checked",
    "helr-state.db.a.lock",
    "helr-state.db.b.lock",  # of a source that is not even polled
    "token",
    "ca.pem",
)


@pytest.fixture
def mock() -> Iterator[MockSlack]:
    with MockSlack(events=3) as mock:
        yield mock


@pytest.fixture
def ready(helr: Helr, mock: MockSlack) -> Helr:
    """A config with two sources, and some of its files."""
    (helr.cwd / "token").write_text(MOCK_TOKEN)
    (helr.cwd / "ca.pem").write_bytes((ROOT / "tests/mock_server/localhost.crt").read_bytes())
    source = {
        "auth": {"type": "bearer", "token_file": "token"},
        "resilience": {"tls": {"ca_file": "ca.pem"}},
    }
    helr.config(
        sources={
            "a": careful(mock.url, **source),
            "b": careful(mock.url),
        }
    )
    return helr


def kept(helr: Helr) -> dict[str, bytes]:
    return {name: (helr.cwd / name).read_bytes() for name in ("helr.yaml", "token", "ca.pem")}


def refused(helr: Helr, mock: MockSlack, *args: str, said: str, **options: object) -> None:
    before = kept(helr)
    done = helr.run("run", "--once", "--source", "a", *args, **options)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert mock.requests == []
    assert kept(helr) == before


@pytest.mark.parametrize("own", OWN)
def test_an_output_by_name(ready: Helr, mock: MockSlack, own: str) -> None:
    (ready.cwd / "other").symlink_to(ready.cwd, target_is_directory=True)
    for name in (own, f"./other/{own}", f"../{ready.cwd.name}/{own}", str(ready.cwd / own)):
        refused(ready, mock, "-o", name, said=f"output {name}: it is one of helr's own files (")


@pytest.mark.parametrize("own", OWN)
def test_an_output_by_a_link(ready: Helr, mock: MockSlack, own: str) -> None:
    os.symlink(own, ready.cwd / "symbolic")
    refused(ready, mock, "-o", "symbolic", said="it is one of helr's own files")
    (ready.cwd / own).touch()
    os.link(ready.cwd / own, ready.cwd / "hard")
    refused(ready, mock, "-o", "hard", said="it is one of helr's own files")


@pytest.mark.parametrize("own", [name for name in OWN if name != "helr.yaml"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_redirection(ready: Helr, mock: MockSlack, own: str, stream: str) -> None:
    """As `helr run > FILE` and `2>> FILE`: the shell has made the file before helr begins."""
    if own in ("token", "ca.pem"):
        (ready.cwd / own).chmod(0o600)
    with (ready.cwd / own).open("ab") as file:
        streams = {"stdout": -1, "stderr": -1, stream: file}
        with ready.start("run", "--once", "--source", "a", **streams) as process:
            out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert mock.requests == []
    called = "standard output" if stream == "stdout" else "standard error"
    told = err if stream == "stdout" else (ready.cwd / own).read_bytes()
    if stream == "stdout" or own != "helr-state.db.checked":  # that one was replaced by then
        assert f"{called}: redirected to ".encode() in told
        assert f"{own}, which is one of helr's own files; redirect it".encode() in told
    assert not out


@pytest.mark.parametrize(
    "args", [("test", "--source", "a"), ("state", "export"), ("status",), ("state", "show", "a")]
)
def test_a_redirection_of_another_command(
    ready: Helr, mock: MockSlack, args: tuple[str, ...]
) -> None:
    assert ready.run("run", "--once", "--source", "a").returncode == 0
    before = (ready.cwd / "helr-state.db").read_bytes()
    with (
        (ready.cwd / "helr-state.db").open("ab") as file,
        ready.start(*args, stdout=file) as process,
    ):
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"standard output: redirected to helr-state.db" in err
    assert (ready.cwd / "helr-state.db").read_bytes() == before


def test_a_state_behind_a_link(ready: Helr, mock: MockSlack) -> None:
    """SQLite keeps its files beside the file, not beside the link."""
    (ready.cwd / "disk").mkdir()
    (ready.cwd / "helr-state.db").symlink_to("disk/real.db")
    for name in ("disk/real.db", "disk/real.db-wal", "disk/real.db.a.lock"):
        refused(ready, mock, "-o", name, said=f"output {name}: it is one of helr's own files")


def test_recordings_and_outputs_keep_apart(ready: Helr, mock: MockSlack) -> None:
    record = ("--record-dir", "rec")
    refused(
        ready, mock, *record, "-o", "rec/a/000.json", said="it is one of helr's own files (rec/a)"
    )
    (ready.cwd / "rec" / "a").mkdir(parents=True)
    with (ready.cwd / "rec" / "a" / "state.json").open("ab") as file:
        process = ready.start("run", "--once", "--source", "a", *record, stdout=file)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"redirected to rec/a/state.json" in err
    assert mock.requests == []


def test_a_replay_does_not_write_into_what_it_reads(ready: Helr, mock: MockSlack) -> None:
    source = ("--source", "a")
    assert ready.run("run", "--once", *source, "--record-dir", "rec").returncode == 0
    before = (ready.cwd / "rec" / "a" / "000.json").read_bytes()
    replay = ("run", "--once", *source, "--replay-dir", "rec", "-o")
    for name in ("rec/a/000.json", "rec/a/new", "helr-state.db"):
        done = ready.run(*replay, name)
        assert (done.returncode, "it is one of helr's own files" in done.stderr) == (2, True)
    assert (ready.cwd / "rec" / "a" / "000.json").read_bytes() == before
    assert ready.run(*replay, "rec/out").returncode == 0


def test_recordings_among_own_files(helr: Helr, mock: MockSlack) -> None:
    """`DIR/<source>/state.json` may be the config, or the state."""
    (helr.cwd / "a").mkdir()
    helr.config(**{"global": {"state": {"path": "a/000.json"}}}, sources={"a": careful(mock.url)})
    done = helr.run("run", "--once", "--record-dir", ".")
    assert done.returncode == 2
    assert "recordings ./a: the directory contains a/000.json" in done.stderr
    assert mock.requests == []


@pytest.mark.parametrize(
    "url", ["http://collector:8088/in", "https://u:p-secret@x/y", "nats://x", "FILE:///tmp/x"]
)
@pytest.mark.parametrize("option", ["--output", "-o", "--record-dir"])
def test_a_url_is_no_file(ready: Helr, mock: MockSlack, option: str, url: str) -> None:
    refused(ready, mock, option, url, said="helr writes only to files and pipes")
    assert "p-secret" not in ready.run("run", "--once", option, url).stderr
    assert not [path for path in ready.cwd.iterdir() if ":" in path.name]


def test_names_that_only_look_like_one(ready: Helr) -> None:
    for name in ("./http://x", "a:b", "://"):
        if "/" in name:
            (ready.cwd / name).parent.mkdir(parents=True, exist_ok=True)
        done = ready.run("run", "--once", "--source", "a", "-o", name)
        assert "files and pipes only" not in done.stderr


def test_no_name_and_a_dash(ready: Helr, mock: MockSlack) -> None:
    refused(ready, mock, "-o", "", said="--output is empty")
    done = ready.run("run", "--once", "--source", "a", "-o", "-")
    assert (done.returncode, done.stdout.count("\n")) == (0, 3)
    assert not (ready.cwd / "-").exists()


def test_an_ordinary_file_is_written(ready: Helr, mock: MockSlack) -> None:
    with Path(ready.cwd / "out").open("ab") as file:
        process = ready.start("run", "--once", "--source", "a", stdout=file)
        assert process.wait(30) == 0
    assert (ready.cwd / "out").read_bytes().count(b"\n") == 3
