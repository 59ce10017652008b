"""Settings for commands: the environment, then `.env`, then a development secret that is made once and kept."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from sternpost.app.drivers import check_database_url, make_authenticator
from sternpost.auth.jwt import SUBJECT_MAX, make_token
from sternpost.clock import SystemClock
from sternpost.errors import InvalidCredentials, StartupError
from sternpost.settings import Settings, checked_root_path, load_settings, secret_weakness

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost

SECRET_FILE = Path(".sternpost/development-secret")


def configure(
    application: Sternpost,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    root_path: str | None = None,
    serving: bool = True,
) -> Settings:
    """The settings in force, given to the application. Options of the command come before the environment."""
    settings = development_settings(serving=serving)
    check_database_url(settings)
    options = {"host": host, "port": port, "workers": workers}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if root_path is not None:
        try:
            given["root_path"] = checked_root_path(root_path)
        except ValueError as error:
            raise StartupError(f"--root-path: {error}") from error
    settings = settings.model_copy(update=given)
    application.use(settings)
    return settings


def development_settings(*, serving: bool = True) -> Settings:
    """The settings; in development, where nothing says how to verify tokens, with the development secret."""
    settings = load_settings(dotenv=Path(".env"), serving=serving)
    if settings.env == "production" or settings.jwt_secret or settings.jwt_jwks_url:
        return settings
    return settings.model_copy(update={"jwt_secret": SecretStr(_development_secret(SECRET_FILE))})


def development_token(
    settings: Settings,
    subject: str,
    scopes: list[str],
    seconds: int,
    tenant: str | None = None,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """A token that a service with these settings accepts.

    Raises:
        StartupError: only others can sign tokens, or the service would refuse this one; says what to change.
    """
    if settings.jwt_secret is None:
        raise StartupError(
            "Tokens are verified with the keys of STERNPOST_JWT_JWKS_URL, so they cannot be created here. "
            "Set STERNPOST_JWT_SECRET to create tokens."
        )
    if not 1 <= len(subject) <= SUBJECT_MAX or not subject.isprintable():
        raise StartupError(f"--sub must have 1 to {SUBJECT_MAX} printable characters")
    if tenant is not None and not (1 <= len(tenant) <= SUBJECT_MAX and tenant.isprintable()):
        raise StartupError(f"--tenant must have 1 to {SUBJECT_MAX} printable characters")
    weakness = secret_weakness(settings.jwt_secret.get_secret_value())
    if weakness is not None and "bytes" in weakness:
        raise StartupError(
            f"STERNPOST_JWT_SECRET is weak: {weakness}. Set it, for example, to the output of: openssl rand -hex 32"
        )
    now = int(time.time())
    token = make_token(
        settings.jwt_secret.get_secret_value(),
        subject=subject,
        scopes=scopes,
        issued=now,
        expires=now + seconds,
        claims=claims or {},
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        tenant=None if tenant is None else (settings.jwt_tenant_claim, tenant),
    )
    _refuse_useless(settings, token, subject, tenant, scopes)
    return token


def _refuse_useless(settings: Settings, token: str, subject: str, tenant: str | None, scopes: list[str]) -> None:
    """Asks the service's own verification, so that no token is printed that it refuses, or takes for another's."""
    verifier = make_authenticator(settings.model_copy(update={"jwt_jwks_url": None}), SystemClock(), frozenset(scopes))
    try:
        principal = verifier.verify_own(token)
    except InvalidCredentials as error:
        reason = str(error.log.get("reason", error.message))
        fix = "; instead of many scopes, give a pattern such as '*:read' or 'orders:*'" if scopes else ""
        raise StartupError(f"The service would refuse this token: {reason}{fix}") from error
    if principal.subject != subject or tenant not in (None, principal.tenant) or principal.scopes != frozenset(scopes):
        raise StartupError(
            f"The claim {settings.jwt_tenant_claim!r} cannot hold the tenant: tokens use it for something else. "
            "Set STERNPOST_JWT_TENANT_CLAIM to another claim."
        )


def _development_secret(path: Path) -> str:
    """A random secret in a file that only its owner reads. Two processes that start at once agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ignore = path.parent / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        secret = secrets.token_hex(32)
        file.write(secret)
    return secret
