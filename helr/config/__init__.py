"""The config: `load` a helr.yaml, or get a ConfigError that lists everything wrong with it."""

from __future__ import annotations

from helr.config.load import load
from helr.config.problems import ConfigError, Problem

__all__ = ["ConfigError", "Problem", "load"]
