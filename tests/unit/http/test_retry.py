"""Attempts of a fetch: tries, waits, Retry-After and the breaker, without a network."""

from __future__ import annotations

import json
import logging
from email.utils import formatdate

import pytest
import requests
import responses

from helr.errors import HeldError, PollError, Stopped
from helr.http.failures import ConnectError
from helr.messages import Request, Response
from helr.pytest_plugin import FakeClock
from tests.unit.http.support import (
    NOW,
    URL,
    Fetching,
    Memory,
    StatusError,
    answers,
    free,
    large,
)

# -- tries


def test_a_failure_is_tried_again_with_backoff(
    api: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    answers(api, 503, 500, 200)
    it = Fetching(retries={"max_attempts": 3, "initial_backoff_secs": 2})
    with caplog.at_level(logging.INFO, "helr"):
        assert it.get() == b"{}"
    assert it.clock.waits == [2, 4]
    assert caplog.messages == [
        "waiting 2.0 s, then try 2 of 3: HTTP 503",
        "waiting 4.0 s, then try 3 of 3: HTTP 500",
    ]


def test_max_attempts_counts_all_tries(api: responses.RequestsMock) -> None:
    answers(api, 500)
    it = Fetching(retries={"max_attempts": 4})
    with pytest.raises(StatusError, match=r"HTTP 500 \(4 tries\)"):
        it.get()
    assert len(api.calls) == 4


@pytest.mark.parametrize("attempts", [0, 1])
def test_one_try_is_the_least(api: responses.RequestsMock, attempts: int) -> None:
    answers(api, 500)
    with pytest.raises(StatusError, match=r"HTTP 500$"):
        Fetching(retries={"max_attempts": attempts}).get()
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("status", "codes", "tries"),
    [
        (408, None, 3),
        (429, None, 3),
        (500, None, 3),
        (599, None, 3),
        (400, None, 1),
        (401, None, 1),
        (404, None, 1),
        (404, frozenset({404}), 3),
        (500, frozenset({404}), 1),
        (500, frozenset(), 1),
    ],
)
def test_which_statuses_are_tried_again(
    api: responses.RequestsMock, status: int, codes: frozenset[int] | None, tries: int
) -> None:
    answers(api, status)
    with pytest.raises(StatusError):
        Fetching(retries={"retryable_status_codes": codes}).get()
    assert len(api.calls) == tries


def test_what_is_final_is_not_tried_again_whatever_the_user_lists(
    api: responses.RequestsMock,
) -> None:
    class RefusedCursorError(StatusError):
        final = True

    def refuse(response: Response) -> None:
        raise RefusedCursorError(response.status)

    answers(api, 400, Retry_After="30")
    it = Fetching(retries={"retryable_status_codes": frozenset({400})})
    with pytest.raises(RefusedCursorError):
        it.fetch(Request(URL), refuse)
    assert len(api.calls) == 1
    assert not it.notes


def test_what_the_decoder_calls_retryable_is_tried_again(api: responses.RequestsMock) -> None:
    class BrokenError(PollError):
        retryable = True

    def broken(response: Response) -> None:
        raise BrokenError("broken JSON", source="s")

    answers(api, 200)
    with pytest.raises(BrokenError, match="3 tries"):
        Fetching().fetch(Request(URL), broken)
    assert len(api.calls) == 3


def test_a_connection_error_is_tried_again(api: responses.RequestsMock) -> None:
    api.get(URL, body=requests.ConnectionError(ConnectionRefusedError(111, "Connection refused")))
    answers(api, 200)
    assert Fetching().get() == b"{}"
    assert len(api.calls) == 2


def test_no_wait_goes_past_the_deadline(api: responses.RequestsMock) -> None:
    answers(api, 500)
    it = Fetching(retries={"initial_backoff_secs": 10, "max_attempts": 5})
    with pytest.raises(StatusError, match=r"HTTP 500 \(2 tries\)"):
        it.get(until=it.clock.monotonic() + 25)
    assert it.clock.waits == [10]


def test_a_wait_ends_on_a_stop(api: responses.RequestsMock) -> None:
    answers(api, 500)
    it = Fetching()
    it.clock.stop()
    with pytest.raises(Stopped):
        it.get()


# -- the server's wishes


def test_retry_after_replaces_the_backoff(
    api: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    answers(api, 429, Retry_After="30")
    answers(api, 200)
    it = Fetching()
    with caplog.at_level(logging.INFO, "helr"):
        it.get()
    assert it.clock.waits == [30]
    assert caplog.messages == ["waiting 30.0 s, Retry-After, then try 2 of 3: HTTP 429"]
    assert it.notes == {}


def test_a_stop_while_a_retry_after_is_waited_out_leaves_it_to_the_next_start(
    api: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(api, 429, Retry_After="30")
    it = Fetching()

    def stopped(_: float) -> None:
        raise Stopped

    monkeypatch.setattr(it.clock, "sleep", stopped)
    with pytest.raises(Stopped):
        it.get()
    assert json.loads(it.notes["hold"])["until"] == NOW + 30


def test_a_429_without_a_header_backs_off(api: responses.RequestsMock) -> None:
    answers(api, 429, 200)
    it = Fetching()
    it.get()
    assert it.clock.waits == [1]


def test_headers_are_ignored_when_told_so(api: responses.RequestsMock) -> None:
    answers(api, 429, Retry_After="3000")
    answers(api, 200)
    it = Fetching(rate_limit={"respect_headers": False})
    it.get()
    assert it.clock.waits == [1]


def test_a_long_wait_ends_the_poll_and_holds_every_process(api: responses.RequestsMock) -> None:
    answers(api, 429, Retry_After=formatdate(NOW + 600, usegmt=True))
    it = Fetching()
    with pytest.raises(HeldError, match=r"HTTP 429; the server asks to wait 10 min") as caught:
        it.get()
    assert caught.value.until == NOW + 600
    assert it.clock.waits == []
    assert json.loads(it.notes["hold"])["until"] == NOW + 600

    for now in (NOW, NOW + 599):
        later = Fetching(it.notes, now)
        with pytest.raises(HeldError, match="helr state reset s --hold"):
            later.retry.check_held()
        with pytest.raises(HeldError, match="HTTP 429"):
            later.get()
    assert len(api.calls) == 1

    answers(api, 200)
    assert Fetching(it.notes, NOW + 600).get() == b"{}"
    assert "hold" not in it.notes


def test_the_wait_holds_too_when_no_try_is_left(api: responses.RequestsMock) -> None:
    answers(api, 503, Retry_After="20")
    it = Fetching(retries={"max_attempts": 2})
    with pytest.raises(HeldError):
        it.get()
    assert it.clock.waits == [20]
    assert json.loads(it.notes["hold"])["until"] == NOW + 40


def test_the_wait_holds_too_when_the_poll_has_no_time_for_it(api: responses.RequestsMock) -> None:
    answers(api, 429, Retry_After="20")
    it = Fetching()
    with pytest.raises(HeldError):
        it.get(until=it.clock.monotonic() + 5)
    assert "hold" in it.notes


def test_more_than_a_day_is_cut_to_a_day_and_warned_about(
    api: responses.RequestsMock, caplog: pytest.LogCaptureFixture
) -> None:
    answers(api, 429, Retry_After="90000")
    with caplog.at_level(logging.WARNING, "helr"), pytest.raises(HeldError) as caught:
        Fetching().get()
    assert caught.value.until == NOW + 86_400
    assert "the server asks to wait 25.0 h; helr will try again after 24.0 h" in caplog.text
    assert "`helr state reset s --hold`" in caplog.text


class LimitedError(StatusError):
    """As the page decoder raises it for a 403 that is a rate limit."""

    limited = True


def test_a_rate_limit_with_another_status_is_one(api: responses.RequestsMock) -> None:
    def refuse(response: Response) -> bytes:
        if response.status == 403:
            raise LimitedError(403)
        return bytes(response.body)

    reset = str(int(NOW) + 20)
    answers(api, 403, X_RateLimit_Reset=reset)  # how GitHub says it; 403 alone is not retried
    answers(api, 403, 200)
    it = Fetching()
    assert it.fetch(Request(URL), refuse) == b"{}"
    assert it.clock.waits == [20, 2]


def test_a_wait_that_only_the_body_of_a_429_says(api: responses.RequestsMock) -> None:
    api.get(URL, status=429, body=b'{"retry_after": 7}')
    api.get(URL, status=503, body=b'{"retry_after": 7}')  # no rate limit: it may mean anything
    answers(api, 200)
    it = Fetching()
    it.get()
    assert it.clock.waits == [7, 2]


@pytest.mark.parametrize("ahead", [365 * 86_400, -365 * 86_400])
@pytest.mark.parametrize("status", [429, 503])
def test_a_clock_set_in_the_middle_of_a_wait_changes_nothing(
    api: responses.RequestsMock, status: int, ahead: float
) -> None:
    answers(api, status, Retry_After="30")
    answers(api, 200)

    class Set(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds / 2)
            self.ahead = ahead
            super().sleep(seconds / 2)

    it = Fetching(clock=Set(), breaker={"failure_threshold": 3})
    assert it.get() == b"{}"
    assert it.clock.waits == [15, 15]
    assert not it.notes


@pytest.mark.parametrize("saved", ["", "{", "[]", "null", '{"until": "soon"}', '{"until": NaN}'])
def test_a_hold_that_cannot_be_read_holds_nothing(api: responses.RequestsMock, saved: str) -> None:
    answers(api, 200)
    notes = Memory()
    notes["hold"] = saved
    assert Fetching(notes).get() == b"{}"


def test_adaptive_waits_for_the_reset_before_the_next_request(
    api: responses.RequestsMock,
) -> None:
    answers(api, 200, X_RateLimit_Remaining="1", X_RateLimit_Reset="15")
    it = Fetching(rate_limit={"adaptive": True})
    it.get()
    assert it.clock.waits == []
    it.get()
    assert it.clock.waits == [15]


def test_adaptive_holds_when_the_reset_is_far(api: responses.RequestsMock) -> None:
    answers(api, 200, X_RateLimit_Remaining="0", X_RateLimit_Reset="600")
    it = Fetching(rate_limit={"adaptive": True})
    assert it.get() == b"{}"  # this page is good
    with pytest.raises(HeldError, match="budget"):
        it.get()


def test_our_own_cap_spaces_requests(api: responses.RequestsMock) -> None:
    answers(api, 200)
    it = Fetching(rate_limit={"max_requests_per_second": 0.5, "burst_size": 2})
    for _ in range(4):
        it.get()
    assert it.clock.waits == [2, 2]


# -- the breaker


def test_the_breaker_opens_blocks_the_next_process_and_recovers(
    api: responses.RequestsMock,
) -> None:
    answers(api, 500)
    breaker = {"failure_threshold": 3, "success_threshold": 1, "half_open_timeout_secs": 60}
    it = Fetching(breaker=breaker, retries={"max_attempts": 10})
    with pytest.raises(StatusError, match="3 tries"):
        it.get()
    assert len(api.calls) == 3

    later = Fetching(it.notes, it.clock.now() + 1, breaker=breaker)
    with pytest.raises(HeldError, match=r"circuit breaker is open until \S+Z.*HTTP 500") as caught:
        later.get()
    assert caught.value.until == it.clock.now() + 60
    assert len(api.calls) == 3

    api.reset()
    answers(api, 200)
    last = Fetching(it.notes, it.clock.now() + 60, breaker=breaker)
    assert last.get() == b"{}"
    assert "breaker" not in it.notes


@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_the_callers_faults_do_not_open_it(api: responses.RequestsMock, status: int) -> None:
    answers(api, status)
    it = Fetching(breaker={"failure_threshold": 1})
    for _ in range(3):
        with pytest.raises(StatusError):
            it.get()
    assert "breaker" not in it.notes


def test_connection_errors_open_it(api: responses.RequestsMock) -> None:
    api.get(URL, body=requests.ConnectionError(ConnectionResetError(104, "reset")))
    it = Fetching(breaker={"failure_threshold": 2})
    with pytest.raises(ConnectError):
        it.get()
    with pytest.raises(HeldError):
        it.retry.check_held()


def test_ordinary_successes_write_nothing(api: responses.RequestsMock) -> None:
    answers(api, 200)
    it = Fetching()
    for _ in range(5):
        it.get()
    assert it.notes.writes == 0


def test_a_place_is_given_back_before_the_wait_for_the_next_try(
    api: responses.RequestsMock,
) -> None:
    large(api, 500)
    large(api)

    class Watching(FakeClock):
        def sleep(self, seconds: float) -> None:
            assert free(it.slots)
            super().sleep(seconds)

    it = Fetching(clock=Watching())  # with one place only: the second try would never get it
    it.get()
    assert free(it.slots)
