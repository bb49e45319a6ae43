"""Headers are replaced in any case; a place in memory is given back once."""

from __future__ import annotations

import threading

from helr.messages import Request, with_headers
from tests.unit.support import respond


def test_a_header_replaces_the_one_of_that_name_in_any_case() -> None:
    asked = Request("https://api.example", headers={"accept": "text/html", "X-Team": "blue"})
    sent = with_headers(asked, Accept="application/json", Authorization="Bearer x")
    assert sent.headers == {
        "X-Team": "blue",
        "Accept": "application/json",
        "Authorization": "Bearer x",
    }
    assert asked.headers == {"accept": "text/html", "X-Team": "blue"}


def test_a_place_in_memory_is_given_back_once() -> None:
    place = threading.BoundedSemaphore(1)
    place.acquire()
    response = respond()
    response.slot = place
    response.release()
    response.release()  # would be an error of the semaphore
    assert place.acquire(blocking=False)
