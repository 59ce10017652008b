"""Rows for a schema, made of nothing but its rules: what a migration is tried on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sternpost.plan.audit import AUDIT_TABLE
from sternpost.plan.rules import ColumnRule, Length, OneOf, Range, merged
from sternpost.ports.migrator import Connection, Migrator
from sternpost.ports.schema import Check, Column, ForeignKey, Shape, TableShape, Type, types

ROWS_PER_TABLE = 7


def add_rows(migrator: Migrator, connection: Connection, shape: Shape, first: int) -> None:
    """Adds rows to every table. `first` starts the numbers their values are made of, so that no two rows share one."""
    quote = migrator.quote
    for table in _filled(shape):
        for offset in range(ROWS_PER_TABLE):
            values = _row(migrator, connection, table, first + offset, offset)
            if values is None:
                break  # a required reference to a table without rows
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
    migrator: Migrator, connection: Connection, table: TableShape, number: int, offset: int
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
            kept = merged(rule for rule in rules if rule.column == column.name)
            values[column.name] = migrator.literal(column.type, _value(column, kept, number))
    return values


def _reference(migrator: Migrator, connection: Connection, rule: ForeignKey, offset: int) -> str | None:
    target = migrator.quote(rule.targets[0])
    found: Any = connection.exec_driver_sql(
        f"SELECT CAST({target} AS TEXT) FROM {migrator.quote(rule.table)} ORDER BY {target} DESC LIMIT 1 "
        f"OFFSET {offset}"
    ).scalar()
    return None if found is None else migrator.literal(_TEXT, str(found))


def _value(column: Column, rules: Iterable[ColumnRule], number: int) -> Any:
    """A value that fulfils the column's rules."""
    by_sort = {type(rule): rule for rule in rules}
    choices, bounds, length = by_sort.get(OneOf), by_sort.get(Range), by_sort.get(Length)
    form = column.type.form.partition("(")[0]
    if isinstance(choices, OneOf) and form != "boolean":
        return choices.values[number % len(choices.values)]
    match form:
        case "id":
            return f"{number:032x}"
        case "uuid":
            return UUID(int=number)
        case "integer" | "position" | "number":
            return int(_within(number, bounds))
        case "decimal":
            return _within(number, bounds)
        case "boolean":
            return number % 2 == 1
        case "datetime":
            day = date(2026, 1 + number % 12, 1 + number % 28)
            return datetime(day.year, day.month, day.day, number % 24, number % 60, 0, 100000 + number, UTC)
        case "date":
            return date(2026, 1 + number % 12, 1 + number % 28).isoformat()
        case "json":
            return f'{{"number": {number}}}'
        case _:
            return _text(number, length)


def _text(number: int, length: ColumnRule | None) -> str:
    if not isinstance(length, Length):
        return str(number)
    text = str(number).rjust(length.least or 0, "0")
    return text if length.most is None else text[-length.most :]


def _within(number: int, bounds: ColumnRule | None) -> Decimal:
    """The number, moved between the bounds where it does not lie there."""
    if not isinstance(bounds, Range):
        return Decimal(number)
    low, high = (None if bound is None else Decimal(str(bound)) for bound in (bounds.least, bounds.most))
    if low is None:
        low = Decimal(0) if high is None or high >= 0 else high - 1000
    if number >= low and (high is None or number <= high):
        return Decimal(number)
    return low + number if high is None else low + number % (int(high - low) + 1)


_TEXT: Type = types.string
