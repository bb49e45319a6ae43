"""What a valid config means: placeholders, types, defaults, selection, the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from helr.config.load import examine
from helr.config.problems import ConfigError
from helr.errors import UnusableError
from helr.model import IncrementalFrom, Pagination, Retries, Schedule, Source, Timeouts
from tests.support import FULL
from tests.unit.config.conftest import Load, Problems

SOURCE = """
sources:
  a:
    url: https://api.example.com/logs
"""


def source(loaded: Load, settings: str, **environ: str) -> Source:
    """The source `a` with these settings in addition to its url."""
    lines = "".join(f"    {line}\n" for line in settings.strip().split("\n"))
    return loaded(SOURCE + lines, environ).sources["a"]


def test_a_source_needs_only_a_url(loaded: Load) -> None:
    config = loaded(SOURCE)
    assert config.path == "helr.yaml"
    assert config.notices == ()
    assert config.globals.state.path == "./helr-state.db"
    found = config.sources["a"]
    assert found.label_key == "source"
    assert found.label_value == "a"
    assert found.pagination == Pagination("none", 100, {})
    assert found.schedule == Schedule(60, 0)
    assert found.resilience.timeouts == Timeouts(10, 30, 30)
    assert found.resilience.retries == Retries(3, 1, 60, 2, 0.1, None)
    assert found.on_cursor_error == "fail"
    assert found.auth is None


class TestPlaceholders:
    def test_a_value_holds_one(self, loaded: Load) -> None:
        found = source(loaded, "response_events_path: ${A}.${B:-logs}", A="data")
        assert found.response_events_path == "data.logs"

    def test_unquoted_and_alone_it_is_typed(self, loaded: Load) -> None:
        text = "global: {output: {settle_secs: '${S:-0}'}}"
        text = text.replace("'${S:-0}'", "${S:-0.5}").replace("{output: {", "\n  output:\n    ")
        config = loaded(text.replace("}}", "") + SOURCE)
        assert config.globals.settle_secs == 0.5
        config = loaded(text.replace("}}", "") + SOURCE, {"S": "2"})
        assert config.globals.settle_secs == 2

    def test_in_quotes_it_stays_text(self, loaded: Load) -> None:
        assert source(loaded, 'source_label_value: "${N}"', N="7").label_value == "7"

    def test_the_default_stands_for_an_empty_variable_too(self, loaded: Load) -> None:
        assert source(loaded, "source_label_value: ${N:-x}", N="").label_value == "x"

    def test_an_empty_one_leaves_the_key_out(self, loaded: Load) -> None:
        assert source(loaded, "max_bytes: ${N:-}").max_bytes is None
        assert source(loaded, "query_params:\n  oldest: ${N:-}").query_params == {}

    def test_a_dollar_can_be_plain(self, loaded: Load) -> None:
        found = source(loaded, "query_params:\n  q: $${A} $5 $$\n  r: '$${A}'", A="1")
        assert found.query_params == {"q": "${A} $5 $$", "r": "${A}"}

    def test_the_environment_never_changes_the_structure(self, loaded: Load) -> None:
        evil = "x\n    allow_insecure: true\n{a: b}\n- *c #"
        found = source(loaded, "query_params:\n  a: ${E}\n  b: '${E}'\n  c: z${E}", E=evil)
        assert found.query_params == {"a": evil, "b": evil, "c": f"z{evil}"}
        found = source(loaded, "query_params:\n  a: ${E}", E="{b: [c]}")
        assert found.query_params == {"a": "{b: [c]}"}

    def test_a_value_is_expanded_once(self, loaded: Load) -> None:
        assert source(loaded, "query_params:\n  a: ${E}", E="${F}").query_params == {"a": "${F}"}

    def test_helrs_other_spelling_is_noticed(self, loaded: Load) -> None:
        config = loaded(SOURCE + "    query_params: {a: $HOME, b: $5}", {"HOME": "/root"})
        expected = "sources.a.query_params.a: $HOME is not expanded; write ${HOME} for the"
        assert config.notices == (f"helr.yaml:5:23: {expected} variable",)


class TestPlaceholdersInKeys:
    TEXT = """
    sources:
      ${NAME}-audit:
        url: https://api.example.com/logs
        headers: {"X-${H:-def}": a}
    """

    def test_a_name_and_a_header(self, loaded: Load) -> None:
        config = loaded(self.TEXT, {"NAME": "a"})
        assert list(config.sources) == ["a-audit"]
        assert config.sources["a-audit"].headers == {"X-def": "a"}
        assert list(loaded(self.TEXT, {"NAME": "a"}, sources=["a-audit"]).sources) == ["a-audit"]

    def test_what_an_expansion_gave_is_plain_text(self, loaded: Load) -> None:
        assert list(loaded(self.TEXT, {"NAME": "${X}"}).sources) == ["${X}-audit"]
        text = self.TEXT.replace("${NAME}", "$${NAME}").replace("headers:", "# headers:")
        assert list(loaded(text).sources) == ["${NAME}-audit"]

    def test_an_anchor_with_one_is_expanded_once(self, loaded: Load) -> None:
        text = """
        sources:
          a: {url: https://a.example, query_params: &h {"${H}": b}}
          b: {url: https://a.example, query_params: *h}
        """
        config = loaded(text, {"H": "${Z}"})
        assert config.sources["a"].query_params == {"${Z}": "b"}
        assert config.sources["b"].query_params == {"${Z}": "b"}

    def test_one_that_is_not_set_is_told_at_its_place(self, problems: Problems) -> None:
        (line,) = problems(self.TEXT)
        assert line.startswith(
            "helr.yaml:3:3: sources.${NAME}-audit: the environment variable NAME"
        )

    def test_only_the_selected_sources_need_theirs(self, loaded: Load) -> None:
        text = self.TEXT + "  b: {url: https://api.example.com/logs}\n"
        assert list(loaded(text, sources=["b"]).sources) == ["b"]

    def test_two_that_become_the_same(self, problems: Problems) -> None:
        text = self.TEXT + "  a-audit: {url: https://api.example.com/logs}\n"
        (line,) = problems(text, {"NAME": "a"})
        assert (
            line == "helr.yaml:6:3: sources.a-audit: duplicate key, first on line 3; "
            "keep only one of them"
        )

    def test_below_one_places_are_found(self, problems: Problems) -> None:
        (line,) = problems(self.TEXT + "    shedule: {}\n", {"NAME": "a"})  # codespell:ignore
        where = "helr.yaml:6:5: sources.a-audit.shedule"  # codespell:ignore
        assert line.startswith(f"{where}: unknown key")


MANY = 1500 if FULL else 300


class TestSize:
    """An ordinary config has no limit; what aliases add has one."""

    def test_many_sources(self, loaded: Load) -> None:
        one = "".join(f"      k{number}: v\n" for number in range(20))
        lines = (
            f"  s{number}:\n    url: https://a.example\n    query_params:\n{one}"
            for number in range(MANY)
        )
        assert len(loaded("sources:\n" + "".join(lines)).sources) == MANY

    def test_many_sources_of_one_anchor(self, loaded: Load) -> None:
        one = ", ".join(f"k{number}: v" for number in range(30))
        text = f"sources:\n  s: &s {{url: https://a.example, query_params: &q {{{one}}}}}\n"
        text += "".join(f"  s{number}: *s\n" for number in range(MANY))
        text += "".join(
            f"  m{number}: {{<<: *s, query_params: {{<<: *q, l: 1}}}}\n"
            for number in range(MANY // 3)
        )
        assert len(loaded(text).sources) == MANY + MANY // 3 + 1


class TestScalars:
    def test_parameters_are_sent_as_they_are_written(self, loaded: Load) -> None:
        written = {
            "a": "1521214343",
            "b": "007",
            "c": "1.50",
            "d": "1e9",
            "e": "true",
            "f": "yes",
            "g": "12:30",
            "h": "2024-01-01",
            "i": "1_000",
            "j": "0x1F",
            "k": "9" * 40,
            "l": "-1",
            "m": "+1",
            "n": ".inf",
            "o": "True",
        }
        settings = "query_params:\n" + "\n".join(f"  {k}: {v}" for k, v in written.items())
        assert source(loaded, settings).query_params == written

    def test_headers_too(self, loaded: Load) -> None:
        found = source(loaded, "headers:\n  X-Version: 1.10\n  X-Empty: ''")
        assert found.headers == {"X-Version": "1.10", "X-Empty": ""}

    def test_a_number_from_a_placeholder(self, loaded: Load) -> None:
        found = source(loaded, "query_params:\n  oldest: ${T}", T="1521214343")
        assert found.query_params == {"oldest": "1521214343"}

    def test_a_whole_number_may_look_like_a_fraction(self, loaded: Load) -> None:
        found = source(loaded, "pagination: {strategy: none, max_pages: 25.0}")
        assert repr(found.pagination.max_pages) == "25"

    def test_merged_mappings(self, loaded: Load) -> None:
        config = loaded("""
            sources:
              a: &base
                url: https://api.example.com/a
                schedule: {interval_secs: 5}
              b:
                <<: *base
                url: https://api.example.com/b
        """)
        assert config.sources["b"].url == "https://api.example.com/b"
        assert config.sources["b"].schedule.interval_secs == 5


@pytest.mark.parametrize(
    "settings",
    [
        r'headers: {"X-A\n": b}',
        r'headers: {X-A: "b\n"}',
        r'auth: {type: bearer, token_env: T, prefix: "Bearer\n"}',
        r'auth: {type: bearer, token_env: "T\n"}',
    ],
)
def test_no_line_break_gets_into_a_request(problems: Problems, settings: str) -> None:
    assert len(problems(SOURCE + f"    {settings}", replay=True)) == 1


class TestMeanings:
    def test_no_attempts_are_one(self, loaded: Load) -> None:
        found = source(loaded, "resilience: {retries: {max_attempts: 0}}")
        assert found.resilience.retries.max_attempts == 1

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("timeout_secs: 5", Timeouts(5, 5, 5)),
            ("timeout_secs: 60", Timeouts(10, 60, 60)),
            ("timeouts: {request_secs: 300}", Timeouts(10, 300, 30)),
            ("timeouts: {request_secs: 4}", Timeouts(4, 4, 4)),
            ("timeouts: {connect_secs: 1, read_secs: 2}", Timeouts(1, 30, 2)),
            ("timeouts: {poll_tick_secs: 9, idle_secs: 8}", Timeouts(10, 30, 30, 8, 9)),
        ],
    )
    def test_timeouts(self, loaded: Load, given: str, expected: Timeouts) -> None:
        assert source(loaded, f"resilience: {{{given}}}").resilience.timeouts == expected

    def test_labels(self, loaded: Load) -> None:
        config = loaded("""
            global: {source_label_key: service, source_label_value: helr-eu}
            sources:
              a: {url: https://api.example.com/a}
              b: {url: https://api.example.com/b, source_label_key: k, source_label_value: v}
        """)
        assert (config.globals.label_key, config.globals.label_value) == ("service", "helr-eu")
        labels = [(s.label_key, s.label_value) for s in config.sources.values()]
        assert labels == [("service", "a"), ("k", "v")]

    def test_helrs_state_is_incremental_from(self, loaded: Load) -> None:
        found = source(loaded, "state: {watermark_field: id.time, watermark_param: startTime}")
        assert found.incremental_from == IncrementalFrom("watermark", "id.time", "startTime")

    def test_helrs_from_is_a_first_parameter(self, loaded: Load) -> None:
        found = source(loaded, "from: 2024-01-01T00:00:00Z")
        assert found.first_request_query_params == {"since": "2024-01-01T00:00:00Z"}
        found = source(loaded, "from: 1521214343\nfrom_param: after")
        assert found.first_request_query_params == {"after": "1521214343"}

    def test_rate_limit_headers(self, loaded: Load) -> None:
        found = source(loaded, "resilience: {rate_limit: {headers: {reset_header: X-Reset}}}")
        assert found.resilience.rate_limit.reset_header == "X-Reset"
        assert found.resilience.rate_limit.limit_header == "X-RateLimit-Limit"

    def test_tls_version_as_a_number(self, loaded: Load) -> None:
        found = source(loaded, "resilience: {tls: {min_version: 1.3}}")
        assert found.resilience.tls.min_version == "1.3"


class TestSelection:
    TWO = """
        sources:
          one:
            url: https://api.example.com/1
            auth: {type: bearer, token_env: ONE}
          two:
            url: https://${DOMAIN}/2
            auth: {type: bearer, token_env: TWO}
    """

    def test_only_the_selected_need_their_environment(
        self, loaded: Load, problems: Problems, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ONE", "t")
        monkeypatch.delenv("TWO", raising=False)
        assert list(loaded(self.TWO, sources=["one"]).sources) == ["one"]
        found = problems(self.TWO)
        assert [line.split(": ")[1] for line in found] == [
            "sources.two.url",
            "sources.two.auth.token_env",
        ]

    def test_an_unknown_name(self, problems: Problems) -> None:
        assert problems(self.TWO, sources=["on"]) == [
            "helr.yaml: there is no source 'on'; did you mean one?"
        ]
        assert problems(self.TWO, sources=["other"]) == [
            "helr.yaml: there is no source 'other'; the sources are one, two"
        ]

    def test_a_replay_needs_no_secret_and_no_state(
        self, loaded: Load, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("ONE", raising=False)
        text = "\nglobal: {state: {path: /nowhere/x.db}}\n" + SOURCE
        text += "    auth: {type: bearer, token_env: ONE}"
        assert loaded(text, replay=True).sources["a"].auth is not None


class TestEnvironment:
    def test_words_that_the_rust_helr_takes_in_any_case(self, loaded: Load) -> None:
        text = '\nglobal: {log_level: WARN, log_format: "${F}", state: {backend: SQLite}}' + SOURCE
        found = loaded(text, {"F": "JSON"}).globals
        assert (found.log_level, found.log_format) == ("warn", "json")
        assert found.state.backend == "sqlite"
        assert loaded(text.replace("SQLite", "Memory"), {"F": "Pretty"}).globals.state.backend == (
            "memory"
        )

    def test_log_settings_override(self, loaded: Load) -> None:
        config = loaded("\nglobal: {log_level: warn}" + SOURCE, {"HELR_LOG_LEVEL": "DEBUG"})
        assert config.globals.log_level == "debug"
        assert loaded(SOURCE, {"HELR_LOG_FORMAT": "json"}).globals.log_format == "json"
        assert loaded(SOURCE, {"HELR_LOG_FORMAT": ""}).globals.log_format == "pretty"

    def test_and_are_checked(self, problems: Problems) -> None:
        expected = "helr.yaml: HELR_LOG_LEVEL: must be one of trace, debug, info, warn, error, not"
        assert problems(SOURCE, {"HELR_LOG_LEVEL": "loud"}) == [f"{expected} 'loud'"]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_state_directory_without_permission(self, loaded: Load, tmp_path: Path) -> None:
        """`validate` reports it; a run finds out when it opens the file, and exits with 5."""
        (tmp_path / "shut").mkdir(mode=0o500)
        loaded("\nglobal: {state: {path: shut/x.db}}" + SOURCE)
        with pytest.raises(ConfigError, match="no permission to write in shut"):
            examine(str(tmp_path / "helr.yaml"), environ={})

    def test_the_state_need_not_be_writable_to_be_read(self, loaded: Load) -> None:
        text = "\nglobal: {state: {path: /nowhere/x.db}}" + SOURCE
        assert loaded(text, writes=False).globals.state.path == "/nowhere/x.db"


def test_the_error_is_one_that_means_nothing_was_polled(loaded: Load) -> None:
    with pytest.raises(UnusableError) as caught:
        loaded("sources: {}")
    assert caught.value.exit_status == 2
