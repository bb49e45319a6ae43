"""The config: `load` a helr.yaml, or learn from ConfigError everything that is wrong with it."""

from __future__ import annotations

from helr.config.load import load
from helr.config.problems import ConfigError, Problem

__all__ = ["ConfigError", "Problem", "load"]
