"""Why a request failed, as a failure whose advice a user can act on.

HTTP libraries wrap the cause of a failure in several exceptions; this finds the one that matters.
urllib3's exceptions are recognised by name: only helr/http/urllib3_transport.py imports it.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import Any, NamedTuple

from helr.errors import PollError
from helr.http.failures import ConnectError, RefusedError, RequestTimeoutError, TrustError
from helr.http.head import BadAnswer
from helr.log import redact
from helr.urls import safe_url

_NAME_CA = (
    "if a private CA or an inspecting proxy signed it, set resilience.tls.ca_file to that CA's"
    " certificate"
)
_NOT_HTTP_ADVICE = "check any proxy in between, or tell the API's vendor"


class Finding(NamedTuple):
    """The failure to raise, what happened, and what to do about it."""

    kind: type[PollError]
    what: str
    do: str


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
    """Whether the server closed the connection before answering."""
    kinds = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
    return any(isinstance(e, kinds) for e in chain(error))


def explain(error: BaseException, name: str, url: str, own_ca: str = "") -> PollError:
    """The PollError for a request to `url` by the source `name` that failed with `error`.

    `own_ca`: the key of `resilience.tls` that names a CA, if there is one.
    """
    causes = list(chain(error))
    looks = (_proxy, _trust, _tls, _dns, _timeout, _connect, _body, _request)
    found = next(filter(None, (look(causes) for look in looks)), None) or _unknown(causes)
    do = found.do
    if own_ca and do == _NAME_CA:
        do = f"add the CA that issued it to the certificates in resilience.tls.{own_ca}"
    return found.kind(redact(found.what), where=safe_url(url), do=do, source=name)


def _is_urllib3(error: BaseException, *names: str) -> bool:
    """Whether the error is one of urllib3's exceptions of these names, or derives from one."""
    return any(
        kind.__name__ in names and kind.__module__.partition(".")[0] == "urllib3"
        for kind in type(error).__mro__
    )


def _proxy(causes: list[BaseException]) -> Finding | None:
    if not any(_is_urllib3(e, "ProxyError") or "Tunnel connection" in str(e) for e in causes):
        return None
    text = next((str(e) for e in causes if str(e).startswith("Tunnel connection failed")), "")
    if " 407" in text:
        do = "put its user and password into HTTPS_PROXY (http://user:password@host:port)"
        return Finding(RefusedError, "the proxy requires a login (407)", do)
    cause = text or _words(causes[-1]) if isinstance(causes[-1], OSError) else text
    cause = cause or type(causes[-1]).__name__
    do = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY in helr's environment"
    return Finding(ConnectError, f"the proxy could not be used ({cause})", do)


def _trust(causes: list[BaseException]) -> Finding | None:
    for e in causes:
        if isinstance(e, ssl.SSLCertVerificationError):
            said = e.verify_message or "verification failed"
            what = f"the server's certificate is not trusted ({said})"
            return Finding(TrustError, what, _cure(said))
        if isinstance(e, ssl.CertificateError):
            what = "the server's certificate is not trusted"
            return Finding(TrustError, what, _cure("mismatch"))
    return None


def _cure(said: str) -> str:
    low = said.lower()
    if "expired" in low or "not yet valid" in low:
        return "check this machine's clock, or renew the server's certificate"
    if "mismatch" in low or "not valid for" in low:
        return "check the host name in `url`"
    if "self-signed" in low or "self signed" in low or "issuer" in low:
        return _NAME_CA
    return "check resilience.tls"


def _tls(causes: list[BaseException]) -> Finding | None:
    for e in causes:
        if not isinstance(e, ssl.SSLError) or isinstance(e, TimeoutError):
            continue
        reason = (e.reason or "").replace("_", " ").lower() or "handshake failed"
        if "wrong version number" in reason or "http request" in reason:
            what = "the server does not speak TLS on this port"
            return Finding(TrustError, what, "check the scheme and the port in `url`")
        if "certificate" in reason and "alert" in reason:
            return Finding(
                TrustError,
                f"the server refused the client certificate ({reason})",
                "check resilience.tls.client_cert_file and client_key_file",
            )
        if "version" in reason or "no protocols" in reason:
            what = f"no common TLS version ({reason})"
            return Finding(TrustError, what, "check resilience.tls.min_version")
        do = "check that the server in `url` speaks TLS"
        return Finding(ConnectError, f"TLS failed ({reason})", do)
    return None


def _dns(causes: list[BaseException]) -> Finding | None:
    for e in causes:
        if isinstance(e, socket.gaierror):
            what = f"the host name could not be resolved ({e.strerror or 'no answer'})"
            do = "check the spelling in `url` and this machine's DNS"
            return Finding(ConnectError, what, do)
    return None


def _timeout(causes: list[BaseException]) -> Finding | None:
    if not any(isinstance(e, TimeoutError) or _is_urllib3(e, "TimeoutError") for e in causes):
        return None
    return Finding(
        RequestTimeoutError,
        "connecting took longer than resilience.timeouts.connect_secs",
        "check the firewall and the proxy, or allow more time",
    )


def _connect(causes: list[BaseException]) -> Finding | None:
    for e in causes:
        if isinstance(e, ConnectionRefusedError):
            what = "connection refused: nothing is listening there"
            return Finding(ConnectError, what, "check the host and port in `url`")
        if isinstance(e, (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)):
            return Finding(
                ConnectError,
                "the server closed the connection before answering",
                "if it persists, check the scheme and port in `url`, and any proxy or firewall in"
                " between",
            )
        if isinstance(e, (http.client.BadStatusLine, http.client.LineTooLong)):
            what = "the server does not speak HTTP"
            return Finding(ConnectError, what, "check the host and port in `url`")
        if isinstance(e, OSError) and e.errno is not None and e.strerror:
            do = "check the network and the host in `url`"
            return Finding(ConnectError, e.strerror.lower(), do)
    return None


def _body(causes: list[BaseException]) -> Finding | None:
    bad = next((e for e in causes if isinstance(e, BadAnswer)), None)
    if bad:
        return _not_http(bad)
    cut: list[Any] = [e for e in causes if isinstance(e, http.client.IncompleteRead)]
    if cut:
        got, rest = cut[-1].partial, cut[-1].expected  # urllib3 counts, http.client keeps bytes
        of = f" after {got} of {got + rest} bytes" if isinstance(got, int) and rest else ""
        do = "if it persists, lower `limit`"
        return Finding(ConnectError, f"the body was cut short{of}", do)
    for e in causes:
        if _is_urllib3(e, "ProtocolError") or isinstance(e, http.client.HTTPException):
            return _not_http(e)
    return None


def _request(causes: list[BaseException]) -> Finding | None:
    first = causes[0]
    theirs = next((e for e in causes if _is_urllib3(e, "InvalidHeader")), None)
    if theirs or "read length" in str(first):  # http.client's words for a chunk of -5 bytes
        return _not_http(theirs or first)
    if isinstance(first, UnicodeEncodeError) or "header" in type(first).__name__.lower():
        return Finding(
            RefusedError,
            "a value in `headers` cannot be sent",
            "check it for line breaks and for characters outside Latin-1",
        )
    if isinstance(first, ValueError) or _is_urllib3(first, "LocationParseError"):
        # The library's words quote the URL, a proxy's too, which may contain a password.
        do = "check `url` and the proxy variables"
        return Finding(RefusedError, "the URL cannot be used", do)
    return None


def _not_http(error: BaseException) -> Finding:
    what = f"the response is not valid HTTP ({_words(error)})"
    return Finding(ConnectError, what, _NOT_HTTP_ADVICE)


def _unknown(causes: list[BaseException]) -> Finding:
    do = "check the network between this machine and the server"
    return Finding(ConnectError, _words(causes[-1]), do)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
