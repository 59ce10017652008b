"""TLS that the service serves itself: what it takes, what it refuses, and how it says that it cannot start."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sternpost.app.tls import tls_context
from sternpost.errors import StartupError
from sternpost.settings import Settings
from tests.support.server import Process, serving, wait_until
from tests.support.wire import Answer, Cut, Wire

APP = "tests.process.edge_service:app"
HOST = b"host: localhost\r\n"


class Authority:
    """Makes certificates, and writes them into a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = self._write(name, self._certificate(self._name, self._key, is_authority=True))

    def issue(self, name: str, password: bytes | None = None) -> tuple[Path, Path]:
        """The files of a certificate for this machine, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
        return self._write(name, self._certificate(subject, key)), self._write(f"{name}-key", pem)

    def _certificate(self, subject: x509.Name, key: Any, *, is_authority: bool = False) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        file = self.folder / f"{name}.pem"
        file.write_bytes(content)
        return file


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    certificate, key = authority.issue("server", b"hidden")
    files = {
        "STERNPOST_TLS_CERTIFICATE_PATH": str(certificate),
        "STERNPOST_TLS_KEY_PATH": str(key),
        "STERNPOST_TLS_KEY_PASSWORD": "hidden",
        "STERNPOST_HEAD_SECONDS": "1",
        "STERNPOST_CONNECTIONS_PER_ADDRESS_MAX": "5",
    }
    with serving(APP, tmp_path_factory.mktemp("tls"), **files) as server:
        yield server


def client(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def opened(server: Process, context: ssl.SSLContext) -> Wire:
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    return Wire(context.wrap_socket(plain, server_hostname="localhost"))


def ask(server: Process, context: ssl.SSLContext, path: str = "/echo/x") -> Answer:
    with opened(server, context) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
        return wire.answer()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_https_is_served(server: Process, authority: Authority, version: ssl.TLSVersion) -> None:
    context = client(authority)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with opened(server, context) as wire:
        assert wire.opened.selected_alpn_protocol() == "http/1.1"  # type: ignore[attr-defined]
        for _ in range(3):
            wire.send(b"GET /echo/x HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = wire.answer()
            assert answer.json["scheme"] == "https"
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
        wire.send(b"GET /answers/big HTTP/1.1\r\n" + HOST + b"\r\n")
        assert len(wire.answer().body) == 8_000_000
    assert ask(server, context, "/health").headers["strict-transport-security"] == "max-age=31536000"


def test_older_versions_are_refused(server: Process, authority: Authority) -> None:
    context = client(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # which is what the test is about
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        opened(server, context)


def test_plain_http_gets_no_answer(server: Process) -> None:
    with Wire.to(server.port) as wire:
        wire.send(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
        assert not wire.rest().startswith(b"HTTP/")


def test_a_handshake_has_its_time(server: Process) -> None:
    with Wire.to(server.port, seconds=10) as wire:
        wire.send(b"\x16\x03\x01\x02\x00\x01")  # the start of a handshake
        wire.rest()


def test_connections_that_never_were_do_not_count(server: Process, authority: Authority) -> None:
    for number in range(15):
        with Wire.to(server.port) as wire:
            wire.send((b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"")[number % 3])
            if number % 2:
                wire.reset()
    wait_until(lambda: ask(server, client(authority), "/health").status == 200)
    assert not [line for line in server.lines if "Traceback" in line]


def test_what_is_no_request_is_answered_within_tls(server: Process, authority: Authority) -> None:
    with opened(server, client(authority)) as wire:
        wire.send(b"GARBAGE\r\n\r\n")
        answer = wire.answer()
        assert (answer.status, answer.code) == (400, "MALFORMED_REQUEST")


def test_a_client_certificate_is_required_where_one_is_asked_for(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("guarded")
    others = Authority(tmp_path, "others")
    files = {
        "STERNPOST_TLS_CERTIFICATE_PATH": str(certificate),
        "STERNPOST_TLS_KEY_PATH": str(key),
        "STERNPOST_TLS_CLIENT_CA_PATH": str(authority.file),
        "STERNPOST_HSTS_SECONDS": "60",
    }
    with serving(APP, tmp_path, **files) as server:
        for issuer in (None, others, authority):
            context = client(authority)
            if issuer is not None:
                context.load_cert_chain(*issuer.issue("client"))
            if issuer is authority:
                assert ask(server, context).headers["strict-transport-security"] == "max-age=60"
                continue
            with pytest.raises(
                (ssl.SSLError, ConnectionError, Cut)
            ):  # with TLS 1.3 the client is told behind its own part
                ask(server, context)


def problem(**files: Path | str) -> str:
    texts: dict[str, Any] = {name: str(value) for name, value in files.items()}
    with pytest.raises(StartupError) as error:
        tls_context(Settings(database_url="sqlite:///x", jwt_secret="x" * 32, **texts))
    return str(error.value)


def refusal(variable: str, file: Path, reason: str, fix: str) -> str:
    return f"TLS cannot be set up: STERNPOST_TLS_{variable} names {file}, {reason}. {fix}."


CERTIFICATE_FIX = "Set STERNPOST_TLS_{}_PATH to a file with a certificate in PEM"
KEY_FIX = "Set STERNPOST_TLS_KEY_PATH to a file with a private key in PEM"
PASSWORD_FIX = "Set STERNPOST_TLS_KEY_PASSWORD to what it was encrypted with"


def test_what_cannot_be_served_is_said_at_the_start(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("one")
    hidden = authority.issue("two", b"hidden")[1]
    other = authority.issue("three")[1]
    broken = tmp_path / "broken.pem"
    broken.write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    )
    missing, plain = tmp_path / "missing.pem", tmp_path / "plain.pem"
    plain.write_text("not one of them\n")
    assert problem(tls_key_path=key) == (
        "TLS needs STERNPOST_TLS_CERTIFICATE_PATH: set it, or none of the STERNPOST_TLS_… files"
    )
    pair: dict[str, Path | str] = {"tls_certificate_path": certificate, "tls_key_path": key}
    for name, variable in (
        ("tls_certificate_path", "CERTIFICATE_PATH"),
        ("tls_key_path", "KEY_PATH"),
        ("tls_client_ca_path", "CLIENT_CA_PATH"),
    ):
        fix = f"Set STERNPOST_TLS_{variable} to a file in PEM that the user of this process may read"
        assert problem(**(pair | {name: missing})) == refusal(
            variable, missing, "which cannot be read: No such file or directory", fix
        )
        assert problem(**(pair | {name: tmp_path})) == refusal(
            variable, tmp_path, "which cannot be read: Is a directory", fix
        )
    for name, variable in (("tls_certificate_path", "CERTIFICATE"), ("tls_client_ca_path", "CLIENT_CA")):
        fix = CERTIFICATE_FIX.format(variable)
        place = f"{variable}_PATH"
        assert problem(**(pair | {name: plain})) == refusal(place, plain, "which is not in PEM", fix)
        for file in (broken, key):
            assert problem(**(pair | {name: file})) == refusal(
                place, file, "which holds no certificate that can be read", fix
            )
    for file, reason, fix in (
        (plain, "which holds no private key in PEM", KEY_FIX),
        (certificate, "which holds no private key in PEM", KEY_FIX),
        (broken, "which holds a private key that cannot be read", KEY_FIX),
        (
            other,
            f"which is not the key of the certificate in {certificate}",
            "Set STERNPOST_TLS_KEY_PATH and STERNPOST_TLS_CERTIFICATE_PATH to files that were issued together",
        ),
        (hidden, "which is encrypted, and STERNPOST_TLS_KEY_PASSWORD is not set", PASSWORD_FIX),
    ):
        assert problem(**(pair | {"tls_key_path": file})) == refusal("KEY_PATH", file, reason, fix)
    wrong = problem(**(pair | {"tls_key_path": hidden, "tls_key_password": "a wrong one"}))
    assert wrong == refusal("KEY_PATH", hidden, "which STERNPOST_TLS_KEY_PASSWORD does not decrypt", PASSWORD_FIX)
    assert problem(tls_certificate_path=certificate) == refusal(
        "CERTIFICATE_PATH",
        certificate,
        "which holds no key beside the certificate",
        "Set STERNPOST_TLS_KEY_PATH to the file of its key",
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_that_is_missing_is_one_line(authority: Authority, tmp_path: Path, workers: str) -> None:
    certificate, _ = authority.issue("lonely")
    ended = subprocess.run(
        [sys.executable, "-m", "sternpost", "serve", APP, "--port", "0", "--workers", workers],
        env={
            **os.environ,
            "STERNPOST_DATABASE_URL": f"sqlite:///{tmp_path / 'x.sqlite'}",
            "STERNPOST_JWT_SECRET": "x" * 32,
            "STERNPOST_TLS_CERTIFICATE_PATH": str(certificate),
            "STERNPOST_TLS_KEY_PATH": "/none/key.pem",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: TLS cannot be set up: STERNPOST_TLS_KEY_PATH names /none/key.pem, which cannot be read: No such file or "
        "directory. Set STERNPOST_TLS_KEY_PATH to a file in PEM that the user of this process may read.\n"
    )
