"""TLS: verification is on; `resilience.tls` works as documented. Certificates: certs/make.sh."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helr.clock import Clock
from helr.errors import PollError, UnusableError
from helr.http.failures import TrustError
from helr.http.tls import make_context
from tests.unit.http.support import (
    Server,
    always,
    answer,
    get,
    make_retry,
    make_source,
    serving,
)

CERTS = Path(__file__).parent / "certs"
CA = str(CERTS / "ca.pem")
CA_LINK = "56c899cd.0"  # openssl x509 -hash: depends only on the subject
CLIENT = str(CERTS / "client.pem")


@contextmanager
def tls_server(name: str = "server", *, client: bool = False) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / f"{name}.pem")
    if client:
        context.load_verify_locations(CA)
        context.verify_mode = ssl.CERT_REQUIRED
    with serving(always(answer()), context) as server:
        yield server


def ask(server: Server, host: str = "127.0.0.1", **tls: object) -> bytes:
    url = f"https://{host}:{server.port}/logs"
    source = make_source(url, tls=tls, retries={"max_attempts": 1})
    return get(make_retry(source, Clock()), url)


@pytest.mark.parametrize("only", [False, True])
def test_a_ca_of_the_configuration_is_trusted(only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CA", Path(CA).read_text())
    with tls_server() as server:
        assert ask(server, ca_file=CA, ca_only=only) == b"{}"
        assert ask(server, "localhost", ca_env="CA", ca_only=only) == b"{}"


@pytest.mark.parametrize("only", [False, True])
def test_an_intermediate_ca_may_be_named_alone(only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    issuing = CERTS / "issuing.pem"
    monkeypatch.setenv("CA", issuing.read_text())
    with tls_server("chained") as server:
        assert ask(server, ca_file=str(issuing), ca_only=only) == b"{}"
        assert ask(server, ca_env="CA", ca_only=only) == b"{}"
        assert ask(server, ca_file=CA, ca_only=only) == b"{}"


def test_a_ca_that_did_not_issue_it_is_told_from_none() -> None:
    """Advice to name a CA does not help a user who has named one."""
    with tls_server() as server, pytest.raises(TrustError) as caught:
        ask(server, ca_file=str(CERTS / "issuing.pem"))
    do = "add the CA that issued it to the certificates in resilience.tls.ca_file"
    assert caught.value.do == do


def test_an_unknown_ca_is_not_trusted_and_not_tried_again() -> None:
    with tls_server() as server, pytest.raises(TrustError) as caught:
        ask(server)
    assert "certificate is not trusted" in str(caught.value)
    assert "resilience.tls.ca_file" in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("name", "text"),
    [("expired", r"expired.*clock"), ("elsewhere", r"not valid for '127.0.0.1'.*host name")],
)
def test_a_bad_certificate_is_told_apart(name: str, text: str) -> None:
    with tls_server(name) as server, pytest.raises(TrustError, match=text):
        ask(server, ca_file=CA)


def test_the_environment_cannot_turn_verification_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setenv("PYTHONHTTPSVERIFY", "0")
    with tls_server() as server, pytest.raises(TrustError):
        ask(server)


def test_the_environments_bundle_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", CA)
    with tls_server() as server:
        assert ask(server) == b"{}"


@pytest.mark.parametrize("how", ["directory", "bundle", "added to the bundle alone"])
def test_the_systems_roots_count(how: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a directory of hashed links, loaded on demand, or as one file."""
    (tmp_path / "bundle").write_text("")
    if how == "directory":
        (tmp_path / CA_LINK).write_text(Path(CA).read_text())
    elif how == "bundle":
        (tmp_path / "bundle").write_text(Path(CA).read_text())
    else:
        other = (CERTS / "elsewhere.pem").read_text().partition("-----BEGIN PRIVATE")[0]
        (tmp_path / "0123abcd.0").write_text(other)
        (tmp_path / "bundle").write_text(other + Path(CA).read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    context = make_context(make_source("https://x/"))
    assert bool(context.get_ca_certs()) == (how != "directory")
    with tls_server() as server:
        assert ask(server) == b"{}"


def test_ca_only_trusts_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", CA)
    with tls_server() as server, pytest.raises(TrustError):
        ask(server, ca_file=str(CERTS / "elsewhere.pem"), ca_only=True)


def test_a_client_certificate_from_files_and_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PEM", Path(CLIENT).read_text())
    with tls_server(client=True) as server:
        files = {"client_cert_file": CLIENT, "client_key_file": CLIENT}
        assert ask(server, ca_file=CA, **files) == b"{}"
        variables = {"client_cert_env": "PEM", "client_key_env": "PEM"}
        assert ask(server, ca_file=CA, **variables) == b"{}"
        with pytest.raises(PollError):
            ask(server, ca_file=CA)


def test_plain_http_behind_https_is_told() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer(b"", "400 Bad Request"))

    with serving(serve) as server, pytest.raises(TrustError, match="does not speak TLS"):
        ask(server)


def test_min_version_is_kept() -> None:
    context = make_context(make_source("https://x/", tls={"min_version": "1.3"}))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_3
    context = make_context(make_source("https://x/"))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("tls", "text"),
    [
        ({"ca_file": "/no/such"}, r"ca_file: /no/such: no such file"),
        ({"ca_file": __file__}, r"ca_file: \S+test_tls.py: .*; provide CA certificates in PEM"),
        ({"ca_env": "NO_SUCH"}, r"ca_env: the environment variable NO_SUCH is not set"),
        ({"ca_env": "BAD"}, r"ca_env: BAD: .*; provide CA certificates in PEM"),
        (
            {"client_cert_file": CLIENT},
            r"certificate has no key; set client_key_file or client_key_env",
        ),
        (
            {"client_key_file": CLIENT},
            r"key has no certificate; set client_cert_file or client_cert_env",
        ),
        (
            {"client_cert_file": "/no/such", "client_key_file": CLIENT},
            r"client_cert_file: /no/such: no such file",
        ),
        (
            {"client_cert_file": CLIENT, "client_key_env": "NO_SUCH"},
            r"client_key_env: the environment variable NO_SUCH is not set",
        ),
        (
            {"client_cert_file": CLIENT, "client_key_file": str(CERTS / "server.pem")},
            r"client_cert_file and client_key_file: .*mismatch.*its own unencrypted key",
        ),
        ({"client_cert_env": "BAD", "client_key_env": "BAD"}, r"client_cert_env and .*in PEM"),
        (
            {"client_cert_file": CLIENT, "client_key_env": "LOCKED"},
            r"client_key_env: .*encrypted.*unencrypted key",
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tls: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BAD", "PRIVATE-PLANTED")
    monkeypatch.setenv("LOCKED", (CERTS / "locked.pem").read_text())
    with pytest.raises(UnusableError, match=text) as caught:
        make_retry(make_source("https://x.example/", tls=tls))
    assert "\n" not in str(caught.value)
    assert "PLANTED" not in str(caught.value)
    assert caught.value.source == "s"
    assert caught.value.where.startswith("resilience.tls")
    assert caught.value.do
