"""`helr help`: the list of topics, a page, a section, and advice on a wrong name."""

from __future__ import annotations

import re

import pytest

from helr import cli
from helr.commands import help as help_
from helr.errors import UnusableError
from tests.conftest import ROOT
from tools import docs, help_pages

COMMANDS = {"run": "collect", "validate": "check"}
PAGE = """# Title

## First part

one

```
## not a heading
```

### Below it

two

<a id="b.c"></a>
## Second

three
"""


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert cli.main(["help", *words]) == 0
    return capsys.readouterr().out


def test_without_a_topic_it_lists_topics_and_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys)
    rows = dict(re.findall(r"^  (\S+) +(.+)$", text, re.M))
    for name, summary in help_.TOPICS.items():
        assert rows[name] == summary
    assert rows.keys() >= cli._COMMANDS.keys()
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("topic", help_.TOPICS)
def test_a_topic_is_a_page(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, topic)
    assert re.search(r"^# \S", text, re.M)
    assert text.endswith("\n")
    for name in help_.sections(text):
        assert shown(capsys, topic, name) in re.sub(r'^<a id="[^"]+"></a>\n', "", text, flags=re.M)


def test_a_topic_that_is_a_command_shows_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["help", "state", "show"])
    assert capsys.readouterr().out.startswith("usage: helr state show ")


@pytest.mark.parametrize("name", cli._COMMANDS)
def test_no_topic_hides_a_command(name: str) -> None:
    assert name not in help_.TOPICS


def test_sections_end_where_the_next_of_their_level_begins() -> None:
    found = help_.sections(PAGE)
    assert list(found) == ["first-part", "below-it", "b.c"]
    assert found["first-part"].startswith("## First part\n\none\n\n```\n## not a heading\n")
    assert found["first-part"].endswith("### Below it\n\ntwo\n")
    assert found["below-it"] == "### Below it\n\ntwo\n"
    assert found["b.c"] == "## Second\n\nthree\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["slcak"], "slcak is not a command or help topic; did you mean slack?"),
        (
            ["vaildate"],  # codespell:ignore
            "vaildate is not a command or help topic; "  # codespell:ignore
            "did you mean validate?",
        ),
        (["auth"], "auth is not a command or help topic; see `helr help configuration auth`"),
        (["zzz"], "zzz is not a command or help topic; `helr help` lists the topics"),
        (["output", "rottion"], "output has no section rottion; did you mean rotation?"),
    ],
)
def test_a_wrong_name_gets_advice(words: list[str], line: str) -> None:
    with pytest.raises(UnusableError) as error:
        help_.run(*[*words, None][:2], COMMANDS)
    assert str(error.value) == line


def test_the_sections_are_named_where_none_is_near() -> None:
    with pytest.raises(UnusableError) as error:
        help_.run("services", "zzz", COMMANDS)
    assert str(error.value) == (
        "services has no section zzz; the sections are cron, systemd, kubernetes"
    )


def test_every_page_of_the_docs_is_a_topic() -> None:
    for_contributors = {"architecture"}
    assert set(help_pages.sources().values()) - for_contributors == set(help_.TOPICS)


def test_the_copies_are_fresh() -> None:
    for path, text in help_pages.pages().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale; run: make docs"
    assert not help_pages.extra()


def test_a_link_becomes_the_command_that_prints_its_target() -> None:
    text = help_pages.copy(ROOT / "docs" / "shippers" / "README.md")
    assert "`helr help fluent-bit`" in text
    prose = help_pages._CODE.sub("", text)
    assert not re.search(r"\]\((?![a-z]+:)", prose)


@pytest.mark.parametrize("topic", help_.TOPICS)
def test_every_such_command_leads_somewhere(topic: str) -> None:
    text = (help_.FOLDER / f"{topic}.md").read_text(encoding="utf-8")
    for other, section in re.findall(r"helr help ([a-z-]+)(?: ([^\s`)]+))?[`)]", text):
        if other not in cli._COMMANDS:
            page = (help_.FOLDER / f"{other}.md").read_text(encoding="utf-8")
            assert not section or section in help_.sections(page), f"{topic}: {other} {section}"


def test_a_missing_or_extra_copy_is_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = help_.FOLDER / "gone.md"
    monkeypatch.setattr(help_pages, "extra", lambda: [extra])
    assert docs.main(["--check"]) == 1
    assert "helr/docs/gone.md is stale; run: make docs" in capsys.readouterr().err
    assert docs._content(extra) is None
