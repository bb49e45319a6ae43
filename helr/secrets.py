"""Secrets are never shown: every text passes through `redact` before it is printed or written.

A secret is found in any form: with any of its characters escaped as in JSON, HTML, Python, C, a URL
or a form, escaped several times, broken across lines, in another case, in hex or base64.
The text is unescaped as a whole and searched at each step, for all secrets at once, so the cost
depends only on the text, not on the number of secrets, their length or form.
"""

from __future__ import annotations

import base64
import re
import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

HIDDEN = "***"
LEAST = 4  # characters; a shorter value is not treated as a secret, as it would match by chance
_WORD = 8  # a shorter secret is not redacted inside a word
_KEPT = 2  # values of one place: the current one, and the one before
_TIMES = 5  # a text is unescaped at most this often
_LONG = 4096  # characters of a text that is longer than a line
_FEW = 64  # beginnings; a pattern takes longer with each
_GRAM = 4  # characters by which a form is looked up; no form is shorter

_FOLDED = {
    **{upper: upper + 32 for upper in range(65, 91)},
    ord("+"): 32,
    **{0xDC00 + byte: byte for byte in range(128, 256)},  # Latin-1 that was read as UTF-8
}  # one for one
_ESCAPED = r"""(?x)
    (?:%[0-9A-Fa-f]{2})+ | (?:\\x[0-9A-Fa-f]{2})+
  | [\\%]u[dD][89abAB][0-9A-Fa-f]{2}[\\%]u[dD][c-fC-F][0-9A-Fa-f]{2}
  | [\\%]u[0-9A-Fa-f]{4} | \\u\{[0-9A-Fa-f]{1,6}\} | \\U[0-9A-Fa-f]{8} | \\[0-3][0-7]{2}
  | &\#[xX]0*[0-9A-Fa-f]{1,6};? | &\#0*[0-9]{1,7};? | &[A-Za-z]{2,8};
  | \\[abefnrtv0!-/:-@\[-`{-~] | [\r\n\0]+
"""
_NUMBERED = r"[\\%][uU]\{?([0-9A-Fa-f]+)\}?"
_LETTERS = dict(zip("abefnrtv0", "\a\b\x1b\f\n\r\t\v\0", strict=True))
_LOGIN = r"(://[^/?#@\s:]*:)(?!password@)[^/?#@\s]+@"  # our advice says password
_SIGNS = "%\\&\r\n\0"  # the first characters of escapes
_START = f"[{re.escape(_SIGNS)}]"
# The patterns are strings: compiling them takes a millisecond at start, and few lines need them.


class _Secret(NamedTuple):
    forms: tuple[str, ...]  # to look for in folded text
    whole_word: bool


_lock = threading.Lock()
_known: dict[str, _Secret] = {}
_index: dict[
    str, tuple[tuple[str, bool], ...]
] = {}  # by start: each form, and whether it must be a whole word
_for_good: set[str] = set()
_by_place: dict[str, list[str]] = {}  # oldest first


def secret(value: str, place: str = "") -> None:
    """Never show this value from now on.

    `place`: where it came from (a variable, a file), if it may be replaced there: only the last two
    values of a place are remembered, so renewed tokens do not take ever more memory.
    """
    values = _by_place.get(place, [])
    if len(value) < LEAST or value in _for_good or values[-1:] == [value]:
        return
    with _lock:
        if value not in _known:
            _remember(value)
        if not place:
            _for_good.add(value)
            return
        values = [*(known for known in _by_place.get(place, []) if known != value), value]
        _by_place[place] = values[-_KEPT:]
        for old in values[:-_KEPT]:
            _forget(old)


def _remember(value: str) -> None:
    _known[value] = known = _Secret(_forms_of(value), len(value) < _WORD)
    for form in known.forms:
        start = form[:_GRAM]
        _index[start] = (*_index.get(start, ()), (form, known.whole_word))


def _forget(value: str) -> None:
    """Forget a value, unless another place still has it."""
    if value in _for_good or any(value in values for values in _by_place.values()):
        return
    gone = _known.pop(value)
    for form in gone.forms:
        start = form[:_GRAM]
        left = list(_index[start])
        left.remove((form, gone.whole_word))
        _index[start] = tuple(left)
        if not left:
            del _index[start]


def forget_secrets() -> None:
    """Forget all secrets (for tests)."""
    for known in (_known, _index, _for_good, _by_place):
        known.clear()


def redact(text: str) -> str:
    """The text with every registered secret replaced by ***."""
    if not _known:
        return text
    spans = sorted(_spans(text))
    if not spans:
        return text
    pieces, at = list[str](), 0
    for start, end in spans:
        if start >= at:
            pieces += (text[at:start], HIDDEN)
        at = max(at, end)
    return "".join((*pieces, text[at:]))


def shown(text: str) -> str:
    """A text to show: without secrets, and without the passwords in its URLs."""
    return re.sub(_LOGIN, rf"\1{HIDDEN}@", redact(text)) if "@" in text else redact(text)


def printable(text: str) -> str:
    """A foreign text on one line, without secrets, and without control characters that a terminal
    would obey."""
    plain = shown(text)
    if plain.isprintable():
        return plain
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in plain)


def excerpt(text: str, limit: int = 200) -> str:
    """The start of a foreign text, for use in a message: redacted *before* it is cut."""
    plain = printable(text)
    return plain if len(plain) <= limit else plain[:limit] + "…"


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where the secrets are in the text, which is unescaped until it no longer changes."""
    steps: list[_Unescaped] = []
    for _ in range(_TIMES + 1):
        for start, end in _found(text.translate(_FOLDED)):
            for step in reversed(steps):
                start, end = step.before(start, end)
            yield start, end
        step = _Unescaped(text)
        if step.text == text:
            return
        steps.append(step)
        text = step.text


def _found(folded: str) -> Iterator[tuple[int, int]]:
    known = _index
    for start in _starts(folded):
        for form, whole_word in known.get(folded[start : start + _GRAM], ()):
            end = start + len(form)
            if folded.startswith(form, start) and not (
                whole_word and _within_word(folded, start, end)
            ):
                yield start, end


def _starts(folded: str) -> list[int]:
    """Where a form may begin. For a long text, a pattern of a few beginnings is faster."""
    if len(folded) < _LONG or len(_index) > _FEW:
        return [i for i in range(len(folded) - _GRAM + 1) if folded[i : i + _GRAM] in _index]
    search = re.compile("|".join(map(re.escape, list(_index)))).search
    found, starts = search(folded), list[int]()
    while found:
        starts.append(found.start())
        found = search(folded, found.start() + 1)
    return starts


def _within_word(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return before.isalnum() or after.isalnum()


class _Unescaped:
    """A text unescaped once, and the way back: `_marks` are the escapes, as (place in the new text,
    length there, place in the old text, length there)."""

    def __init__(self, text: str) -> None:
        pieces, at, new = list[str](), 0, 0
        self._marks: list[tuple[int, int, int, int]] = []
        for match in _escapes(text):
            plain = _plain(match[0])
            pieces += (text[at : match.start()], plain)
            new += match.start() - at
            self._marks.append((new, len(plain), match.start(), len(match[0])))
            at, new = match.end(), new + len(plain)
        self.text = "".join((*pieces, text[at:])) if pieces else text
        self._starts = [mark[0] for mark in self._marks]

    def before(self, start: int, end: int) -> tuple[int, int]:
        """The span of the old text that became a span of the new one."""
        return self._place(start, inside=0), self._place(end - 1, inside=1) + 1

    def _place(self, at: int, *, inside: int) -> int:
        index = bisect_right(self._starts, at) - 1
        if index < 0:
            return at
        new, length, old, old_length = self._marks[index]
        if at < new + length:
            return old + (old_length - 1) * inside
        return old + old_length + at - new - length


def _escapes(text: str) -> Iterator[re.Match[str]]:
    if not any(sign in text for sign in _SIGNS):
        return
    find, match_at = re.compile(_START).search, re.compile(_ESCAPED).match  # re keeps them
    found = find(text)
    while found:
        match = match_at(text, found.start())
        if match:
            yield match
        found = find(text, (match or found).end())


def _plain(escape: str) -> str:
    """The text that an escape encodes; the escape itself if it encodes nothing."""
    kind = escape[1:2]
    if escape[0] == "%" and kind != "u":
        return _bytes_as_text(bytes.fromhex(escape.replace("%", "")))
    if escape[:2] == "&#":
        digits = escape[2:].strip(";").lstrip("0") or "0"
        number = int(digits[1:], 16) if digits[0] in "xX" else int(digits)
        return chr(number) if number < 0x110000 else escape
    if escape[0] == "&":
        import html  # a table of 2,231 names, which is seldom needed

        return html.unescape(escape)
    if kind == "x":
        return _bytes_as_text(bytes.fromhex(escape.replace("\\x", "")))
    if kind in ("u", "U"):
        numbers = [int(digits, 16) for digits in re.findall(_NUMBERED, escape)]
        if len(numbers) == 2:
            return chr(0x10000 + (numbers[0] - 0xD800) * 0x400 + numbers[1] - 0xDC00)
        return chr(numbers[0]) if numbers[0] < 0x110000 else escape
    if escape[0] != "\\":
        return ""  # a line break, or the NUL between the letters of UTF-16
    return chr(int(escape[1:], 8)) if len(escape) > 2 else _LETTERS.get(kind, kind)


def _bytes_as_text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _forms_of(value: str) -> tuple[str, ...]:
    """The forms to look for: the value, the value unescaped, and their hex and base64."""
    forms = [value]
    for _ in range(_TIMES):
        forms.append(_Unescaped(forms[-1]).text)
    for raw in _as_bytes(value):
        forms.append(raw.hex())
        for once in _base64(raw):
            forms += (once, *_base64(once.encode()))
    folded = dict.fromkeys(form.translate(_FOLDED) for form in forms)
    return tuple(form for form in folded if len(form) >= min(len(value), _WORD))


def _as_bytes(value: str) -> set[bytes]:
    """The value as UTF-8, and as Latin-1, which headers use."""
    found = {value.encode("utf-8", "surrogatepass")}
    with suppress(UnicodeError):
        found.add(value.encode("latin-1"))
    return found


def _base64(raw: bytes) -> Iterator[str]:
    """The part of the base64 of a text containing `raw` that depends on `raw` alone."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode()
        core = whole[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6]
        yield from dict.fromkeys((core, core.replace("+", "-").replace("/", "_")))
