"""Every wrong config in gallery.txt gets exactly the message below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helr.config import ConfigError, load, yaml_tree

GALLERY = Path(__file__).with_name("gallery.txt").read_text(encoding="utf-8")
ENVIRON = {"TOKEN": "xoxp-planted", "SECONDS": "60"}


def cases() -> list[tuple[str, str, str]]:
    """Name, config, message."""
    found = []
    for case in re.split(r"^=== ", GALLERY, flags=re.MULTILINE)[1:]:
        name, _, rest = case.partition("\n")
        config, *lines = re.split(r"^>>> ", rest, flags=re.MULTILINE)
        found.append((name, config, "".join(lines).rstrip("\n")))
    return found


CASES = cases()
BYTES = {
    "not UTF-8": (
        b"sources:\n  caf\xe9: {}\n",
        "2:6: byte 0xE9 is not UTF-8; save the file as UTF-8",
    ),
    "UTF-16": ("sources: {}".encode("utf-16"), "1:1: is UTF-16; save it as UTF-8"),
    "NUL": (b"sources:\n  a: \0\n", "2:6: the control character U+0000 is not allowed"),
    "escape": (b"a: \x1b[31m\n", "1:4: the control character U+001B is not allowed"),
    "nothing": (b"", "1:1: is empty; write a config to start from with `helr init`"),
    "a byte order mark alone": (
        b"\xef\xbb\xbf",
        "1:1: is empty; write a config to start from with `helr init`",
    ),
    "too deep": (b"a: " + b"[" * 40 + b"]" * 40, "1:35: is nested more than 32 deep"),
    "a complex key": (b"? [a, b]\n: c\n", "1:8: a key must be plain text"),
}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def message(content: bytes) -> str:
    Path("helr.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load("helr.yaml", environ=ENVIRON)
    return str(caught.value)


@pytest.mark.parametrize(("name", "config", "expected"), CASES, ids=[case[0] for case in CASES])
def test_gallery(name: str, config: str, expected: str) -> None:
    assert message(config.encode()) == expected.replace("{cwd}", str(Path.cwd()))


def test_the_gallery_is_large_and_shows_no_secret() -> None:
    assert len(CASES) >= 100
    assert len({name for name, _, _ in CASES}) == len(CASES)
    assert "xoxp-" not in "".join(expected for _, _, expected in CASES)


@pytest.mark.parametrize("name", BYTES)
def test_files_that_are_not_text(name: str) -> None:
    content, expected = BYTES[name]
    assert message(content) == f"helr.yaml:{expected}"


def test_a_file_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_tree, "MAX_BYTES", 2**20)
    with pytest.raises(ConfigError, match="is larger than 1 MiB; is it"):
        load("/dev/zero")


def test_a_missing_file() -> None:
    with pytest.raises(ConfigError) as caught:
        load("absent.yaml")
    expected = "no such file; write one with `helr init`, or name another with `-c FILE`"
    assert str(caught.value) == f"absent.yaml: {expected}"


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(str(tmp_path))


def test_billion_laughs() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for n in range(1, 10):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]")
    assert "the aliases expand to more than 100310 values" in message("\n".join(lines).encode())


def test_a_flood_of_merged_keys() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(3000))
    merges = "\n".join(f"m{n}: {{<<: *a}}" for n in range(70))
    assert "keys are merged" in message(f"a: &a {{{keys}}}\n{merges}".encode())
