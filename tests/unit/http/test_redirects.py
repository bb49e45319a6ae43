"""Redirects are followed within an origin, and only with the query that was asked for."""

from __future__ import annotations

import pytest

from helr.http.failures import RefusedError
from helr.http.redirects import STATUSES, target

URL = "https://api.example/logs?cursor=c&limit=5"


def to(location: str, status: int = 302) -> str | None:
    return target("s", status, {"Location": location}, URL)


@pytest.mark.parametrize("status", sorted(STATUSES))
def test_to_the_same_origin(status: int) -> None:
    there = "https://api.example/v2/logs?cursor=c&limit=5"
    assert to(there, status) == there
    assert to("/v2/logs?cursor=c&limit=5", status) == there


@pytest.mark.parametrize("status", [200, 300, 304, 400])
def test_another_status_is_no_redirect(status: int) -> None:
    assert to("https://elsewhere.example/", status) is None


def test_nor_is_one_without_a_location() -> None:
    assert target("s", 302, {}, URL) is None
    assert to("") is None


@pytest.mark.parametrize(
    "location",
    [
        "https://elsewhere.example/logs?cursor=c&limit=5",
        "http://api.example/logs?cursor=c&limit=5",  # in plain text
        "https://api.example:8443/logs?cursor=c&limit=5",
        "//elsewhere.example/",
        "https://[broken/",
        "https://api.example:port/",
    ],
)
def test_another_origin_is_refused(location: str) -> None:
    with pytest.raises(RefusedError) as caught:
        to(location)
    assert "the credentials would be sent to another origin" in caught.value.what
    assert (caught.value.where, caught.value.source) == ("https://api.example/logs", "s")


def test_a_password_in_the_location_is_not_shown() -> None:
    with pytest.raises(RefusedError) as caught:
        to("https://bob:planted@elsewhere.example/?key=planted")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "lost"),
    [
        ("/logs", "(cursor, limit)"),
        ("/v2/logs", "(cursor, limit)"),
        ("/logs/?limit=5", "(cursor)"),
        ("/logs?other=1", "(cursor, limit)"),
    ],
)
def test_one_that_drops_the_query_is_refused(location: str, lost: str) -> None:
    with pytest.raises(RefusedError) as caught:
        to(location)
    assert caught.value.what.endswith(f"drops the query {lost}")


def test_another_path_may_have_a_query_of_its_own() -> None:
    assert to("/blob/17?signature=x") == "https://api.example/blob/17?signature=x"


def test_after_see_other_the_query_does_not_matter() -> None:
    assert to("/result/17", 303) == "https://api.example/result/17"


def test_a_location_in_raw_utf8_is_read_as_such() -> None:
    raw = "/é?cursor=c&limit=5".encode().decode("latin-1")
    assert to(raw) == "https://api.example/é?cursor=c&limit=5"
