"""Damaged recordings are reported in fields. Reading good ones: test_record_replay.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helr import recording
from helr.errors import UnusableError

GOOD: dict[str, Any] = {
    "url": "https://h/a",
    "status": 200,
    "headers": {},
    "body_base64": "e30=",
    "received": 1.0,
}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"url": None}, "url is missing or is not a string"),
        ({"status": "200"}, "status is missing or is not a whole number"),
        ({"headers": []}, "headers is missing or is not an object"),
        ({"headers": {"Date": 1}}, "a value in headers is not a string"),
        ({"body_base64": "{}"}, "body_base64 is not base64"),
        ({"received": "now"}, "received or elapsed is not a number"),
        ({"elapsed": True}, "received or elapsed is not a number"),
        ({"replaced": "body"}, "replaced is not an array"),
    ],
)
def test_a_damaged_recording_is_named(changes: dict[str, Any], what: str, tmp_path: Path) -> None:
    path = tmp_path / "000.json"
    path.write_text(json.dumps({**GOOD, **changes}))
    with pytest.raises(UnusableError) as caught:
        recording.read(str(path))
    assert caught.value.what == what
    assert caught.value.where == f"recording {path}"
    assert caught.value.do == "record it again"


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableError) as caught:
        recording.read(str(tmp_path / "000.json"))
    assert caught.value.what == "cannot be read: No such file or directory"
    assert caught.value.where == f"recording {tmp_path}/000.json"
    assert caught.value.do == "make the file readable for helr"
