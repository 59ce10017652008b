"""Chooses drivers by the settings. The only place, beside the tests' own, that imports them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from sternpost.app.sensitive import sensitive_names
from sternpost.auth.api_keys import ApiKeyAuthenticator
from sternpost.auth.jwks import KeySet
from sternpost.auth.jwt import JwtAuthenticator
from sternpost.clock import Clock, SystemClock
from sternpost.errors import StartupError
from sternpost.pipeline.keys import Keys
from sternpost.plan.model import Plan
from sternpost.plan.scopes import known_scopes
from sternpost.ports.authenticator import Authenticator
from sternpost.ports.limits import LimitStore
from sternpost.ports.storage import Storage
from sternpost.settings import Settings
from sternpost.telemetry.events import ApiKeyUseUnrecorded
from sternpost.telemetry.level import LevelOverride
from sternpost.telemetry.log import Log, Write
from sternpost.telemetry.measured import Tally
from sternpost.telemetry.otlp import read_otlp
from sternpost.telemetry.telemetry import Export, Telemetry


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


def authenticator_of(settings: Settings, plans: Sequence[Plan], clock: Clock) -> JwtAuthenticator:
    """The same for a service, which knows the scopes and claims of these plans."""
    scopes = frozenset[str]().union(*map(known_scopes, plans))
    return make_authenticator(settings, clock, scopes, frozenset[str]().union(*(plan.claims for plan in plans)))


def with_api_keys(
    settings: Settings, clock: Clock, storage: Storage, tokens: Authenticator, telemetry: Telemetry
) -> ApiKeyAuthenticator:
    """API keys of the database, beside what `tokens` verifies."""
    return ApiKeyAuthenticator(
        storage.keys(),
        clock,
        tokens,
        lambda reason: telemetry.tell(ApiKeyUseUnrecorded(reason=reason)),
        cache_seconds=settings.api_key_cache_seconds,
    )


def make_log(
    settings: Settings, plans: Sequence[Plan], clock: Clock, write: Write | None, override: LevelOverride
) -> Log:
    """The log of a service, which masks the sensitive fields of these plans."""
    return Log(
        settings.service or plans[0].name,
        clock,
        level=settings.log_level,
        sensitive=sensitive_names(*plans),
        write=write,
        override=override,
        repeats_a_second=settings.log_repeats_a_second,
    )


def make_export(settings: Settings, plan: Plan, clock: Clock, log: Log) -> Export | None:
    """What sends traces and log lines by OTLP, as OpenTelemetry's own variables say; None where they name no endpoint.

    Raises:
        StartupError: a variable holds what cannot be done, or the extra is missing.
    """
    otlp = read_otlp(os.environ)
    if otlp is None:
        return None
    try:
        from sternpost.otel.export import Described, OtlpExport
    except ModuleNotFoundError as error:
        raise StartupError(
            "An endpoint for OpenTelemetry is set, which needs its libraries. Run: pip install 'sternpost[otel]'; "
            "or unset OTEL_EXPORTER_OTLP_ENDPOINT."
        ) from error
    return OtlpExport(
        otlp,
        clock,
        Described(log.service, plan.version),
        statements=settings.trace_statements,
        masked=log.masked,
        tell=lambda event: log.told(event, None),
    )


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def make_limit_store(settings: Settings, service: str, clock: Clock, memory: int | None = None) -> LimitStore:
    """Where the rate limits of a service are counted, as `STERNPOST_LIMIT_STORE` says.

    Args:
        service: its name; services that share a Redis do not share counters.
        memory: the descriptor of the memory that the workers of a machine share, in one of several workers.

    Raises:
        StartupError: the store does not fit the number of workers, or a setting or an extra is missing.
    """
    check_limit_store(settings, workers=1 if memory is None else 2)
    kind = settings.limit_store
    if kind == "redis" or (kind == "auto" and settings.redis_url is not None):
        assert settings.redis_url is not None, "checked above"
        try:
            from sternpost.limits.redis import RedisStore
        except ModuleNotFoundError as error:
            raise StartupError("Redis needs its client. Run: pip install 'sternpost[redis]'") from error
        return RedisStore(settings.redis_url.get_secret_value(), service, clock.monotonic)
    if memory is None:
        from sternpost.limits.process import ProcessStore

        return ProcessStore(_microseconds(clock))
    from sternpost.limits.machine import MachineStore

    return MachineStore(memory, _microseconds(clock))


def check_limit_store(settings: Settings, *, workers: int) -> None:
    """Raises `StartupError` where `STERNPOST_LIMIT_STORE` cannot count for so many workers."""
    if settings.limit_store == "redis" and settings.redis_url is None:
        raise StartupError(
            "STERNPOST_LIMIT_STORE=redis needs the address of one. Set STERNPOST_REDIS_URL to "
            "redis://[user:password@]host[:port][/number]"
        )
    if settings.limit_store == "process" and workers > 1:
        raise StartupError(
            "STERNPOST_LIMIT_STORE=process counts in each worker alone, so that several would let a multiple of each "
            "limit pass. Set it to auto or machine; or to redis, with the address of one in STERNPOST_REDIS_URL."
        )


def _microseconds(clock: Clock) -> Callable[[], int]:
    """The time of a clock since the Unix epoch. A date would take longer to make than a call takes to be counted."""
    if isinstance(clock, SystemClock):
        return _system_microseconds
    return lambda: (clock.now() - EPOCH) // MICROSECOND


def _system_microseconds() -> int:
    return time.time_ns() // 1000


def make_keys(
    plan: Plan, settings: Settings, storage: Storage, clock: Clock, tally: Tally | None = None
) -> Keys | None:
    """What keeps the answers of changes with their idempotency keys; None where none are kept.

    Args:
        tally: where it is counted what comes of them.
    """
    if not plan.keeps_answers:
        return None
    return Keys(storage.answers(), clock, settings.idempotency_wait_seconds, settings.idempotency_hours, tally)
