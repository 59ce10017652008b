"""TLS for a service that serves it itself, instead of a proxy before it."""

from __future__ import annotations

import ssl

from sternpost.errors import StartupError
from sternpost.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What connections are encrypted with; None where they are not. TLS 1.2 and 1.3, with the ciphers that Python
    trusts (`ssl.create_default_context`), without renegotiation; a client certificate is required where an authority
    for them is set.

    Raises:
        StartupError: a file cannot be read, or is none of its kind.
    """
    certificate, key = settings.tls_certificate_path, settings.tls_key_path
    if certificate is None:
        if key is not None or settings.tls_client_ca_path is not None:
            raise StartupError("TLS needs STERNPOST_TLS_CERTIFICATE_PATH: set it, or none of the STERNPOST_TLS_… files")
        return None
    password = settings.tls_key_password.get_secret_value() if settings.tls_key_password is not None else ""
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(certificate, key, password=lambda: password)  # never asks a terminal for it
        if settings.tls_client_ca_path is not None:
            context.load_verify_locations(settings.tls_client_ca_path)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StartupError(
            f"TLS cannot be set up: {reason}. Check STERNPOST_TLS_CERTIFICATE_PATH, STERNPOST_TLS_KEY_PATH, "
            "STERNPOST_TLS_KEY_PASSWORD and STERNPOST_TLS_CLIENT_CA_PATH: they name files in PEM, and the key is that "
            "of the certificate."
        ) from error
    return context
