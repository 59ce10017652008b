"""Rows for a schema, made of nothing but its rules: what a migration is tried on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from sternpost.migrations.values import Demand, Fates, Stage, fitting_value
from sternpost.plan.audit import AUDIT_TABLE
from sternpost.ports.migrator import Connection, Migrator
from sternpost.ports.own_tables import OUTBOX_TABLE
from sternpost.ports.schema import Check, ForeignKey, Shape, TableShape, Type, types

ROWS_PER_TABLE = 7
TRIES = 60
APART = 8
"""How far the numbers are apart that spans are made of, so that each has room for its end."""

NOTHING = Demand()
PLAIN: Mapping[str, int | None] = {}


def add_rows(
    migrator: Migrator,
    connection: Connection,
    shape: Shape,
    first: int,
    fates: Fates,
    demands: Mapping[str, Demand] | None = None,
) -> None:
    """Adds rows to every table. `first` starts the numbers their values are made of, so that no two rows share one;
    `fates` is what later migrations ask of the values, `demands` what rules over rows do."""
    for table in _filled(shape):
        demand = (demands or {}).get(table.name, NOTHING)
        for offset in range(ROWS_PER_TABLE):
            values = _fitting_row(migrator, connection, table, first + offset, offset, fates, demand)
            if values is None or not _inserted(migrator, connection, table, values):
                break  # a required reference to a table without rows, or a value that later migrations cannot take


def _inserted(migrator: Migrator, connection: Connection, table: TableShape, values: Mapping[str, str]) -> bool:
    """Whether the row was taken: one whose span has no room among the others is left out."""
    names = ", ".join(map(migrator.quote, values))
    statement = f"INSERT INTO {migrator.quote(table.name)} ({names}) VALUES ({', '.join(values.values())})"
    try:
        connection.exec_driver_sql(statement)
    except Exception as error:
        if table.overlaps and migrator.reason(error) is not None:
            return False
        raise
    return True


def _fitting_row(
    migrator: Migrator,
    connection: Connection,
    table: TableShape,
    number: int,
    offset: int,
    fates: Fates,
    demand: Demand,
) -> Mapping[str, str] | None:
    """A row that keeps the rules over rows, as far as one is found."""
    own = number * APART if demand.conditions or demand.spans else number
    for moved in _moves(table, own) if demand.conditions else (PLAIN,):
        values = _row(migrator, connection, table, own, offset, fates, moved, demand.spans)
        if values is None or not _breaks(migrator, connection, table, demand, values):
            return values
    return None


def _moves(table: TableShape, seed: int) -> Iterator[Mapping[str, int | None]]:
    """By column, how much later its value is, or None for no value: in the order of the columns, the other way round,
    and at random."""
    names = [column.name for column in table.columns]
    yield PLAIN
    yield {name: min(place, APART - 1) for place, name in enumerate(names)}
    yield {name: max(APART - 1 - place, 0) for place, name in enumerate(names)}
    random = Random(seed)  # noqa: S311  (the same rows each time)
    for _ in range(TRIES):
        nothing = {column.name for column in table.columns if column.nullable and random.random() < 0.3}
        yield {name: None if name in nothing else random.randrange(APART) for name in names}


def _breaks(
    migrator: Migrator, connection: Connection, table: TableShape, demand: Demand, values: Mapping[str, str]
) -> bool:
    """Whether the database says that a row would break a condition."""
    types = {column.name: column.type.on(migrator.name).partition(" COLLATE")[0] for column in table.columns}
    row = ", ".join(f'CAST({text} AS {types[name]}) AS "{name}"' for name, text in values.items())
    texts = [text for each in demand.conditions if (text := each.on(migrator.name)) is not None]
    wrong = " OR ".join(f"NOT ({text})" for text in texts)
    return bool(wrong) and bool(
        connection.exec_driver_sql(f"SELECT count(*) FROM (SELECT {row}) AS new_row WHERE {wrong}").scalar()
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
    """The tables whose rows count. What is recorded of them, and in what order, is the database's own doing."""
    return [table for table in shape.values() if table.name not in (AUDIT_TABLE, OUTBOX_TABLE)]


def _row(
    migrator: Migrator,
    connection: Connection,
    table: TableShape,
    number: int,
    offset: int,
    fates: Fates,
    moved: Mapping[str, int | None],
    spans: frozenset[str],
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
        elif column.nullable and ((offset == 1 and column.name not in spans) or moved.get(column.name, number) is None):
            values[column.name] = "NULL"
        else:
            own = Stage(column.type, tuple(rule for rule in rules if rule.column == column.name))
            at = number + (moved.get(column.name) or 0)
            value = fitting_value((own, *fates.get((table.name, column.name), ())), at)
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
