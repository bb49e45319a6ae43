"""`helr help`: lists the pages of the documentation, and prints one of them or a section of it.

The pages are Markdown files in the package, so that an installed helr has them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from helr.errors import UnusableError

_ANCHOR = re.compile(r'<a id="([^"]+)"></a>$')
FOLDER = Path(__file__).parent.parent / "docs"

TOPICS = {
    "slack": "Slack, from the token to the first events",
    "configuration": "every key of helr.yaml",
    "commands": "every command and option",
    "output": "the lines, their limits, files and rotation",
    "operations": "status, alerts, exit statuses, the state",
    "errors": "every error message, what it means and what to do",
    "shippers": "how to choose a log shipper, and what each may lose or repeat",
    "fluent-bit": "the config for Fluent Bit",
    "vector": "the config for Vector",
    "syslog-ng": "the config for syslog-ng",
    "otelcol": "the config for the OpenTelemetry Collector",
    "rsyslog": "the config for rsyslog",
    "file": "any other shipper: a file that it tails, or its standard input",
    "services": "cron, systemd and Kubernetes",
    "losses": "what the shippers lost and repeated in tests",
    "replay": "recording responses and polling from them offline",
    "mock": "the mock of Slack's Audit Logs API",
    "glossary": "the words in messages, such as chain or settled",
}


def run(topic: str | None, section: str | None, commands: Mapping[str, str]) -> int:
    """Print the list of topics, a page, or a section of it. Raises UnusableError.

    `commands`: each command's summary, for the list.
    """
    if topic is None:
        text = _contents(commands)
    elif topic not in TOPICS:
        do = (
            _elsewhere(topic)
            or _near(topic, [*commands, *TOPICS])
            or "`helr help` lists the topics"
        )
        raise UnusableError(f"{topic[:60]} is not a command or help topic", do=do)
    else:
        text = (FOLDER / f"{topic}.md").read_text(encoding="utf-8")
        if section is not None:
            text = _section(text, topic, section)
    sys.stdout.write(text)
    return 0


def _elsewhere(word: str) -> str:
    """Where it is, if it is a part of a source's settings, such as auth."""
    known = sections((FOLDER / "configuration.md").read_text(encoding="utf-8"))
    return f"see `helr help configuration {word}`" if word in known else ""


def _contents(commands: Mapping[str, str]) -> str:
    return (
        "usage: helr help TOPIC [SECTION]   print a page of the documentation, as Markdown\n"
        "       helr help COMMAND           print a command's options\n"
        f"\ntopics:\n{_table(TOPICS)}\ncommands:\n{_table(commands)}"
    )


def _table(rows: Mapping[str, str]) -> str:
    return "".join(f"  {name:<14} {summary}\n" for name, summary in rows.items())


def _near(word: str, known: Iterable[str]) -> str:
    from helr.usage import near

    return near(word, known).removeprefix("; ")


def _section(page: str, topic: str, name: str) -> str:
    found = sections(page)
    if name not in found:
        do = _near(name, found) or f"the sections are {', '.join(found)}"
        raise UnusableError(f"{topic} has no section {name[:60]}", do=do)
    return found[name]


def sections(page: str) -> dict[str, str]:
    """The page's sections, from a heading to the next of its level or above.

    A section's name is what a link to it has after the `#`.
    """
    lines = page.splitlines(keepends=True)
    starts = _headings(lines)
    found = {}
    for index, (start, level, name) in enumerate(starts):
        later = (line for line, other, _ in starts[index + 1 :] if other <= level)
        end = next(later, len(lines))
        text = "".join(line for line in lines[start:end] if not _ANCHOR.match(line))
        found[name] = text.rstrip() + "\n"
    return found


def _headings(lines: list[str]) -> list[tuple[int, int, str]]:
    """Each heading below the title: its line, its level, and its section's name."""
    found = []
    in_code = False
    for number, line in enumerate(lines):
        in_code ^= line.startswith("```")
        heading = re.match(r"(##+) (.+)", line)
        if heading and not in_code:
            anchor = _ANCHOR.match(lines[number - 1])
            slug = re.sub(r"[^\w\- ]", "", heading[2].lower()).replace(" ", "-")
            found.append((number, len(heading[1]), anchor[1] if anchor else slug))
    return found
