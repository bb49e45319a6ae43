"""A problem is one line: its place, its key, what is wrong and what to do; and in file order."""

from __future__ import annotations

import pytest

from helr.config.problems import ConfigError, KeyPath, Problem, dotted, no_such_source


def test_a_line_is_place_key_what_do_and_where_to_read_on() -> None:
    whole = Problem("helr.yaml", 3, 5, "sources.a.url", "is wrong", "mend it", "helr help x")
    assert str(whole) == "helr.yaml:3:5: sources.a.url: is wrong; mend it (helr help x)"
    assert whole.line_of("warning") == (
        "helr.yaml:3:5: warning: sources.a.url: is wrong; mend it (helr help x)"
    )
    assert str(Problem("helr.yaml", 0, 0, "", "is empty")) == "helr.yaml: is empty"


def test_nothing_in_a_line_controls_the_terminal() -> None:
    assert "\x1b" not in str(Problem("helr.yaml", 1, 1, "a\x1b[31m", "is wrong\x1b[0m"))


def test_an_error_lists_each_problem_once_in_the_order_of_the_file() -> None:
    last, first = Problem("f", 10, 1, "b", "is wrong"), Problem("f", 9, 7, "a", "is wrong")
    error = ConfigError([last, first, last])
    assert str(error) == "f:9:7: a: is wrong\nf:10:1: b: is wrong"
    assert error.exit_status == 2


@pytest.mark.parametrize(
    ("names", "do"),
    [
        (["slack-audit", "okta"], "did you mean slack-audit?"),
        (["SLACKAUDIT"], "did you mean SLACKAUDIT?"),
        (["okta"], "the only source is okta"),
        (["okta", "box"], "the sources are okta, box"),
        ([f"s{n}" for n in range(12)], "the sources are s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 "
                                       "and 2 more"),
    ],
)  # fmt: skip
def test_a_wrong_name_gets_the_nearest_or_all_of_them(names: list[str], do: str) -> None:
    problem = no_such_source("slackaudit", names)
    assert (problem.what, problem.do) == ("there is no source 'slackaudit'", do)


@pytest.mark.parametrize(
    ("path", "text"),
    [((), ""), (("a",), "a"), (("a", "b-c", 2, "d"), "a.b-c[2].d"), (("a", 0, 1), "a[0][1]")],
)
def test_a_path_as_messages_show_it(path: KeyPath, text: str) -> None:
    assert dotted(path) == text
