"""What is known about an API's vendor: its limits, and what its errors mean. One JSON file each.

Only these files name a vendor; the engine calls `find`, which returns a dictionary or None.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def find(url: str) -> dict[str, Any] | None:
    """The vendor whose API has the URL's path, on any host, so that a mock counts too."""
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError:
        return None
    return next((vendor for vendor in _all() if vendor["path"] == path), None)


@cache
def _all() -> list[dict[str, Any]]:
    import json

    return [json.loads(file.read_bytes()) for file in sorted(Path(__file__).parent.glob("*.json"))]
