"""The TLS context of a source: verification is always on; `resilience.tls` adds to it.

Certificates from the environment never touch the disk. OpenSSL reads a client certificate only
from a file, so that one is put into an anonymous file in memory.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helr.errors import UnusableError
from helr.model import Source, Tls

KEY = "resilience.tls"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def make_context(source: Source) -> ssl.SSLContext:
    """Raises UnusableError when a certificate, key or variable cannot be used."""
    try:
        return _make_context(source.resilience.tls)
    except UnusableError as error:
        error.source = source.name
        raise


def _make_context(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    context.minimum_version = VERSIONS[tls.min_version or "1.2"]
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate CA alone is enough
    context.set_alpn_protocols(["http/1.1"])
    own = tls.ca_file or tls.ca_env
    if not (tls.ca_only and own):
        _trust_system(context)
    if own:
        _trust_own(context, tls)
    if tls.client_cert_file or tls.client_cert_env:
        _identify(context, tls)
    elif tls.client_key_file or tls.client_key_env:
        raise UnusableError(
            "the client key has no certificate",
            where=KEY,
            do="set client_cert_file or client_cert_env",
        )
    return context


def _trust_system(context: ssl.SSLContext) -> None:
    """REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, else the system's roots, else certifi's."""
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if bundle := os.environ.get(variable):
            try:
                if Path(bundle).is_dir():
                    context.load_verify_locations(capath=bundle)
                else:
                    context.load_verify_locations(cafile=bundle)
            except OSError as error:
                raise UnusableError(
                    _why(error),
                    where=f"{variable}: {bundle}",
                    do="set it to a file or directory of CA certificates in PEM",
                ) from None
            return
    paths = ssl.get_default_verify_paths()  # SSL_CERT_FILE and SSL_CERT_DIR count
    bundle, directory = paths.cafile, paths.capath
    links = sum(1 for _ in Path(directory).glob("*.[0-9]")) if directory else 0
    if directory and links and links >= (_count(bundle) if bundle else 0):
        context.load_verify_locations(
            capath=directory
        )  # loads a certificate when needed, not all 140
        return
    if bundle:
        context.load_verify_locations(cafile=bundle)
        return
    import certifi  # only where the system has no roots

    context.load_verify_locations(cafile=certifi.where())


def _count(bundle: str) -> int:
    """How many certificates a bundle holds; one may have been added only there."""
    try:
        return Path(bundle).read_bytes().count(b"-----BEGIN ")
    except OSError:
        return 0


def _trust_own(context: ssl.SSLContext, tls: Tls) -> None:
    where, pem = f"{KEY}.ca_file: {tls.ca_file}", None
    if not tls.ca_file:
        where = f"{KEY}.ca_env: {tls.ca_env}"
        pem = _variable(tls.ca_env or "", f"{KEY}.ca_env")
    try:
        context.load_verify_locations(cafile=tls.ca_file, cadata=pem)
    except (OSError, ValueError) as error:
        do = "provide CA certificates in PEM"
        raise UnusableError(_why(error), where=where, do=do) from None


def _identify(context: ssl.SSLContext, tls: Tls) -> None:
    if not (tls.client_key_file or tls.client_key_env):
        raise UnusableError(
            "the client certificate has no key",
            where=KEY,
            do="set client_key_file or client_key_env",
        )
    cert_key = f"client_cert_{'file' if tls.client_cert_file else 'env'}"
    key_key = f"client_key_{'file' if tls.client_key_file else 'env'}"
    with (
        _as_file(tls.client_cert_file, tls.client_cert_env, f"{KEY}.{cert_key}") as cert,
        _as_file(tls.client_key_file, tls.client_key_env, f"{KEY}.{key_key}") as key,
    ):
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except (OSError, ValueError) as error:
            raise UnusableError(
                _why(error),
                where=f"{KEY}.{cert_key} and {key_key}",
                do="provide a certificate and its own unencrypted key in PEM",
            ) from None


def _no_password() -> str:
    """Without it, OpenSSL would prompt at the terminal."""
    raise ValueError("the key is encrypted")


@contextmanager
def _as_file(path: str | None, variable: str | None, where: str) -> Iterator[str]:
    """A path to read the PEM from; a variable's value goes into a file in memory."""
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            do = "name a PEM file that helr can read"
            raise UnusableError(_why(error), where=f"{where}: {path}", do=do) from None
        yield path
        return
    pem = _variable(variable or "", where).encode()
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("helr", os.MFD_CLOEXEC)
        try:
            os.write(fd, pem)
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)
        return
    import tempfile  # only where memory files do not exist

    with tempfile.NamedTemporaryFile() as file:  # mode 0600
        file.write(pem)
        file.flush()
        yield file.name


def _variable(name: str, where: str) -> str:
    value = os.environ.get(name, "")
    if not value.strip():
        what = f"the environment variable {name} is not set or empty"
        raise UnusableError(what, where=where, do=f"set {name} to the text of the PEM file")
    return value


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").replace("_", " ").lower()
        return reason or "not a usable PEM file"
    text = getattr(error, "strerror", None) or str(error) or "not usable"
    return str(text).lower()
