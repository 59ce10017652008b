"""Wires migrations to the databases that there are drivers for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from sternpost.migrations.shape import shape_from
from sternpost.plan.model import Plan
from sternpost.ports.migrator import Migrator
from sternpost.ports.schema import DatabaseName, Shape

if TYPE_CHECKING:
    from sternpost.migrations.history import History
    from sternpost.migrations.runner import Runner
    from sternpost.storage.sql.schema import Schema

LOCK_TIMEOUT_SECONDS = 5.0


def shape_of(plan: Plan) -> Shape:
    """What the contract needs of a database."""
    return shape_from({name: schema.describe() for name, schema in _schemas(plan).items()})


def fingerprints_of(plan: Plan) -> dict[str, str]:
    """By database, what it says when it serves this contract."""
    return {name: schema.fingerprint for name, schema in _schemas(plan).items()}


def migrator_of(url: str, lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> Migrator:
    """The database at an address that `check_database_url` has let through."""
    if url.startswith("sqlite"):
        from sternpost.storage.sqlite.migrator import SqliteMigrator

        return SqliteMigrator(url, lock_timeout_seconds=lock_timeout_seconds)
    from sternpost.storage.postgresql.migrator import PostgresqlMigrator

    return PostgresqlMigrator(url, lock_timeout_seconds=lock_timeout_seconds)


def is_current(history: History, plan: Plan) -> bool:
    """Whether the migrations lead to what the contract needs."""
    from sternpost.migrations.shape import same

    head = history.head
    return head is not None and head.fingerprints == fingerprints_of(plan) and same(history.shape(), shape_of(plan))


def runner_of(
    plan: Plan,
    history: History,
    url: str,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    tell: Callable[[str], None] = lambda text: None,
) -> Runner:
    """What applies the migrations to the database at `url`."""
    from sternpost.migrations.runner import Runner

    migrator = migrator_of(url, lock_timeout_seconds)
    return Runner(migrator, history, tell, {plan.storage_fingerprint: fingerprints_of(plan)[migrator.name]})


def scratch_databases(name: DatabaseName, server_url: str = "") -> AbstractContextManager[Callable[[], Migrator]]:
    """Makes empty databases that go away at the end: files, or beside the database of `server_url`."""
    if name == "sqlite":
        from sternpost.storage.sqlite.migrator import scratch

        return scratch()
    from sternpost.storage.postgresql.migrator import scratch as scratch_on

    return scratch_on(server_url)


def _schemas(plan: Plan) -> dict[DatabaseName, Schema]:
    from sternpost.storage.postgresql.dialect import PostgresqlDialect
    from sternpost.storage.sql.schema import Schema
    from sternpost.storage.sqlite.dialect import SqliteDialect

    return {"sqlite": Schema(plan, SqliteDialect()), "postgresql": Schema(plan, PostgresqlDialect())}
