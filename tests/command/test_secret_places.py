"""A server that repeats the whole request, in every form and in every part of a response: no
command shows a secret on standard error, keeps one in the state or records one."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from tests.conftest import Helr
from tests.support import Handler, http_server
from tests.unit.test_secrets import CHARACTERS, WHOLE

VALUES = {
    "TOKEN": "xoxp-Pl4nted/to+ken==",
    "HEADER": "h3ader-Pl4nted&value",
    "PARAM": "par4m-Pl4nted<value>",
    "FIRST": "f1rst-Pl4nted-value",
    "PASSWORD": "p4ssword-Pl4nted",
    "PIECE": "bot42:Pl4nted-In-Path",
    "KEY": "k3y-Pl4nted/to+ken==",  # unlike TOKEN, no pattern tells that it is a secret
}
VALUES["LOGIN"] = base64.b64encode(f"ann:{VALUES['KEY']}".encode()).decode()


def spelled(secret: str) -> list[str]:
    characters = ["".join(map(escape, secret)) for escape in CHARACTERS.values()]
    return list(dict.fromkeys(characters + [escape(secret) for escape in WHOLE.values()]))


class Echo(Handler):
    """Responds with the request: as an error, as a redirect elsewhere, or as a page."""

    protocol_version = "HTTP/1.1"
    kind = "page"

    def get(self) -> None:
        told = [self.path.split("/")[2].partition("?")[0]] if self.path.count("/") > 1 else []
        told += [value for name, value in parse_qsl(urlsplit(self.path).query) if name != "limit"]
        told += [self.headers.get(name, "") for name in ("X-Team", "X-Api-Key", "Authorization")]
        scheme, _, login = told[-1].partition(" ")
        told.append(
            base64.b64decode(login).decode().partition(":")[2] if scheme == "Basic" else login
        )
        told = [unquote(each) for each in told if each]
        texts = [form for secret in told for form in spelled(secret)]
        if self.kind == "error":
            body: Any = {"error": {"code": "no", "message": " ".join(texts)}, "raw": texts}
            self.echo(403, body, texts)
        elif self.kind == "redirect":
            self.echo(302, {}, texts, Location=f"http://elsewhere.example/?x={told[-1]}")
        else:
            entry = {"id": "e1", "date_create": 1_700_000_000, "told": texts}
            self.echo(200, {"entries": [entry], "page": {"next_cursor": texts[0]}}, texts)

    def echo(self, status: int, body: Any, texts: list[str], **headers: str) -> None:
        for number, text in enumerate(texts):
            # helr takes 300 KiB of headers, and one spelling has 100,000 characters
            if text.isascii() and text.isprintable() and len(text) < 1000:
                headers[f"X-RateLimit-Echo-{number}"] = text
        self.answer(body, status, headers)


@pytest.fixture
def echo() -> Iterator[Callable[[str], str]]:
    with http_server(Echo) as url:

        def serve(kind: str) -> str:
            Echo.kind = kind
            return url.removeprefix("http://")

        yield serve


def shown(text: bytes) -> set[str]:
    """The planted secrets that a text contains, in any form."""
    found = text.decode("utf-8", "replace")
    return {
        name for name, secret in VALUES.items() if any(form in found for form in spelled(secret))
    }


ARRIVED = {"page": "HTTP 200, ", "error": "HTTP 403", "redirect": "(HTTP 302)"}
AUTHS = {
    "bearer": {"type": "bearer", "token_env": "TOKEN"},
    "api_key": {"type": "api_key", "header": "X-Api-Key", "key_env": "KEY"},
    "basic": {"type": "basic", "user_env": "USER_NAME", "password_env": "KEY"},
}


@pytest.mark.parametrize("auth", [*AUTHS, "url", "path"])
@pytest.mark.parametrize("kind", ["page", "error", "redirect"])
def test_no_command_shows_or_keeps_one(
    helr: Helr, echo: Callable[[str], str], kind: str, auth: str
) -> None:
    host = echo(kind)
    helr.env = VALUES | {"USER_NAME": "ann"}
    source: dict[str, Any] = {
        "url": {
            "url": f"http://bob:${{PASSWORD}}@{host}/x",
            "path": f"http://{host}/x/${{PIECE}}/logs",
        }.get(auth, f"http://{host}/x"),
        "headers": {"X-Team": "${HEADER}"},
        "query_params": {"limit": 10, "team": "${PARAM}"},
        "first_request_query_params": {"begin": "${FIRST}"},
        "dedupe": {"id_path": "id"},
        "pagination": {
            "strategy": "cursor",
            "cursor_param": "cursor",
            "cursor_path": "page.next_cursor",
            "max_pages": 1,
        },
        "resilience": {"retries": {"max_attempts": 1}},
    }
    if auth in AUTHS:
        source["auth"] = AUTHS[auth]
    helr.config(sources={"s": source})
    for command in (
        ("run", "--once", "--record-dir", "rec-{}"),
        ("-v", "run", "--once"),
        ("test", "--source", "s"),
        ("validate",),
        ("validate", "--format", "json"),
        ("status",),
        ("status", "--format", "json"),
        ("state", "show", "s"),
        ("run", "--once", "--replay-dir", "rec-{}"),
    ):
        for form in ("pretty", "json"):
            env = {"HELR_LOG_LEVEL": "trace", "HELR_LOG_FORMAT": form}
            done = helr.run(*(word.format(form) for word in command), env=env)
            assert not shown(done.stderr.encode()), (command, form, done.stderr)
            assert "Traceback" not in done.stderr
            if {"run", "test"} & {*command} and "--replay-dir" not in command:
                assert ARRIVED[kind] in done.stderr, (command, form, done.stderr)
            assert form == "json" or all(line.isprintable() for line in done.stderr.splitlines())
            if command[:2] == ("run", "--once") and done.stdout:
                assert json.loads(done.stdout.splitlines()[0])["endpoint"] == (
                    "/x/***/logs" if auth == "path" else "/x"
                )
            if command[0] not in ("run", "-v", "test"):  # they print the events
                assert not shown(done.stdout.encode()), (command, form, done.stdout)
    for path in helr.cwd.rglob("*"):
        if path.is_file() and path.name != "helr.yaml":
            content = path.read_bytes()
            if path.name[:3].isdigit():
                content += base64.b64decode(json.loads(content)["body_base64"])
            if path.name.startswith("helr-state.db") and kind == "page":
                continue  # the API's own cursor, which must be sent back unchanged
            assert not shown(content), path


PASSWORDS = (
    "Pl4nted-1",
    "Pl4nted#1",
    "Pl4nted/1",
    "Pl4nted?1",
    "1/Pl4nted",
    "a@Pl4nted",
    "Pl4nted 1",
)
USERS = ("bob", "b.ob", "bob@corp.example", "")


@pytest.mark.parametrize("host", ["127.0.0.1:9/x", "[::1/x", "127.0.0.1:port/x", "h.invalid/x"])
@pytest.mark.parametrize("place", ["url", "proxy"])
def test_no_password_of_a_malformed_address_is_shown(helr: Helr, place: str, host: str) -> None:
    sources: dict[str, Any] = {}
    addresses = [f"http://{user}:{word}@{host}" for user in USERS for word in PASSWORDS]
    for number, address in enumerate(addresses):
        sources[f"s{number}"] = {
            "url": address if place == "url" else "https://127.0.0.1:9/x",
            "resilience": {"retries": {"max_attempts": 1}},
        }
    helr.config(sources=sources)
    helr.env = {"HELR_LOG_LEVEL": "trace"}
    if place == "proxy":
        for number, address in enumerate(addresses[:: len(PASSWORDS) + 1]):
            env = {"HTTPS_PROXY": address, "https_proxy": address}
            done = helr.run("run", "--once", "--source", f"s{number}", env=env)
            assert "s" + str(number) in done.stderr
            assert "Pl4nted" not in done.stderr
        return
    for command in (("validate",), ("run", "--once"), ("validate", "--format", "json")):
        done = helr.run(*command)
        assert done.returncode != 0 or command[0] == "validate"
        assert "Pl4nted" not in done.stderr + done.stdout
        assert "Traceback" not in done.stderr
