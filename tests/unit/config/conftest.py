"""A config file in its own directory, loaded with its own environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from helr.config import ConfigError, load
from helr.model import Config

Load = Callable[..., Config]
Problems = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in a config are relative to the working directory, which is never the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write() -> Callable[[str], None]:
    def write(text: str) -> None:
        Path("helr.yaml").write_text(dedent(text), encoding="utf-8")

    return write


@pytest.fixture
def loaded(write: Callable[[str], None]) -> Load:
    """Load the given text."""

    def loaded(text: str, environ: Mapping[str, str] | None = None, **options: Any) -> Config:
        write(text)
        return load("helr.yaml", environ=environ or {}, **options)

    return loaded


@pytest.fixture
def problems(loaded: Load) -> Problems:
    """The lines that helr reports about the given text."""

    def problems(text: str, environ: Mapping[str, str] | None = None, **options: Any) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            loaded(text, environ, **options)
        return str(caught.value).split("\n")

    return problems
