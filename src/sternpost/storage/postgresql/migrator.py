"""Migrations on PostgreSQL: no statement holds a lock for long, and none waits for one without limit."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sternpost.errors import StartupError
from sternpost.plan.audit import AUDIT_TABLE
from sternpost.plan.model import Plan
from sternpost.plan.names import database_name
from sternpost.ports.migrator import Action, Connection, Mode
from sternpost.ports.schema import DatabaseName, Index, Sql, Type, Unique
from sternpost.ports.steps import (
    AddAudit,
    AddColumn,
    AddIndex,
    AddOverlap,
    AddRule,
    AddSearch,
    Alembic,
    ChangeCheck,
    ChangeForm,
    ChangeType,
    CreateTable,
    DropAudit,
    DropColumn,
    DropIndex,
    DropOverlap,
    DropRule,
    DropSearch,
    DropTable,
    Execute,
    NeedExtension,
    Nullable,
    RenameColumn,
    RenameIndex,
    RenameRule,
    RenameTable,
    Step,
    Update,
)
from sternpost.storage.postgresql.audit import AUDIT_FUNCTIONS
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.postgresql.overlaps import EXTENSION_FIX
from sternpost.storage.postgresql.search import COLUMN
from sternpost.storage.postgresql.search_path import CREATE_FIRST_SCHEMA
from sternpost.storage.postgresql.server import copy_database, drop_databases
from sternpost.storage.sql.checks import literal
from sternpost.storage.sql.dialect import ColumnType
from sternpost.storage.sql.migrating import (
    bookkeeping,
    clashes,
    code_of,
    create_index,
    create_table,
    distinct,
    operations_on,
    overlaps_in,
    reason,
    rendered,
    rule_text,
)
from sternpost.storage.sql.schema import Schema

T = TypeVar("T")
_Part = tuple[Mode, tuple[str, ...]]

LOCK_TIMEOUT_SECONDS = 5.0
"""How long a statement waits for a lock. Later statements wait behind it, so this limits an outage."""

_LOCK = "hashtext('sternpost schema')"
_PAUSE_SECONDS = 0.1
_DIALECT = PostgresqlDialect()


class PostgresqlMigrator:
    """A PostgreSQL database to migrate."""

    name: DatabaseName = "postgresql"
    bookkeeping = bookkeeping(whole="BIGINT")
    kinds_of_objects = frozenset({"view", "trigger", "function", "index", "rule"})

    def __init__(self, url: str, *, lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        self.url = url
        self.lock_timeout_seconds = lock_timeout_seconds

    def run(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` on a connection without an open transaction."""
        return asyncio.run(self._run(work))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        import asyncpg
        from sqlalchemy import NullPool
        from sqlalchemy.exc import DBAPIError
        from sqlalchemy.ext.asyncio import create_async_engine

        connect: Any = getattr(asyncpg, "connect")  # noqa: B009  (its own annotations are incomplete)
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(self.url, timeout=10, server_settings={"application_name": "migrations"}),
            poolclass=NullPool,
            isolation_level="AUTOCOMMIT",
        )
        try:
            async with engine.connect() as connection:
                await connection.exec_driver_sql(f"SET lock_timeout = '{int(self.lock_timeout_seconds * 1000)}ms'")
                return await connection.run_sync(work)
        except DBAPIError as error:
            raise StartupError(f"The database cannot be used: {reason(error)}") from error
        except (OSError, asyncpg.PostgresError) as error:
            raise StartupError(f"The database cannot be used: {error}") from error
        finally:
            await engine.dispose()

    @contextmanager
    def lock(self, connection: Connection, wait_seconds: float) -> Generator[None]:
        """Keeps other migrations out. It belongs to the connection, because some steps are in no transaction.

        It is asked for again and again, not waited for: a waiting statement would hold a snapshot, and an index that is
        built concurrently by the other process would wait for that.
        """
        deadline = time.monotonic() + wait_seconds
        while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK})").scalar():
            if time.monotonic() > deadline:
                raise StartupError(
                    f"Another process has been migrating this database for more than {wait_seconds:g} seconds. "
                    "Try again later."
                )
            time.sleep(_PAUSE_SECONDS)
        try:
            connection.exec_driver_sql(CREATE_FIRST_SCHEMA)
            yield
        finally:
            if not connection.invalidated:
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_LOCK})")

    def actions(self, steps: Sequence[Step]) -> list[Action]:
        """The actions of the steps."""
        return [action for step in steps for action in _actions(step)]

    def create_statements(self, plan: Plan) -> list[str]:
        return Schema(plan, _DIALECT).ddl()

    def quote(self, name: str) -> str:
        return _quote(name)

    def literal(self, type: Type, value: Any) -> str:
        match value:
            case bool():
                return str(value).upper()
            case int() | Decimal():
                return str(value)
            case datetime():
                return literal(f"{value.replace(tzinfo=None).isoformat()}Z")
            case bytes():
                return literal(f"\\x{value.hex()}")
            case _:
                return literal(str(value))

    def clashes(self, connection: Connection, action: Action, error: Exception) -> list[str]:
        if action.apart is not None and code_of(error) == "23P01":
            return overlaps_in(connection, action.apart, "postgresql", _quote)
        return clashes(connection, action.distinct, error, _quote)

    def reason(self, error: Exception) -> str | None:
        return reason(error)

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def check(self, connection: Connection) -> None:
        """Nothing: PostgreSQL checks foreign keys itself."""

    def tables(self, connection: Connection) -> set[str]:
        return {row[0] for row in connection.exec_driver_sql(_TABLES)}

    def introspect(self, connection: Connection) -> dict[str, Any]:
        """The schema as the database tells it, comparable with that of another database."""
        found: dict[str, Any] = {
            name: {"columns": {}, "rules": {}, "indexes": {}, "triggers": {}} for name in self.tables(connection)
        }
        parts = (("columns", _COLUMNS), ("rules", _RULES), ("indexes", _INDEXES), ("triggers", _TRIGGERS))
        for part, statement in parts:
            for table, name, text in connection.exec_driver_sql(statement):
                if table in found:
                    found[table][part][name] = text
        return found

    def objects(self, connection: Connection) -> set[tuple[str, str]]:
        return {(row[0], row[1]) for row in connection.exec_driver_sql(_OBJECTS)}


@contextmanager
def scratch(url: str) -> Generator[Callable[[], PostgresqlMigrator]]:
    """Makes empty databases on the server of `url`, which go away at the end. Its own database is not touched."""
    made: list[str] = []

    def create() -> PostgresqlMigrator:
        name = f"sternpost_verify_{secrets.token_hex(6)}"
        address = copy_database(url, name)
        made.append(name)
        migrator = PostgresqlMigrator(address)
        migrator.run(lambda connection: connection.exec_driver_sql(CREATE_FIRST_SCHEMA))
        return migrator

    try:
        yield create
    finally:
        drop_databases(url, *made)


def _quote(name: str) -> str:
    return _DIALECT.compiler.identifier_preparer.quote(name)


def _actions(step: Step) -> list[Action]:
    if isinstance(step, Update):
        return [Action(step.title, "batches", update=step)]
    if isinstance(step, Alembic):
        return [Action(step.title, run=lambda connection: step.run(operations_on(connection)))]
    if isinstance(step, NeedExtension):
        return [Action(step.title, "alone", run=lambda connection: _have_extension(connection, step.name))]
    if isinstance(step, AddOverlap):
        made = tuple(_DIALECT.overlaps.create(step.table, step.overlap))
        return [Action(step.title, "alone", made, apart=(step.table, step.overlap))]
    if isinstance(step, AddSearch):
        return _add_search(step)
    different = distinct(step, "postgresql", _quote)
    return [Action(step.title, mode, statements, distinct=different) for mode, statements in _parts(step)]


def _add_search(step: AddSearch) -> list[Action]:
    """New rows have their words at once, those that are there get them in batches; then the index is built."""
    search = _DIALECT.search
    words, empty = Sql(None, search.words(step.search)), Sql(None, f'"{COLUMN}" IS NULL')
    gone = f'DROP INDEX CONCURRENTLY IF EXISTS "{step.search.name}"'  # one that was interrupted is left invalid
    return [
        Action(step.title, "together", tuple(search.start(step.table, step.search))),
        Action(step.title, "batches", update=Update(step.table, {COLUMN: words}, empty)),
        Action(step.title, "outside", (gone, search.index(step.table, step.search, concurrently=True))),
    ]


def _have_extension(connection: Any, name: str) -> None:
    """Creates an extension that is not there. Raises `StartupError` where the role may not, or the server has none."""
    from sqlalchemy.exc import DBAPIError

    if connection.exec_driver_sql(f"SELECT 1 FROM pg_extension WHERE extname = '{name}'").scalar():
        return
    try:
        connection.exec_driver_sql(f"CREATE EXTENSION {name}")
    except DBAPIError as error:
        raise StartupError(f"the database has no extension {name}: {reason(error)}. {EXTENSION_FIX}") from error


def _parts(step: Step) -> list[_Part]:
    match step:
        case CreateTable():
            return [("together", rendered(_DIALECT.compiler, lambda op: create_table(op, step.table, "postgresql")))]
        case DropTable():
            functions = AUDIT_FUNCTIONS if step.table == AUDIT_TABLE else ()
            gone = tuple(f"DROP FUNCTION IF EXISTS {name}() CASCADE" for name in functions)  # with tables that go later
            return [("together", (*rendered(_DIALECT.compiler, lambda op: op.drop_table(step.table)), *gone))]
        case RenameTable():
            return [("together", rendered(_DIALECT.compiler, lambda op: op.rename_table(step.table, step.to)))]
        case AddColumn():
            column = f"{_quote(step.column.name)} {step.column.type.postgresql}"
            suffix = "" if step.column.nullable else " NOT NULL"
            return [("together", (f"ALTER TABLE {_quote(step.table)} ADD COLUMN {column}{suffix}",))]
        case DropColumn():
            return [("together", rendered(_DIALECT.compiler, lambda op: op.drop_column(step.table, step.column)))]
        case RenameColumn():
            return [
                (
                    "together",
                    rendered(
                        _DIALECT.compiler, lambda op: op.alter_column(step.table, step.column, new_column_name=step.to)
                    ),
                )
            ]
        case ChangeType():
            new = ColumnType(step.type.postgresql)
            using = step.using.postgresql
            return [
                (
                    "together",
                    rendered(
                        _DIALECT.compiler,
                        lambda op: op.alter_column(step.table, step.column, type_=new, postgresql_using=using),
                    ),
                )
            ]
        case Nullable():
            return _nullable(step)
        case AddRule():
            return _add_rule(step)
        case DropRule():
            return [("together", (f"ALTER TABLE {_quote(step.table)} DROP CONSTRAINT IF EXISTS {_quote(step.name)}",))]
        case RenameRule():
            if step.only == "sqlite":
                return []
            change = f"RENAME CONSTRAINT {_quote(step.name)} TO {_quote(step.to)}"
            return [("together", (f"ALTER TABLE {_quote(step.table)} {change}",))]
        case ChangeCheck():
            return _change_check(step)
        case AddIndex():
            return [("outside", _index(step.table, step.index))]
        case DropIndex():
            return [("outside", (f"DROP INDEX CONCURRENTLY IF EXISTS {_quote(step.name)}",))]
        case RenameIndex():
            return [("together", (f"ALTER INDEX {_quote(step.index.name)} RENAME TO {_quote(step.to)}",))]
        case AddAudit():
            made = _DIALECT.audit.triggers(step.table, step.audit)
            gone = _DIALECT.audit.drop_triggers(step.table, step.audit)
            return [("together", (*_DIALECT.audit.functions(), *gone, *made))]
        case DropAudit():
            return (
                [("together", tuple(_DIALECT.audit.drop_triggers(step.table, step.audit)))]
                if step.only != "sqlite"
                else []
            )
        case DropOverlap():
            return [("together", tuple(_DIALECT.overlaps.drop(step.table, step.name)))]
        case DropSearch():
            return [("together", tuple(_DIALECT.search.drop(step.table, step.name)))]
        case Execute():
            return [("together", (step.statement.postgresql,))] if step.statement.postgresql else []
        case Update() | Alembic() | ChangeForm() | NeedExtension() | AddOverlap() | AddSearch():
            return []


def _index(table: str, index: Index) -> tuple[str, ...]:
    """An index that was interrupted is left invalid, so what may be there goes first."""
    made = rendered(
        _DIALECT.compiler, lambda op: create_index(op, table, index, "postgresql", postgresql_concurrently=True)
    )
    return (f"DROP INDEX CONCURRENTLY IF EXISTS {_quote(index.name)}", *made)


def _nullable(step: Nullable) -> list[_Part]:
    """Rows are looked at before the column is closed, under a lock that lets writers through."""
    table, column = _quote(step.table), _quote(step.column)
    if step.nullable:
        return [("together", (f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL",))]
    rule = _quote(database_name("nn", step.table, step.column))
    empty = f"{column} IS NULL"
    closing: list[_Part] = [
        ("alone", (f"ALTER TABLE {table} ADD CONSTRAINT {rule} CHECK ({column} IS NOT NULL) NOT VALID",)),
        ("alone", (f"ALTER TABLE {table} VALIDATE CONSTRAINT {rule}",)),
        (
            "alone",
            (
                f"ALTER TABLE {table} ALTER COLUMN {column} SET NOT NULL",
                f"ALTER TABLE {table} DROP CONSTRAINT {rule}",
            ),
        ),
    ]
    if step.fill is not None:
        fill = f"UPDATE {table} SET {column} = {step.fill.postgresql} WHERE {empty}"
        closing.insert(1, ("alone", (fill,)))
    return closing


def _add_rule(step: AddRule) -> list[_Part]:
    table, name = _quote(step.table), _quote(step.rule.name)
    if isinstance(step.rule, Unique):
        made = _index(step.table, Index(step.rule.name, step.rule.columns, unique=True))
        return [
            ("outside", made),
            ("alone", (f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}",)),
        ]
    text = rule_text(step.rule, "postgresql", _quote)
    return [] if text is None else _checked_later(table, name, text)


def _change_check(step: ChangeCheck) -> list[_Part]:
    table, name = _quote(step.table), _quote(step.name)
    gone = f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}"
    if step.condition.postgresql is None:
        return [("together", (gone,))]
    return _checked_later(table, name, f"CHECK ({step.condition.postgresql})", gone)


def _checked_later(table: str, name: str, text: str, *before: str) -> list[_Part]:
    """Adds a constraint for new rows at once, and validates existing rows in a second step that blocks nobody."""
    return [
        ("alone", (*before, f"ALTER TABLE {table} ADD CONSTRAINT {name} {text} NOT VALID")),
        ("alone", (f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}",)),
    ]


_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
_COLUMNS = """
SELECT c.relname, a.attname,
  format_type(a.atttypid, a.atttypmod) || coalesce(' COLLATE ' || k.collname, '')
  || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
LEFT JOIN pg_collation k ON k.oid = a.attcollation AND k.collname <> 'default'
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped
"""
_RULES = """
SELECT c.relname, r.conname, pg_get_constraintdef(r.oid)
FROM pg_constraint r JOIN pg_class c ON c.oid = r.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
WHERE r.contype <> 'n'
"""
_INDEXES = """
SELECT c.relname, x.relname, pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
"""
_OBJECTS = """
SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'index' END, c.relname
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm', 'i', 'I')
UNION ALL SELECT 'function', p.proname FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
UNION ALL SELECT 'trigger', t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal
UNION ALL SELECT 'rule', r.conname FROM pg_constraint r WHERE r.connamespace = current_schema()::regnamespace
UNION ALL SELECT 'rule', r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE c.relnamespace = current_schema()::regnamespace AND r.rulename <> '_RETURN'
"""
_TRIGGERS = """
SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
WHERE NOT t.tgisinternal
"""
