"""What the migrators of all SQL databases share: alembic's rendering, tables and rules as SQL, reasons of refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sternpost.ports.migrator import Connection, Distinct
from sternpost.ports.own_tables import PROGRESS_TABLE, SCHEMA_TABLE
from sternpost.ports.schema import (
    Check,
    DatabaseName,
    ForeignKey,
    Index,
    NoOverlap,
    Rule,
    TableShape,
    Unique,
    indexed_column,
)
from sternpost.ports.steps import AddIndex, AddRule, Step
from sternpost.storage.sql.overlaps import ROWS_MAX, overlapping_rows

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy.exc import DBAPIError

_ADVICE = {
    "55P03": "another session holds a lock that this step needs; end that session, or wait longer with --lock-timeout",
    "SQLITE_BUSY": "another process is writing to the database; end it, or wait longer with --lock-timeout",
    "23505": "several rows have the same values",
    "23514": "some rows break the rule: correct them first",
    "SQLITE_CONSTRAINT_CHECK": "some rows break the rule: correct them first",
    "23P01": "the spans of several rows overlap",
}
"""Advice that the databases' own messages do not give, by the codes of PostgreSQL and SQLite."""

_NOT_UNIQUE = ("23505", "SQLITE_CONSTRAINT_UNIQUE")
CLASHES_MAX = 20
"""How many clashes of a new unique rule are listed."""


def reason(error: Exception) -> str | None:
    """Why the database rejected a statement, with its own message, and what can be done about it; None for another
    error."""
    from sqlalchemy.exc import DBAPIError

    if not isinstance(error, DBAPIError):
        return None
    cause = str(error.orig)
    text = cause.removeprefix("<class ").partition("'>: ")[2] or cause
    advice = _ADVICE.get(_code(error))
    return text if advice is None else f"{text} ({advice})"


def _code(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None))


def distinct(step: Step, database: DatabaseName, quote: Callable[[str], str]) -> tuple[Distinct, ...]:
    """What a step asks to differ from row to row."""
    match step:
        case AddIndex(table, index) if index.unique:
            columns = tuple(indexed(column, quote) for column in index.columns)
            return (Distinct(table, columns, index.where.on(database) if index.where else None),)
        case AddRule(table, Unique() as rule):
            return (Distinct(table, tuple(map(quote, rule.columns))),)
        case _:
            return ()


def code_of(error: Exception) -> str:
    """The database's own code of an error; nothing for one that is not a database's."""
    from sqlalchemy.exc import DBAPIError

    return _code(error) if isinstance(error, DBAPIError) else ""


def clashes(
    connection: Connection, rules: Sequence[Distinct], error: Exception, quote: Callable[[str], str]
) -> list[str]:
    """A line for each of the first values that several rows have, where it is that what a database refused."""
    from sqlalchemy.exc import DBAPIError

    if not isinstance(error, DBAPIError) or _code(error) not in _NOT_UNIQUE:
        return []
    lines: list[str] = []
    for rule in rules:
        found = connection.exec_driver_sql(_same_values(rule, quote)).fetchall()
        for *values, count, first, last in found[:CLASHES_MAX]:
            same = ", ".join(map(str, values))
            lines.append(f"{rule.table}: {count} rows have {same}, such as those with the ids {first} and {last}")
        if len(found) > CLASHES_MAX:
            lines.append(f"{rule.table}: and more")
    return lines


def overlaps_in(
    connection: Connection,
    apart: tuple[str, NoOverlap],
    database: DatabaseName,
    quote: Callable[[str], str],
) -> list[str]:
    """A line for each of the first pairs of rows whose spans overlap."""
    table, overlap = apart
    found = connection.exec_driver_sql(overlapping_rows(table, overlap, database, quote)).fetchall()
    lines = [f"{table}: the rows with the ids {one} and {other} overlap" for one, other in found[:ROWS_MAX]]
    return [*lines, f"{table}: and more"] if len(found) > ROWS_MAX else lines


def _same_values(rule: Distinct, quote: Callable[[str], str]) -> str:
    values = ", ".join(rule.values)
    conditions = [f"{value} IS NOT NULL" for value in rule.values] + ([f"({rule.where})"] if rule.where else [])
    ids = ", ".join(f"{end}(CAST({quote('id')} AS TEXT))" for end in ("min", "max"))
    return (
        f"SELECT {values}, count(*), {ids} FROM {quote(rule.table)} WHERE {' AND '.join(conditions)} "
        f"GROUP BY {values} HAVING count(*) > 1 ORDER BY {values} LIMIT {CLASHES_MAX + 1}"
    )


def bookkeeping(*, whole: str, options: str = "") -> dict[str, str]:
    """The tables about the schema.

    Args:
        whole: the type of whole numbers.
        options: what stands behind the columns.
    """
    return {
        SCHEMA_TABLE: f"CREATE TABLE {SCHEMA_TABLE} (fingerprint TEXT NOT NULL, created_at TEXT NOT NULL){options}",
        PROGRESS_TABLE: f"CREATE TABLE {PROGRESS_TABLE} (revision TEXT NOT NULL, direction TEXT NOT NULL, "
        f"done {whole} NOT NULL, digest TEXT NOT NULL, position TEXT){options}",
    }


def operations_on(connection: Any) -> Operations:
    """Alembic's operations over a connection."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    return Operations(MigrationContext.configure(connection))


def rendered(dialect: Any, run: Callable[[Operations], None]) -> tuple[str, ...]:
    """The statements that alembic makes of its operations."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    written = _Written()
    context = MigrationContext.configure(dialect=dialect, opts={"as_sql": True, "output_buffer": written})
    run(Operations(context))
    return tuple(written.statements)


class _Written:
    """Takes what alembic would print: one statement at a time."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def write(self, text: str) -> None:
        if statement := text.strip().removesuffix(";"):
            self.statements.append(statement)

    def flush(self) -> None:
        """Nothing is held back."""


def create_table(op: Operations, table: TableShape, database: DatabaseName, **options: Any) -> None:
    """The table with its rules and indexes."""
    import sqlalchemy as sa

    from sternpost.storage.sql.dialect import ColumnType

    columns = [
        sa.Column(column.name, ColumnType(column.type.on(database)), nullable=column.nullable)
        for column in table.columns
    ]
    key = sa.PrimaryKeyConstraint(*table.primary_key.columns, name=table.primary_key.name)
    rules = [made for rule in table.rules if (made := _constraint(rule, database)) is not None]
    op.create_table(table.name, *columns, key, *rules, **options)
    for index in table.indexes:
        create_index(op, table.name, index, database)


def create_index(op: Operations, table: str, index: Index, database: DatabaseName, **options: Any) -> None:
    """An index; a partial one where it says so."""
    import sqlalchemy as sa

    if index.where is not None:
        options[f"{database}_where"] = sa.text(_escaped(str(index.where.on(database))))
    quote = op.get_context().dialect.identifier_preparer.quote
    columns = [sa.text(_escaped(indexed(column, quote))) for column in index.columns]
    op.create_index(index.name, table, columns, unique=index.unique, **options)


def indexed(text: str, quote: Callable[[str], str]) -> str:
    """What an index lists, with its name in quotes where the database needs them."""
    found = indexed_column(text)
    return text if found is None else replace(found, name=quote(found.name)).text


def rule_text(rule: Rule, database: DatabaseName, quote: Callable[[str], str]) -> str | None:
    """A rule as it stands in CREATE TABLE, without its name; None where the database has none."""
    match rule:
        case Check():
            condition = rule.condition.on(database)
            return None if condition is None else f"CHECK ({condition})"
        case Unique():
            return f"UNIQUE ({', '.join(map(quote, rule.columns))})"
        case ForeignKey():
            columns, targets = (", ".join(map(quote, names)) for names in (rule.columns, rule.targets))
            action = f" ON DELETE {rule.on_delete}" if rule.on_delete else ""
            return f"FOREIGN KEY({columns}) REFERENCES {quote(rule.table)} ({targets}){action}"


def _constraint(rule: Rule, database: DatabaseName) -> Any:
    import sqlalchemy as sa

    match rule:
        case Check():
            condition = rule.condition.on(database)
            return None if condition is None else sa.CheckConstraint(sa.text(_escaped(condition)), name=rule.name)
        case Unique():
            return sa.UniqueConstraint(*rule.columns, name=rule.name)
        case ForeignKey():
            targets = [f"{rule.table}.{target}" for target in rule.targets]
            return sa.ForeignKeyConstraint(rule.columns, targets, name=rule.name, ondelete=rule.on_delete)


def _escaped(text: str) -> str:
    r"""SQLAlchemy takes `:name` in a text for a parameter, unless it is written `\:name`."""
    return text.replace(":", "\\:")
