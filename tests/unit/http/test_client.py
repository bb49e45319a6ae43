"""One request: what is sent, its place in memory, and no secret in errors; without a network."""

from __future__ import annotations

import json

import pytest
import responses

from helr.errors import HeldError, PollError, Stopped, UnusableError
from helr.http.buffer import SMALL_BYTES
from helr.http.failures import RefusedError
from helr.messages import Request, Response
from helr.model import Auth
from tests.unit.http.support import (
    URL,
    Fetching,
    StatusError,
    answers,
    decode,
    free,
    large,
    make_retry,
    make_source,
)


def test_an_invalid_header_of_the_user_is_named_and_not_shown(
    api: responses.RequestsMock,
) -> None:
    it = Fetching(headers={"X-Team": "blue\nSECRET"})
    with pytest.raises(RefusedError) as caught:
        it.get()
    assert "`headers`" in str(caught.value)
    assert "SECRET" not in str(caught.value)


# -- what is sent


def test_headers_of_helr_the_user_and_the_token(
    api: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "xoxp-sent")
    answers(api, 200)
    headers = {"accept": "application/json", "Authorization": "not this one"}
    it = Fetching(auth=Auth("bearer", {"token_env": "TOKEN"}), headers=headers)
    it.fetch(Request(URL, (("limit", "200"), ("cursor", "a=&b"))), decode)
    sent = api.calls[0].request
    assert sent.url == URL + "?limit=200&cursor=a%3D%26b"
    assert sent.headers["Authorization"] == "Bearer xoxp-sent"
    assert sent.headers["Accept"] == "application/json"
    assert sent.headers["Accept-Encoding"] == "gzip, deflate"
    assert sent.headers["User-Agent"].startswith("helr/")


def test_the_query_of_the_url_stays(api: responses.RequestsMock) -> None:
    api.get(URL, body=b"{}")
    it = Fetching(url=URL + "?team=1")
    it.fetch(Request(URL + "?team=1", (("limit", "2"),)), decode)
    assert api.calls[0].request.url == URL + "?team=1&limit=2"


def test_a_missing_token_is_told_with_the_vendors_advice(
    api: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    it = Fetching(auth=Auth("bearer", {"token_env": "TOKEN"}))
    with pytest.raises(PollError, match=r"^s: .*TOKEN.* is not set.*xoxp-.*auditlogs:read"):
        it.get()
    assert not api.calls


def test_credentials_over_plain_http_are_refused_at_once() -> None:
    auth = Auth("bearer", {"token_env": "TOKEN"})
    with pytest.raises(UnusableError, match="plain http"):
        make_retry(make_source("http://api.example.com/logs", auth=auth))


# -- places in memory


def test_a_large_page_keeps_its_place_until_it_is_released(api: responses.RequestsMock) -> None:
    large(api)
    it = Fetching()
    response = it.fetch(Request(URL), lambda response: response)
    assert not free(it.slots)
    response.release()
    response.release()
    assert it.slots.acquire(blocking=False)
    assert not it.slots.acquire(blocking=False)  # repeated release gave nothing away


@pytest.mark.parametrize("error", [StatusError(500), KeyError("bug"), Stopped()])
def test_a_failed_page_gives_its_place_back(api: responses.RequestsMock, error: Exception) -> None:
    large(api, 500)

    def fail(response: Response) -> None:
        raise error

    it = Fetching()
    with pytest.raises(type(error)):
        it.fetch(Request(URL), fail)
    assert free(it.slots)


def test_a_body_that_is_too_large_gives_its_place_back(api: responses.RequestsMock) -> None:
    large(api)
    it = Fetching(max_response_bytes=SMALL_BYTES)
    with pytest.raises(RefusedError, match="max_response_bytes"):
        it.get()
    assert free(it.slots)
    assert len(api.calls) == 1


# -- secrets


def test_no_secret_in_errors_notes_or_urls(
    api: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server echoes the token; the URL and the query hold credentials of their own."""
    monkeypatch.setenv("TOKEN", "xoxp-planted-1")
    url = URL.replace("http://", "http://bob:planted-2@") + "?api_key=planted-3"
    seen: list[str] = []

    def echo(response: Response) -> None:
        seen.append(response.url)
        raise StatusError(500, f"s: {response.url}: {bytes(response.body).decode()}")

    api.get(url, status=500, body=b"bad token xoxp-planted-1", headers={"Retry-After": "900"})
    source = {"auth": Auth("bearer", {"token_env": "TOKEN"}), "breaker": {"failure_threshold": 1}}
    it = Fetching(url=url, headers={"X-Api-Key": "planted-4"}, **source)
    with pytest.raises(HeldError):
        it.fetch(Request(url), echo)
    assert seen == [URL]
    assert set(it.notes) == {"hold", "breaker"}
    assert "planted" not in json.dumps(it.notes)
