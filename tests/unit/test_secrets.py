"""helr.secrets: a secret is found in any form, and nothing else is hidden."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helr import secrets

Escape = Callable[[str], str]

# One character at a time, as servers and libraries escape it.
CHARACTERS: dict[str, Escape] = {
    "plain": lambda c: c,
    "JSON": lambda c: json.dumps(c)[1:-1],
    "\\u00xx": lambda c: json.dumps(c)[1:-1] if ord(c) > 255 else f"\\u{ord(c):04x}",
    "\\u00XX": lambda c: json.dumps(c)[1:-1] if ord(c) > 255 else f"\\u{ord(c):04X}",
    "slash": lambda c: "\\/" if c == "/" else c,
    "percent": lambda c: "".join(f"%{byte:02X}" for byte in c.encode()),
    "percent, lower": lambda c: "".join(f"%{byte:02x}" for byte in c.encode()),
    "form": quote_plus,
    "&#N;": lambda c: f"&#{ord(c)};",
    "&#0N;": lambda c: f"&#0{ord(c)};",
    "&#xN;": lambda c: f"&#x{ord(c):x};",
    "named": lambda c: html.escape(c),
    "repr": lambda c: repr(c)[1:-1],
    "\\xNN": lambda c: "".join(f"\\x{byte:02x}" for byte in c.encode()),
    "upper": lambda c: c.upper() if c.isascii() else c,
    "%uNNNN": lambda c: (
        json.dumps(c)[1:-1].replace("\\u", "%u") if ord(c) > 255 else f"%u{ord(c):04X}"
    ),
    "\\u{N}": lambda c: f"\\u{{{ord(c):x}}}",
    "&#000N;": lambda c: f"&#{'0' * 5000}{ord(c)};",
    "octal": lambda c: f"\\{ord(c):03o}" if ord(c) < 128 else c,
    "backslash": lambda c: f"\\{c}" if c in "\\/+=&<>'\"-_~#!*" else c,
}
# The complete value.
WHOLE: dict[str, Escape] = {
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "login": lambda s: base64.b64encode(f"me:{s}".encode()).decode(),
    "longer login": lambda s: base64.b64encode(f"bob:{s}:x".encode()).decode(),
    "base64 twice": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    "hex": lambda s: s.encode().hex(),
    "JSON in JSON": lambda s: json.dumps(json.dumps({"t": s})),
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "broken": lambda s: s[:5] + "\n" + s[5:],
    "broken in JSON": lambda s: json.dumps(s[:5] + "\n" + s[5:]),
    "JSON four times": lambda s: json.dumps(json.dumps(json.dumps(json.dumps(s)))),
    "UTF-16": lambda s: s.encode("utf-16-le").decode("utf-8", "surrogateescape"),
    "Latin-1": lambda s: s.encode("latin-1").decode("utf-8", "surrogateescape"),
    "header in Latin-1": lambda s: base64.b64encode(f"me:{s}".encode("latin-1")).decode(),
}
PLANTED = ("xoxp-7f3a/9c1e+5b2d==", "abc+DEF/ghi==&<k>'q\"-Zz09_~", 'a b\\ü&<+=%42"/\\n!')


@pytest.mark.parametrize("secret", PLANTED)
def test_every_spelling_is_found_whole(secret: str) -> None:
    secrets.secret(secret)
    for name, escape in CHARACTERS.items():
        form = "".join(map(escape, secret))
        for around in ("{}", "it said [{}] and left", '{{"t": "{}"}}', "a=1&t={}&b=2"):
            shown = secrets.redact(around.format(form))
            assert shown == around.format("***"), name


@pytest.mark.parametrize("secret", PLANTED)
@pytest.mark.parametrize("name", WHOLE)
def test_forms_of_the_whole_secret_are_found(secret: str, name: str) -> None:
    secrets.secret(secret)
    form = WHOLE[name](secret)
    shown = secrets.redact(f"it said {form} and left")
    assert form not in shown
    assert "***" in shown
    assert shown.startswith("it said ")
    assert shown.endswith(" and left")


plain = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=8, max_size=40
).filter(lambda s: len(set(s)) > 4)


@given(plain, st.lists(st.sampled_from([*CHARACTERS]), min_size=40, max_size=40), st.data())
def test_characters_may_be_escaped_each_in_its_own_way(
    secret: str, names: list[str], data: st.DataObject
) -> None:
    secrets.forget_secrets()
    secrets.secret(secret)
    names = ["plain" if c == "\\" and n != "JSON" else n for c, n in zip(secret, names)]  # noqa: B905
    if "\\" in secret or "%" in secret or "&" in secret:  # it may begin an escape
        names = [data.draw(st.sampled_from(["JSON", "percent"]))] * len(secret)
    form = "".join(CHARACTERS[name](c) for c, name in zip(secret, names, strict=True))
    assert secrets.redact("t=" + form + ".") != "t=" + form + "."


@given(plain, st.text(max_size=20), st.text(max_size=20))
def test_no_secret_passes_as_it_is(secret: str, before: str, after: str) -> None:
    secrets.forget_secrets()
    secrets.secret(secret)
    assert secret not in secrets.redact(before + secret + after)


@given(st.text(max_size=60))
def test_a_text_without_secrets_is_untouched(text: str) -> None:
    secrets.forget_secrets()
    secrets.secret("Zq9-never-in-it-77")
    assert secrets.redact(text) == text


def test_a_short_secret_is_not_hidden_inside_a_word() -> None:
    secrets.secret("pass1")
    assert secrets.redact("pass1 xpass1 pass12 (pass1)") == "*** xpass1 pass12 (***)"


@pytest.mark.parametrize("text", ["no\\n{}\\tyes", "a=\\u003d{}\\u0026", "%3D{}%26", "no\n{}\n"])
def test_what_an_escape_ends_with_is_no_part_of_a_word(text: str) -> None:
    secrets.secret("pass1")
    assert secrets.redact(text.format("pass1")) == text.format("***")


def test_what_is_too_short_or_empty_hides_nothing() -> None:
    for value in ("", "a", "api"):
        secrets.secret(value)
    assert secrets.redact("an api call") == "an api call"


def test_of_renewed_tokens_the_last_two_are_known() -> None:
    for number in range(50):
        secrets.secret(f"token-number-{number:03}", "token_file")
    assert secrets.redact("token-number-049, token-number-048") == "***, ***"
    assert secrets.redact("token-number-047") == "token-number-047"
    assert len(secrets._known) == 2
    known = sum(len(each.forms) for each in secrets._known.values())
    assert sum(map(len, secrets._index.values())) == known


def test_a_token_that_another_origin_has_still_is_not_forgotten() -> None:
    secrets.secret("one-token-for-two", "file a")
    secrets.secret("one-token-for-two", "file b")
    secrets.secret("a-token-for-good", "file a")
    secrets.secret("a-token-for-good")
    for number in range(3):
        secrets.secret(f"token-number-{number}", "file a")
    assert secrets.redact("one-token-for-two, a-token-for-good") == "***, ***"
    for number in range(3):
        secrets.secret(f"token-number-{number}", "file b")
    assert secrets.redact("one-token-for-two") == "one-token-for-two"


def test_a_token_that_is_used_again_is_the_newest() -> None:
    for token in ("token-one", "token-two", "token-one", "token-three"):
        secrets.secret(token, "file")
    assert secrets.redact("token-one token-two token-three") == "*** token-two ***"


def test_each_of_many_secrets_is_found() -> None:
    many = [f"xoxp-{number:04}-{number * 7919 % 9973}" for number in range(500)]
    for one in many:
        secrets.secret(one)
    assert secrets.redact(" ".join(many)) == " ".join(["***"] * 500)


def test_the_password_of_any_url_is_not_shown() -> None:
    text = "redis://:pl4nted@h/0, http://bob:pl4nted@h/x, https://h/users/a@b"
    assert secrets.shown(text) == "redis://:***@h/0, http://bob:***@h/x, https://h/users/a@b"


@pytest.mark.parametrize("char", ["\x1b", "\x9b", "\n", "\u2028", "\u202e", "\u2066", "\x00", "\r"])
def test_nothing_that_a_terminal_obeys_is_printed(char: str) -> None:
    assert secrets.printable(f"a{char}b").isprintable()
