"""The TLS context of a source: verification is always on, `resilience.tls` adds to it.

Certificates from the environment never touch the disk, except for a client certificate,
which OpenSSL takes from a file only: there it is an anonymous file in memory.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helr.errors import UnusableError
from helr.model import Source, Tls

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def make_context(source: Source) -> ssl.SSLContext:
    """Raises UnusableError when a certificate, key or variable cannot be used."""
    tls, where = source.resilience.tls, f"{source.name}: resilience.tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    context.minimum_version = VERSIONS[tls.min_version or "1.2"]
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate CA may be named alone
    context.set_alpn_protocols(["http/1.1"])
    own = tls.ca_file or tls.ca_env
    if not (tls.ca_only and own):
        _trust_system(context)
    if own:
        _trust_own(context, tls, where)
    if tls.client_cert_file or tls.client_cert_env:
        _identify(context, tls, where)
    elif tls.client_key_file or tls.client_key_env:
        raise UnusableError(f"{where}: a client key needs client_cert_file or client_cert_env")
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
                raise UnusableError(f"{variable}: {bundle}: {_why(error)}") from None
            return
    paths = ssl.get_default_verify_paths()  # SSL_CERT_FILE and SSL_CERT_DIR count
    bundle, directory = paths.cafile, paths.capath
    links = sum(1 for _ in Path(directory).glob("*.[0-9]")) if directory else 0
    if directory and links and links >= (_count(bundle) if bundle else 0):
        context.load_verify_locations(capath=directory)  # read when needed, not 140 in advance
        return
    if bundle:
        context.load_verify_locations(cafile=bundle)
        return
    import certifi  # only where the system has no roots

    context.load_verify_locations(cafile=certifi.where())


def _count(bundle: str) -> int:
    """How many certificates a bundle holds; one may have been added there alone."""
    try:
        return Path(bundle).read_bytes().count(b"-----BEGIN ")
    except OSError:
        return 0


def _trust_own(context: ssl.SSLContext, tls: Tls, where: str) -> None:
    what = f"{where}.ca_file: {tls.ca_file}"
    pem = None
    if not tls.ca_file:
        what = f"{where}.ca_env: {tls.ca_env}"
        pem = _variable(tls.ca_env or "", f"{where}.ca_env")
    try:
        context.load_verify_locations(cafile=tls.ca_file, cadata=pem)
    except (OSError, ValueError) as error:
        raise UnusableError(f"{what}: {_why(error)}; expected certificates in PEM") from None


def _identify(context: ssl.SSLContext, tls: Tls, where: str) -> None:
    if not (tls.client_key_file or tls.client_key_env):
        raise UnusableError(
            f"{where}: a client certificate needs client_key_file or client_key_env"
        )
    cert_key = f"client_cert_{'file' if tls.client_cert_file else 'env'}"
    key_key = f"client_key_{'file' if tls.client_key_file else 'env'}"
    with (
        _as_file(tls.client_cert_file, tls.client_cert_env, f"{where}.{cert_key}") as cert,
        _as_file(tls.client_key_file, tls.client_key_env, f"{where}.{key_key}") as key,
    ):
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except (OSError, ValueError) as error:
            raise UnusableError(
                f"{where}.{cert_key} and {key_key}: {_why(error)}; expected a certificate and"
                " its own unencrypted key in PEM"
            ) from None


def _no_password() -> str:
    """OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted")


@contextmanager
def _as_file(path: str | None, variable: str | None, what: str) -> Iterator[str]:
    """A path to read the PEM from; a variable's goes into a file that is only in memory."""
    if path:
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise UnusableError(f"{what}: {path}: {_why(error)}") from None
        yield path
        return
    pem = _variable(variable or "", what).encode()
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


def _variable(name: str, what: str) -> str:
    value = os.environ.get(name, "")
    if not value.strip():
        raise UnusableError(f"{what}: the environment variable {name} is not set or empty")
    return value


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "").replace("_", " ").lower()
        return reason or "not a usable PEM file"
    text = getattr(error, "strerror", None) or str(error) or "not usable"
    return str(text).lower()
