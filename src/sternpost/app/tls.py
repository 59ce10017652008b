"""TLS for a service that serves it itself, instead of a proxy before it."""

from __future__ import annotations

import ssl
from pathlib import Path

from sternpost.errors import StartupError
from sternpost.settings import Settings

CERTIFICATE = "STERNPOST_TLS_CERTIFICATE_PATH"
KEY = "STERNPOST_TLS_KEY_PATH"
PHRASE = "STERNPOST_TLS_KEY_PASSWORD"
CLIENT_CA = "STERNPOST_TLS_CLIENT_CA_PATH"

_KEY_LINES = b"PRIVATE KEY-----"
_ENCRYPTED_LINES = (b"BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What connections are encrypted with; None where they are not. TLS 1.2 and 1.3, with the ciphers that Python
    trusts (`ssl.create_default_context`), without renegotiation; a client certificate is required where an authority
    for them is set.

    Raises:
        StartupError: a file cannot be read, or is none of its kind; says which setting, which file and what to do.
    """
    certificate, key = settings.tls_certificate_path, settings.tls_key_path
    if certificate is None:
        if key is not None or settings.tls_client_ca_path is not None:
            raise StartupError(f"TLS needs {CERTIFICATE}: set it, or none of the STERNPOST_TLS_… files")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _check_certificates(CERTIFICATE, certificate)
    password = settings.tls_key_password.get_secret_value() if settings.tls_key_password is not None else ""
    _load_pair(context, certificate, key, password)
    if settings.tls_client_ca_path is not None:
        _check_certificates(CLIENT_CA, settings.tls_client_ca_path)
        context.load_verify_locations(settings.tls_client_ca_path)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _refusal(variable: str, path: str, reason: str, fix: str) -> StartupError:
    return StartupError(f"TLS cannot be set up: {variable} names {path}, {reason}. {fix}.")


def _content(variable: str, path: str) -> bytes:
    """Read before OpenSSL does, whose errors do not say which of its files they are about."""
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fix = f"Set {variable} to a file in PEM that the user of this process may read"
        raise _refusal(variable, path, f"which cannot be read: {reason}", fix) from error


def _check_certificates(variable: str, path: str) -> None:
    if b"-----BEGIN" not in _content(variable, path):
        raise _refusal(variable, path, "which is not in PEM", f"Set {variable} to a file with a certificate in PEM")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except ssl.SSLError as error:
        fix = f"Set {variable} to a file with a certificate in PEM"
        raise _refusal(variable, path, "which holds no certificate that can be read", fix) from error


def _load_pair(context: ssl.SSLContext, certificate: str, key: str | None, password: str) -> None:
    """Loads a certificate, which has been found to be one, and its key."""
    variable, path = (CERTIFICATE, certificate) if key is None else (KEY, key)
    content = _content(variable, path)
    if _KEY_LINES not in content:
        if key is None:
            fix = f"Set {KEY} to the file of its key"
            raise _refusal(variable, path, "which holds no key beside the certificate", fix)
        fix = f"Set {variable} to a file with a private key in PEM"
        raise _refusal(variable, path, "which holds no private key in PEM", fix)
    try:
        context.load_cert_chain(certificate, key, password=lambda: password)  # never asks a terminal for it
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            fix = f"Set {KEY} and {CERTIFICATE} to files that were issued together"
            raise _refusal(variable, path, f"which is not the key of the certificate in {certificate}", fix) from error
        if error.reason:  # such as a key that is too small
            reason = error.reason.replace("_", " ").lower()
            refused = _refusal(CERTIFICATE, certificate, f"which OpenSSL refuses: {reason}", "Use another certificate")
            raise refused from error
        if not any(line in content for line in _ENCRYPTED_LINES):
            fix = f"Set {variable} to a file with a private key in PEM"
            raise _refusal(variable, path, "which holds a private key that cannot be read", fix) from error
        state = f"which {PHRASE} does not decrypt" if password else f"which is encrypted, and {PHRASE} is not set"
        raise _refusal(variable, path, state, f"Set {PHRASE} to what it was encrypted with") from error
    except ValueError as error:
        raise StartupError(f"TLS cannot be set up: {PHRASE} cannot be used: {error}. Set a shorter one.") from error
