"""Rows for a schema, made of nothing but its rules: what a migration is tried on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.migrations.values import Fates, Stage, fitting_value
from sternpost.plan.audit import AUDIT_TABLE
from sternpost.ports.migrator import Connection, Migrator
from sternpost.ports.schema import Check, ForeignKey, Shape, TableShape, Type, types

ROWS_PER_TABLE = 7


def add_rows(migrator: Migrator, connection: Connection, shape: Shape, first: int, fates: Fates) -> None:
    """Adds rows to every table. `first` starts the numbers their values are made of, so that no two rows share one;
    `fates` is what later migrations ask of the values."""
    quote = migrator.quote
    for table in _filled(shape):
        for offset in range(ROWS_PER_TABLE):
            values = _row(migrator, connection, table, first + offset, offset, fates)
            if values is None:
                break  # a required reference to a table without rows, or a value that later migrations cannot take
            names = ", ".join(map(quote, values))
            connection.exec_driver_sql(
                f"INSERT INTO {quote(table.name)} ({names}) VALUES ({', '.join(values.values())})"
            )


def read_rows(migrator: Migrator, connection: Connection, shape: Shape) -> dict[str, dict[str, dict[str, str]]]:
    """Every value of every row as text: by table, by key, by column."""
    quote = migrator.quote
    found: dict[str, dict[str, dict[str, str]]] = {}
    for table in _filled(shape):
        names = [column.name for column in table.columns]
        key = [names.index(name) for name in table.primary_key.columns]
        rows = connection.exec_driver_sql(f"SELECT {', '.join(map(quote, names))} FROM {quote(table.name)}").fetchall()
        found[table.name] = {
            "|".join(str(row[index]) for index in key): dict(zip(names, map(repr, row), strict=True)) for row in rows
        }
    return found


def _filled(shape: Shape) -> list[TableShape]:
    """The tables whose rows count. What is recorded of them is the database's own doing."""
    return [table for table in shape.values() if table.name != AUDIT_TABLE]


def _row(
    migrator: Migrator, connection: Connection, table: TableShape, number: int, offset: int, fates: Fates
) -> Mapping[str, str] | None:
    references = {
        rule.columns[0]: rule for rule in table.rules if isinstance(rule, ForeignKey) and len(rule.columns) == 1
    }
    rules = [rule for check in table.rules if isinstance(check, Check) for rule in check.rules or ()]
    values: dict[str, str] = {}
    for column in table.columns:
        rule = references.get(column.name)
        if rule is not None:
            text = _reference(migrator, connection, rule, offset)
            if text is None and not column.nullable:
                if rule.table != table.name:
                    return None
                text = values[rule.targets[0]]  # refers to itself
            values[column.name] = text or "NULL"
        elif column.nullable and offset == 1:
            values[column.name] = "NULL"
        else:
            own = Stage(column.type, tuple(rule for rule in rules if rule.column == column.name))
            value = fitting_value((own, *fates.get((table.name, column.name), ())), number)
            if value is None and not column.nullable:
                return None
            values[column.name] = "NULL" if value is None else migrator.literal(column.type, value)
    return values


def _reference(migrator: Migrator, connection: Connection, rule: ForeignKey, offset: int) -> str | None:
    target = migrator.quote(rule.targets[0])
    found: Any = connection.exec_driver_sql(
        f"SELECT CAST({target} AS TEXT) FROM {migrator.quote(rule.table)} ORDER BY {target} DESC LIMIT 1 "
        f"OFFSET {offset}"
    ).scalar()
    return None if found is None else migrator.literal(_TEXT, str(found))


_TEXT: Type = types.string
