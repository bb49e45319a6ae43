"""Random secrets, escaped several times over, and random addresses with a password: none is shown.

`make torture` plays many more: SECRETS is how many, SEED says which.
"""

from __future__ import annotations

import base64
import html
import json
import os
import random
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from helr import secrets
from helr.credentials import register_secrets
from helr.urls import safe_url
from tests.unit.http.support import make_source
from tests.unit.test_secrets import CHARACTERS

MANY = int(os.environ.get("SECRETS", "300"))
SEED = int(os.environ.get("SEED", "1"))

TOKEN = string.ascii_letters + string.digits + "-_.~+/="
PASSWORD = string.ascii_letters + string.digits + "!#$&'()*,:;<>?@[]^`{|}äß€"
WHOLE: tuple[Callable[[str], str], ...] = (
    lambda s: json.dumps(s)[1:-1],
    lambda s: json.dumps(s, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    lambda s: quote(s, safe=""),
    quote_plus,
    html.escape,
    lambda s: repr(s)[1:-1],
    lambda s: "".join(f"\\u{unit:04X}" for unit in map(ord, s)) if max(s) < "\U00010000" else s,
    lambda s: "".join(f"&#{ord(c)};" if not c.isalnum() else c for c in s),
)
FIRST: tuple[Callable[[str], str], ...] = (
    lambda s: s,
    lambda s: base64.b64encode(s.encode()).decode(),
    lambda s: base64.urlsafe_b64encode(f"user:{s}".encode()).decode().rstrip("="),
    lambda s: s.encode().hex().upper(),
    str.upper,
    lambda s: s.encode("utf-16-be").decode("utf-8", "surrogateescape"),
)


@pytest.fixture
def rng() -> random.Random:
    return random.Random(SEED)


def made(rng: random.Random, alphabet: str) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(10, 60)))


def test_no_spelling_of_a_secret_is_left(rng: random.Random) -> None:
    for number in range(MANY):
        secrets.forget_secrets()
        secret = made(rng, TOKEN)
        secrets.secret(secret)
        form = rng.choice(FIRST)(secret)
        layers = rng.choices(range(len(WHOLE)), k=rng.randint(0, 3))
        for layer in layers:
            form = WHOLE[layer](form)
        around = rng.choice(('{"message": "%s"}', "?token=%s&limit=3", "no: %s", "<b>%s</b>"))
        text = around.replace("%s", form)
        shown = secrets.redact(text)
        assert form[3:-3] not in shown, (number, secret, layers, text, shown)
        assert shown.startswith(around.partition("%s")[0]), (number, secret, text, shown)


def test_characters_escaped_each_in_its_own_way(rng: random.Random) -> None:
    for number in range(MANY):
        secrets.forget_secrets()
        secret = made(rng, TOKEN.replace("%", ""))
        secrets.secret(secret)
        names = rng.choices(list(CHARACTERS), k=len(secret))
        form = "".join(CHARACTERS[name](c) for name, c in zip(names, secret, strict=True))
        assert secrets.redact(f"<{form}>") == "<***>", (number, secret, names)


def test_no_password_of_any_address_is_shown(rng: random.Random) -> None:
    for number in range(MANY):
        secrets.forget_secrets()
        password = "Pl4" + made(rng, rng.choice((PASSWORD, PASSWORD.replace("@", "/")))) + "n7ed"
        user = rng.choice(("bob", "b.ob", "bob@corp.example", "", "corp\\bob", "b%40b"))
        host = rng.choice(
            ("h.example", "h", "127.0.0.1:9", "[::1]:80", "[::1", "h:port", "h:99999")
        )
        scheme = rng.choice(("https://", "http://", "//", "https:/", "htps://", ""))
        url = f"{scheme}{user}:{password}@{host}/v1/logs?limit=3"
        told = safe_url(url)
        assert "Pl4" not in told, (number, url, told)
        assert "n7ed" not in told, (number, url, told)
        register_secrets(make_source(url))
        assert password not in secrets.redact(f"cannot use {url}: {password}"), (number, url)
