"""Proves migrations: each goes up, down and up again on a database that holds rows, and nothing else changes."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from sternpost.errors import StartupError
from sternpost.migrations.history import History, Revision
from sternpost.migrations.postgresql import PostgresqlTarget
from sternpost.migrations.rows import ROWS_PER_TABLE, add_rows, read_rows
from sternpost.migrations.runner import BOOKKEEPING, MigrationFailed, Runner, Target
from sternpost.migrations.shape import Database, Shape
from sternpost.migrations.sqlite import SqliteTarget
from sternpost.migrations.steps import ChangeType, DropColumn, DropTable, Step, Update
from sternpost.plan.model import Plan
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sqlite.dialect import SqliteDialect

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

Rows = dict[str, dict[str, dict[str, str]]]


@dataclass
class Proof:
    """What was found about one migration on one database; no problems is a proof."""

    revision: str
    database: str
    rows: int = 0
    lost: list[str] = field(default_factory=list[str])
    irreversible: str | None = None
    problems: list[str] = field(default_factory=list[str])


def verify(history: History, plan: Plan, target: Target, fresh: Target) -> list[Proof]:
    """Tries every migration on an empty database, and compares the end with a schema made directly in a fresh one."""
    proofs: list[Proof] = []
    for count, revision in enumerate(history.revisions, start=1):
        proof = Proof(revision.name, target.kind)
        proofs.append(proof)
        try:
            _prove(history, revision, count, target, proof)
        except MigrationFailed as error:
            proof.problems.append(str(error))
        if proof.problems:
            return proofs
    if proofs:
        proofs[-1].problems += _compared_with_contract(plan, target, fresh)
    return proofs


def _prove(history: History, revision: Revision, count: int, target: Target, proof: Proof) -> None:
    database: Database = "sqlite" if target.kind == "sqlite" else "postgresql"
    older, newer = history.shape(count - 1), history.shape(count)
    runner = Runner(target, history)
    before, rows_before = _snapshot(target, older)
    runner.apply(to=revision.name, allow_destructive=True)
    after, rows_after = _snapshot(target, newer)
    proof.rows = sum(map(len, rows_before.values()))
    proof.irreversible = revision.irreversible
    if revision.irreversible is None:
        up, down = _touched(revision.up), _touched(revision.down)
        proof.lost = sorted({*up, *down} - {""})
        runner.down(allow_destructive=True)
        schema, rows = _snapshot(target, older)
        proof.problems += _differences("down", before, schema)
        proof.problems += _row_differences("down", rows_before, rows, up)
        runner.apply(to=revision.name, allow_destructive=True)
        schema, rows = _snapshot(target, newer)
        proof.problems += _differences("up again", after, schema)
        proof.problems += _row_differences("up again", rows_after, rows, up | down)
    first = 1 + count * ROWS_PER_TABLE
    target.run(lambda connection: add_rows(connection, newer, database, first))


def _snapshot(target: Target, shape: Shape) -> tuple[dict[str, Any], Rows]:
    def work(connection: Connection) -> tuple[dict[str, Any], Rows]:
        return schema_of(target, connection), read_rows(connection, shape)

    return target.run(work)


def schema_of(target: Target, connection: Connection) -> dict[str, Any]:
    """The schema as the database tells it, without the tables that are about it."""
    found = target.introspect(connection)
    return {name: table for name, table in found.items() if name not in BOOKKEEPING}


def _touched(steps: tuple[Step, ...]) -> set[str]:
    """Tables and columns whose values a direction does not keep."""
    touched: set[str] = set()
    for step in steps:
        match step:
            case DropTable():
                touched.add(step.table)
            case DropColumn():
                touched.add(f"{step.table}.{step.column}")
            case ChangeType() if step.loses:
                touched.add(f"{step.table}.{step.column}")
            case Update() if step.destroys:
                touched |= {f"{step.table}.{column}" for column in step.values}
            case _:
                pass
    return touched


def _differences(when: str, expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if one is None or other is None:
            problems.append(f"{when}: table {name} is {'unexpected' if one is None else 'missing'}")
            continue
        for part in one:
            if one[part] == other[part]:
                continue
            if isinstance(one[part], dict):
                keys = sorted({*one[part], *other[part]})
                problems += [
                    f"{when}: {name}, {part} {key}: {one[part].get(key)!r} became {other[part].get(key)!r}"
                    for key in keys
                    if one[part].get(key) != other[part].get(key)
                ]
            else:
                problems.append(f"{when}: {name}, {part}: {one[part]!r} became {other[part]!r}")
    return problems


def _row_differences(when: str, expected: Rows, found: Rows, touched: set[str]) -> list[str]:
    problems: list[str] = []
    for table, rows in expected.items():
        if table in touched:
            continue
        if set(rows) != set(found[table]):
            problems.append(f"{when}: {table} has {len(found[table])} rows instead of {len(rows)}, or different rows")
            continue
        columns = {column for row in rows.values() for column in row} - {
            name.partition(".")[2] for name in touched if name.startswith(f"{table}.")
        }
        problems += [
            f"{when}: {table}.{column} changed from {rows[key][column]} to {found[table][key][column]}"
            for column in sorted(columns)
            for key in [next((key for key in rows if rows[key][column] != found[table][key][column]), None)]
            if key is not None
        ]
    return problems


def _compared_with_contract(plan: Plan, target: Target, fresh: Target) -> list[str]:
    dialect = SqliteDialect() if target.kind == "sqlite" else PostgresqlDialect()

    def create(connection: Connection) -> dict[str, Any]:
        for statement in Schema(plan, dialect).ddl():
            connection.exec_driver_sql(statement)
        return schema_of(fresh, connection)

    direct = fresh.run(create)
    migrated = target.run(lambda connection: schema_of(target, connection))
    return _differences("the contract's schema and the migrated one", direct, migrated)


@contextmanager
def scratch_sqlite() -> Generator[Callable[[], Target]]:
    """Makes empty SQLite databases that go away at the end."""
    with tempfile.TemporaryDirectory(prefix="sternpost-verify-") as folder:
        yield lambda: SqliteTarget(f"sqlite:///{Path(folder) / secrets.token_hex(6)}.sqlite")


@contextmanager
def scratch_postgresql(url: str) -> Generator[Callable[[], Target]]:
    """Makes empty databases on the server of `url`, which go away at the end. Its own database is not touched."""
    made: list[str] = []

    def create() -> Target:
        name = f"sternpost_verify_{secrets.token_hex(6)}"
        _on_server(url, f'CREATE DATABASE "{name}" TEMPLATE template0')
        made.append(name)
        parts = urlsplit(url)
        return PostgresqlTarget(urlunsplit(parts._replace(path=f"/{name}")))

    try:
        yield create
    finally:
        for name in made:
            _on_server(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _on_server(url: str, statement: str) -> None:
    async def run() -> None:
        import asyncpg

        connect: Any = getattr(asyncpg, "connect")  # noqa: B009  (its own annotations are incomplete)
        try:
            connection = await connect(url, timeout=10)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError) as error:
            raise StartupError(f"No scratch database can be created on the server of {_shown(url)}: {error}") from error

    asyncio.run(run())


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"
