"""Rows for a schema, made of nothing but its rules: what a migration is tried on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sternpost.migrations.shape import Check, Column, Database, ForeignKey, Shape, Table
from sternpost.storage.sql.audit import AUDIT_TABLE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

ROWS_PER_TABLE = 7


def add_rows(connection: Connection, shape: Shape, database: Database, first: int) -> None:
    """Adds rows to every table. `first` starts the numbers their values are made of, so that no two rows share one."""
    quote = connection.dialect.identifier_preparer.quote
    for table in _filled(shape):
        for offset in range(ROWS_PER_TABLE):
            values = _row(connection, table, database, first + offset, offset)
            if values is None:
                break  # a required reference to a table without rows
            names = ", ".join(map(quote, values))
            connection.exec_driver_sql(
                f"INSERT INTO {quote(table.name)} ({names}) VALUES ({', '.join(values.values())})"
            )


def read_rows(connection: Connection, shape: Shape) -> dict[str, dict[str, dict[str, str]]]:
    """Every value of every row as text: by table, by key, by column."""
    quote = connection.dialect.identifier_preparer.quote
    found: dict[str, dict[str, dict[str, str]]] = {}
    for table in _filled(shape):
        names = [column.name for column in table.columns]
        key = [names.index(name) for name in table.primary_key.columns]
        rows = connection.exec_driver_sql(f"SELECT {', '.join(map(quote, names))} FROM {quote(table.name)}").fetchall()
        found[table.name] = {
            "|".join(str(row[index]) for index in key): dict(zip(names, map(repr, row), strict=True)) for row in rows
        }
    return found


def _filled(shape: Shape) -> list[Table]:
    """The tables whose rows count. What is recorded of them is the database's own doing."""
    return [table for table in shape.values() if table.name != AUDIT_TABLE]


def _row(
    connection: Connection, table: Table, database: Database, number: int, offset: int
) -> Mapping[str, str] | None:
    references = {
        rule.columns[0]: rule for rule in table.rules if isinstance(rule, ForeignKey) and len(rule.columns) == 1
    }
    checks = " AND ".join(str(rule.condition.on(database)) for rule in table.rules if isinstance(rule, Check))
    values: dict[str, str] = {}
    for column in table.columns:
        rule = references.get(column.name)
        if rule is not None:
            text = _reference(connection, rule, offset)
            if text is None and not column.nullable:
                if rule.table != table.name:
                    return None
                text = values[rule.targets[0]]  # refers to itself
            values[column.name] = text or "NULL"
        elif column.nullable and offset == 1:
            values[column.name] = "NULL"
        else:
            values[column.name] = _value(column, database, checks, number)
    return values


def _reference(connection: Connection, rule: ForeignKey, offset: int) -> str | None:
    quote = connection.dialect.identifier_preparer.quote
    target = quote(rule.targets[0])
    found: Any = connection.exec_driver_sql(
        f"SELECT CAST({target} AS TEXT) FROM {quote(rule.table)} ORDER BY {target} DESC LIMIT 1 OFFSET {offset}"
    ).scalar()
    return None if found is None else _quoted(str(found))


def _value(column: Column, database: Database, checks: str, number: int) -> str:
    """A value that fulfils the column's checks, as SQL."""
    name = re.escape(f'"{column.name}"')
    if choices := re.search(rf"{name} IN \(('(?:[^']|'')*'(?:, '(?:[^']|'')*')*)\)", checks):
        options = re.findall(r"'(?:[^']|'')*'", choices[1])
        return options[number % len(options)]
    lowest, highest = _bound(checks, name, ">="), _bound(checks, name, "<=")
    match column.type.form.partition("(")[0]:
        case "id":
            return f"'{number:032x}'"
        case "uuid":
            text = f"{number:032x}"
            return f"'{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}'"
        case "integer" | "position" | "number" | "decimal":
            return str(_within(number, lowest, highest))
        case "boolean":
            return str(number % 2) if database == "sqlite" else str(number % 2 == 1).upper()
        case "datetime":
            text = (
                f"2026-{1 + number % 12:02}-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00.{100000 + number}"
            )
            return f"'{text}'" if database == "sqlite" else f"'{text}Z'"
        case "date":
            return f"'2026-{1 + number % 12:02}-{1 + number % 28:02}'"
        case "json":
            return f"""'{{"number": {number}}}'"""
        case _:
            shortest = int(_bound(checks, rf"length\({name}\)", ">=") or 0)
            longest = _bound(checks, rf"length\({name}\)", "<=")
            text = str(number).rjust(shortest, "0")
            return _quoted(text if longest is None else text[-int(longest) :])


def _within(number: int, lowest: float | None, highest: float | None) -> int:
    low = int(lowest) if lowest is not None else (0 if highest is None or highest >= 0 else int(highest) - 1000)
    if number >= low and (highest is None or number <= highest):
        return number
    return low + number if highest is None else low + number % (int(highest) - low + 1)


def _bound(checks: str, expression: str, symbol: str) -> float | None:
    found = re.search(rf"(?<![\w(]){expression} {symbol} (-?\d+(?:\.\d+)?)", checks)
    return float(found[1]) if found else None


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
