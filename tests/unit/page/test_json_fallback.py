"""The slow way to read a page: the events' own bytes, or what is wrong, and where."""

from __future__ import annotations

from typing import Any

import pytest

from helr.page import json_fallback
from helr.page.json_fallback import NotAPageError, dig, end_of, events, kind, load


def read(text: str, *keys: str) -> list[bytes]:
    body = text.encode("utf-8", "surrogatepass")
    return events(body, load(body), keys or ("events",))[0]


def test_events_keep_their_bytes() -> None:
    one, two = '{ "a" : 1.50,"a":1E5 }', '{"s":"\\ud800","n":' + "9" * 5000 + "}"
    assert read(f'{{"x":[{{}}], "events" : [ {one} ,\n{two}]}}') == [one.encode(), two.encode()]
    assert read(f" [{one}]") == [one.encode()]
    assert read('{"events":[]}') == []


def test_the_last_of_equal_keys_counts_as_in_json() -> None:
    assert read('{"events":[{"a":1}],"events":[{"a":2}]}') == [b'{"a":2}']
    assert read('{"d":{"e":[{"a":1}]},"d":{"e":[{"a":2}],"x":{}}}', "d.e") == [b'{"a":2}']


def test_the_first_key_with_an_array_counts() -> None:
    assert read('{"b":[{"n":1}],"a":{}}', "a", "b") == [b'{"n":1}']


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("null", "the body is null, not a page of events"),
        ('"x"', "the body is a string, not a page of events"),
        ('{"events":5}', "events is a number, not an array of events"),
        ('{"other":[]}', "the body has no array of events at events"),
        ('{"events":[{},null]}', "events[1] is null, not an event"),
        ("[true]", "the array[0] is a boolean, not an event"),
        ("", "the body is empty"),
        ("  \n", "the body is empty"),
        ("<html>", "the body is not JSON (expecting value at byte 0)"),
        ('{"é":tru}', "the body is not JSON (expecting value at byte 6)"),
        ('{"a":NaN}', "the body is not JSON (NaN is not a JSON number)"),
        ("[" * 100_000 + "]" * 100_000, "the body is nested too deeply for a JSON parser"),
    ],
)
def test_what_is_not_a_page(text: str, what: str) -> None:
    with pytest.raises(NotAPageError) as caught:
        read(text)
    assert str(caught.value) == what
    assert caught.value.advice


@pytest.mark.parametrize(
    "text",
    ["", '{"events":[', '{"a', '{"a":"b\\', '{"a":"b\\u00', '{"a":tr', '{"a":-', '{"a":1.', "{"],
)
def test_the_beginning_of_a_page_is_told_as_such(text: str) -> None:
    with pytest.raises(NotAPageError) as caught:
        load(text.encode())
    assert caught.value.cut


@pytest.mark.parametrize("text", ["<html>", '{"a":?}', '{"a":tru}', '{"a":1]', '{"a":1}}'])
def test_what_is_broken_is_not_the_beginning_of_a_page(text: str) -> None:
    with pytest.raises(NotAPageError) as caught:
        load(text.encode())
    assert not caught.value.cut


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"a": {"b": 0}}, "a.b", 0),
        ({"a": {"b": 0}}, "a.c", None),
        ({"a": 5}, "a.b", None),
        ([], "a", None),
        ({"": {"": 1}}, ".", 1),
    ],
)
def test_dig(value: Any, path: str, found: Any) -> None:
    assert dig(value, path) == found


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"), (True, "a boolean"), (1, "a number"), (1.5, "a number"), ("", "a string"),
        ([], "an array"), ({}, "an object"),
    ],
)  # fmt: skip
def test_kinds_as_messages_call_them(value: Any, name: str) -> None:
    assert kind(value) == name


@pytest.mark.parametrize("size", [1, 1000, 1024, 1030, 70_000])
def test_the_end_of_a_value_is_found_whatever_its_size(size: int) -> None:
    value = '{"a":"' + "x" * size + '"}'
    assert end_of(f"  {value} , more", 2) == 2 + len(value)
    assert end_of(value, 0) == len(value)
    assert end_of(value[:-1], 0) == -1
    assert end_of(f"{value[:-1]}!", 0) == -1


def test_a_string_that_json_refuses_is_shown_as_it_is() -> None:
    assert json_fallback.string('"a\\u0041"') == "aA"
    assert json_fallback.string('"a\tb"') == "a\tb"
