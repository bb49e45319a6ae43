"""The head of a response is read as curl reads it (more of that: test_like_curl.py)."""

from __future__ import annotations

import http.client
import io

import pytest

from helr.http.head import MOST_BYTES, BadAnswer, Head, framing, read_head


def head(*lines: str) -> Head:
    return read_head(io.BytesIO("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")))


@pytest.mark.parametrize(
    ("line", "version", "status", "reason"),
    [
        ("HTTP/1.1 200 OK", 11, 200, "OK"),
        ("HTTP/1.0 404 Not Found", 10, 404, "Not Found"),
        ("HTTP/1.1 200", 11, 200, ""),
        ("http/2 503\tGone away", 11, 503, "Gone away"),
    ],
)
def test_a_status_line(line: str, version: int, status: int, reason: str) -> None:
    assert head(line) == Head(version, status, reason, [])


@pytest.mark.parametrize(
    "line", ["<html>", "HTTP/1.1", "HTTP/1.1 OK", "HTTP/1.1 2000 OK", "ICY 200"]
)
def test_what_is_not_one(line: str) -> None:
    with pytest.raises(http.client.BadStatusLine):
        head(line)


def test_no_response_and_half_a_response_are_told_apart() -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        read_head(io.BytesIO(b""))
    with pytest.raises(http.client.IncompleteRead):
        read_head(io.BytesIO(b"HTTP/1.1 200 OK\r\nServer: x\r\n"))


def test_interim_responses_are_skipped_but_for_a_switch_of_protocols() -> None:
    lines = ("HTTP/1.1 103 Early Hints", "Link: x", "", "HTTP/1.1 200 OK", "Server: y")
    assert head(*lines).fields == [("Server", "y")]
    assert head("HTTP/1.1 101 Switching Protocols", "", "HTTP/1.1 200 OK").status == 101


def test_a_meaningless_line_is_ignored_and_a_continued_one_is_joined() -> None:
    lines = ("  continues nothing", "no colon", ": no name", "A: 1", "\t 2 ", "B:", "C : \0 3 ")
    assert head("HTTP/1.1 200 OK", *lines).fields == [("A", "1 2"), ("B", ""), ("C", "3")]


def test_all_heads_together_have_a_limit() -> None:
    half = ["A: " + "x" * 1000] * (MOST_BYTES // 2000)
    interim = ["HTTP/1.1 103 Early Hints", *half, ""]
    assert head(*interim, "HTTP/1.1 200 OK").status == 200
    with pytest.raises(BadAnswer, match="longer than 300 KiB"):
        head(*interim * 3, "HTTP/1.1 200 OK")
    with pytest.raises(BadAnswer, match="longer than 300 KiB"):
        head("HTTP/1.1 200 OK", "A: " + "x" * MOST_BYTES)


@pytest.mark.parametrize(
    ("fields", "chunked", "length"),
    [
        ([], False, None),  # until the connection ends
        ([("Content-Length", "5")], False, 5),
        ([("content-length", "5, 5")], False, 5),
        ([("Content-Length", "5"), ("Content-Length", "+5 ")], False, 5),
        ([("Content-Length", "five")], False, None),
        ([("Content-Length", "-5")], False, None),
        ([("Transfer-Encoding", "chunked"), ("Content-Length", "5")], True, None),
    ],
)
def test_the_length_of_a_body(
    fields: list[tuple[str, str]], chunked: bool, length: int | None
) -> None:
    assert framing(Head(11, 200, "OK", fields))[1:] == (chunked, length)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(BadAnswer, match="Content-Length is 5 and 6"):
        framing(Head(11, 200, "OK", [("Content-Length", "6"), ("Content-Length", "5")]))


@pytest.mark.parametrize("status", [204, 304, 101])
def test_some_responses_have_no_body(status: int) -> None:
    assert framing(Head(11, status, "", [("Content-Length", "5")])) == ([], False, 0)


def test_codings_of_the_transfer_are_decoded_like_those_of_the_content() -> None:
    fields = [("Transfer-Encoding", "gzip, chunked"), ("Content-Encoding", "br"), ("A", "b")]
    found, chunked, _ = framing(Head(11, 200, "OK", fields))
    assert chunked
    assert found == [("A", "b"), ("Content-Encoding", "br, gzip"), ("Transfer-Encoding", "chunked")]
