"""Why a request failed, in one line a user can act on.

HTTP libraries wrap the cause of a failure several times over; this looks through the
wrapping for the one that matters.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import urllib3.exceptions as u3

from helr.errors import PollError
from helr.http.failures import ConnectError, RefusedError, RequestTimeoutError, TrustError
from helr.http.head import BadAnswer
from helr.log import redact
from helr.urls import safe_url

_NAME_CA = (
    "if a private CA or an inspecting proxy signed it, name that CA in resilience.tls.ca_file"
)


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps: causes, contexts, `reason` and arguments."""
    todo, seen = [error], set[int]()
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None))
        todo += [e for e in (*inner, *current.args) if isinstance(e, BaseException)]


def is_disconnect(error: BaseException) -> bool:
    """Whether the other side closed the connection before it answered."""
    kinds = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return any(isinstance(e, kinds) for e in chain(error))


def explain(error: BaseException, name: str, url: str, own_ca: str = "") -> PollError:
    """The PollError to raise for what a request to `url` of source `name` died of.

    `own_ca`: the key of `resilience.tls` that names a CA, if one does.
    """
    causes = list(chain(error))
    looks = (_proxy, _trust, _tls, _dns, _timeout, _connect, _body, _request)
    kind, text = next(filter(None, (look(causes) for look in looks)), None) or (
        ConnectError,
        f"{_words(causes[-1])}; check the network between here and there",
    )
    if own_ca and text.endswith(_NAME_CA):
        text = text.removesuffix(_NAME_CA) + (
            f"the certificates in resilience.tls.{own_ca} do not include the CA that issued it"
        )
    return kind(redact(f"{name}: {safe_url(url)}: {text}"))


Found = tuple[type[PollError], str] | None


def _proxy(causes: list[BaseException]) -> Found:
    if not any(isinstance(e, u3.ProxyError) or "Tunnel connection" in str(e) for e in causes):
        return None
    text = next((str(e) for e in causes if str(e).startswith("Tunnel connection failed")), "")
    if " 407" in text:
        advice = "put its user and password into HTTPS_PROXY (http://user:password@host:port)"
        return RefusedError, f"the proxy wants a login (407); {advice}"
    cause = text or _words(causes[-1]) if isinstance(causes[-1], OSError) else text
    cause = cause or type(causes[-1]).__name__
    advice = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in helr's environment"
    return ConnectError, f"the proxy could not be used ({cause}); {advice}"


def _trust(causes: list[BaseException]) -> Found:
    for e in causes:
        if isinstance(e, ssl.SSLCertVerificationError):
            said = e.verify_message or "verification failed"
            return TrustError, f"the server's certificate is not trusted: {said}; {_cure(said)}"
        if isinstance(e, ssl.CertificateError):
            return TrustError, f"the server's certificate is not trusted; {_cure('mismatch')}"
    return None


def _cure(said: str) -> str:
    low = said.lower()
    if "expired" in low or "not yet valid" in low:
        return "check this machine's clock, else the server needs a new certificate"
    if "mismatch" in low or "not valid for" in low:
        return "check the host name in `url`"
    if "self-signed" in low or "self signed" in low or "issuer" in low:
        return _NAME_CA
    return "see resilience.tls in the configuration"


def _tls(causes: list[BaseException]) -> Found:
    for e in causes:
        if not isinstance(e, ssl.SSLError) or isinstance(e, TimeoutError):
            continue
        reason = (e.reason or "").replace("_", " ").lower() or "handshake failed"
        if "wrong version number" in reason or "http request" in reason:
            return TrustError, (
                "the server does not speak TLS on this port; check the scheme and the port in `url`"
            )
        if "certificate" in reason and "alert" in reason:
            return TrustError, (
                f"the server refused the client's certificate ({reason});"
                " check resilience.tls.client_cert_file and client_key_file"
            )
        if "version" in reason or "no protocols" in reason:
            return TrustError, (
                f"no common TLS version ({reason}); check resilience.tls.min_version"
            )
        return ConnectError, f"TLS failed ({reason}); check that `url` names a TLS server"
    return None


def _dns(causes: list[BaseException]) -> Found:
    for e in causes:
        if isinstance(e, socket.gaierror):
            why = e.strerror or "no answer"
            return ConnectError, (
                f"the host name could not be resolved ({why});"
                " check the spelling in `url` and this machine's DNS"
            )
    return None


def _timeout(causes: list[BaseException]) -> Found:
    kinds = (TimeoutError, u3.TimeoutError)
    if not any(isinstance(e, kinds) for e in causes):
        return None
    return RequestTimeoutError, (
        "connecting took longer than resilience.timeouts.connect_secs;"
        " check firewall and proxy, or allow more time"
    )


def _connect(causes: list[BaseException]) -> Found:
    for e in causes:
        if isinstance(e, ConnectionRefusedError):
            return ConnectError, (
                "connection refused: nothing listens there; check host and port in `url`"
            )
        if isinstance(e, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
            return ConnectError, (
                "the server closed the connection before it had answered; if it stays so, check"
                " scheme and port in `url`, and what stands in between"
            )
        if isinstance(e, (http.client.BadStatusLine, http.client.LineTooLong)):
            return ConnectError, "what answers there does not speak HTTP; check host and port"
        if isinstance(e, OSError) and e.errno is not None and e.strerror:
            return ConnectError, f"{e.strerror.lower()}; check the network and the host in `url`"
    return None


def _body(causes: list[BaseException]) -> Found:
    bad = next((e for e in causes if isinstance(e, BadAnswer)), None)
    if bad:
        return ConnectError, f"the answer is not valid HTTP ({_words(bad)})"
    cut: list[Any] = [e for e in causes if isinstance(e, http.client.IncompleteRead)]
    if cut:
        got, rest = cut[-1].partial, cut[-1].expected  # urllib3 counts, http.client keeps bytes
        of = f" after {got} of {got + rest} bytes" if isinstance(got, int) and rest else ""
        return ConnectError, f"the body was cut short{of}; if it stays so, lower `limit`"
    for e in causes:
        if isinstance(e, (u3.ProtocolError, http.client.HTTPException)):
            return ConnectError, f"the answer is not valid HTTP ({_words(e)})"
    return None


def _request(causes: list[BaseException]) -> Found:
    first = causes[0]
    theirs = next((e for e in causes if isinstance(e, u3.InvalidHeader)), None)
    if theirs or "read length" in str(first):  # http.client's words for a chunk of -5 bytes
        return ConnectError, f"the answer is not valid HTTP ({_words(theirs or first)})"
    if isinstance(first, UnicodeEncodeError) or "header" in type(first).__name__.lower():
        return RefusedError, (
            "a value in `headers` cannot be sent; check it for line breaks and for characters"
            " outside Latin-1"
        )
    if isinstance(first, (ValueError, u3.LocationParseError)):
        # The library's words quote the URL, a proxy's too, with what may be a password in it.
        return RefusedError, "the address cannot be used; check `url` and the proxy variables"
    return None


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
