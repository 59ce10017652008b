"""Chooses drivers by the settings. The only place, beside the tests' own, that imports them."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from sternpost.auth.jwks import KeySet
from sternpost.auth.jwt import JwtAuthenticator
from sternpost.clock import Clock
from sternpost.errors import StartupError
from sternpost.ports.storage import Storage
from sternpost.settings import Settings


def make_storage(settings: Settings, *, serving: bool = False) -> Storage:
    """The database that `STERNPOST_DATABASE_URL` names.

    Args:
        serving: whether statements have a time limit; those of a script may take as long as they take.

    Raises:
        StartupError: the address is none.
    """
    check_database_url(settings)
    url = settings.database_url.get_secret_value()
    key_secret = settings.derived_key("integer keys")
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        from sternpost.storage.sqlite.database import SqliteStorage

        # sqlite:///relative.sqlite and sqlite:////absolute.sqlite, as SQLAlchemy writes them
        return SqliteStorage(
            unquote(rest.removeprefix("/")), timeout_seconds=settings.database_timeout_seconds, key_secret=key_secret
        )
    if scheme in ("postgresql", "postgres"):
        try:
            from sternpost.storage.postgresql.database import PostgresqlStorage
        except ModuleNotFoundError as error:
            raise StartupError("PostgreSQL needs its driver. Run: pip install 'sternpost[postgresql]'") from error
        return PostgresqlStorage(
            url,
            pool_size=settings.database_pool_size,
            timeout_seconds=settings.database_timeout_seconds,
            key_secret=key_secret,
            replica_urls=settings.replica_urls,
            pgbouncer=settings.database_pgbouncer,
            statement_seconds=(settings.database_statement_seconds or settings.request_timeout_seconds)
            if serving
            else None,
        )
    raise AssertionError("check_database_url has refused every other scheme")


def check_database_url(settings: Settings) -> None:
    """Raises `StartupError` for an address that no driver takes, before anything is started."""
    scheme = settings.database_url.get_secret_value().partition("://")[0]
    if scheme not in ("sqlite", "postgresql", "postgres"):
        raise StartupError(
            f"STERNPOST_DATABASE_URL has the unknown scheme {scheme!r}. Use sqlite:///path or "
            "postgresql://user:password@host/name"
        )
    if scheme != "sqlite":
        _check_postgresql("STERNPOST_DATABASE_URL", settings.database_url.get_secret_value())
    for url in settings.replica_urls:
        if scheme == "sqlite" or not url.startswith(("postgresql://", "postgres://")):
            raise StartupError(
                "STERNPOST_DATABASE_REPLICA_URLS is only supported for a PostgreSQL database. Write "
                "postgresql://user:password@host/name for each, separated by spaces, or leave it out."
            )
        _check_postgresql("STERNPOST_DATABASE_REPLICA_URLS", url)


def _check_postgresql(variable: str, url: str) -> None:
    """Requires host and database, for which the client library would otherwise use the current user's name."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:  # such as a bracket of an IPv6 address that is not closed
        raise StartupError(f"{variable}: {error}. Write postgresql://user:password@host/name") from None
    if not parts.path.strip("/") or not (parts.hostname or "host=" in parts.query):
        raise StartupError(f"{variable} must name a host and a database. Write postgresql://user:password@host/name")


def make_authenticator(
    settings: Settings,
    clock: Clock,
    known_scopes: frozenset[str] = frozenset(),
    known_claims: frozenset[str] = frozenset(),
) -> JwtAuthenticator:
    """Token verification as the settings say; `known_scopes` are those that patterns of scopes stand for, and
    `known_claims` those that are kept."""
    return JwtAuthenticator(
        clock,
        secret=settings.jwt_secret.get_secret_value() if settings.jwt_secret else None,
        keys=KeySet(settings.jwt_jwks_url, clock) if settings.jwt_jwks_url else None,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        tenant_claim=settings.jwt_tenant_claim,
        leeway_seconds=settings.jwt_leeway_seconds,
        known_scopes=known_scopes,
        known_claims=known_claims,
    )
