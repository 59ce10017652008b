"""Proves migrations: each goes up, down and up again on a database that holds rows, and nothing else changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sternpost.migrations.history import History, Revision
from sternpost.migrations.rows import ROWS_PER_TABLE, add_rows, read_rows
from sternpost.migrations.runner import BOOKKEEPING, MigrationFailed, Runner
from sternpost.migrations.values import demands_of, fates_of
from sternpost.plan.model import Plan
from sternpost.ports.migrator import Connection, Migrator
from sternpost.ports.schema import Shape
from sternpost.ports.steps import ChangeType, DropColumn, DropTable, Nullable, Step, Update

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


def verify(history: History, plan: Plan, migrator: Migrator, fresh: Migrator) -> list[Proof]:
    """Tries every migration on an empty database, and compares the end with a schema made directly in a fresh one."""
    proofs: list[Proof] = []
    for count, revision in enumerate(history.revisions, start=1):
        proof = Proof(revision.name, migrator.name)
        proofs.append(proof)
        try:
            _prove(history, revision, count, migrator, proof)
        except MigrationFailed as error:
            proof.problems.append(str(error))
        if proof.problems:
            return proofs
    if proofs:
        proofs[-1].problems += _compared_with_contract(plan, migrator, fresh)
    return proofs


def _prove(history: History, revision: Revision, count: int, migrator: Migrator, proof: Proof) -> None:
    older, newer = history.shape(count - 1), history.shape(count)
    runner = Runner(migrator, history)
    before, rows_before = _snapshot(migrator, older)
    runner.apply(to=revision.name, allow_destructive=True)
    after, rows_after = _snapshot(migrator, newer)
    proof.rows = sum(map(len, rows_before.values()))
    proof.irreversible = revision.irreversible
    if revision.irreversible is None:
        lost_up, lost_down = _lost(revision.up), _lost(revision.down)
        proof.lost = sorted(lost_up | lost_down)
        up, down = lost_up | _filled(revision.up), lost_down | _filled(revision.down)
        runner.down(allow_destructive=True)
        schema, rows = _snapshot(migrator, older)
        proof.problems += _differences("down", before, schema)
        proof.problems += _row_differences("down", rows_before, rows, up)
        runner.apply(to=revision.name, allow_destructive=True)
        schema, rows = _snapshot(migrator, newer)
        proof.problems += _differences("up again", after, schema)
        proof.problems += _row_differences("up again", rows_after, rows, up | down)
    first = 1 + count * ROWS_PER_TABLE
    later = [(later.up, history.shape(at)) for at, later in enumerate(history.revisions, 1) if at > count]
    fates, demands = fates_of(newer, later), demands_of(newer, later)
    migrator.run(lambda connection: add_rows(migrator, connection, newer, first, fates, demands))


def _snapshot(migrator: Migrator, shape: Shape) -> tuple[dict[str, Any], Rows]:
    def work(connection: Connection) -> tuple[dict[str, Any], Rows]:
        return schema_of(migrator, connection), read_rows(migrator, connection, shape)

    return migrator.run(work)


def schema_of(migrator: Migrator, connection: Connection) -> dict[str, Any]:
    """The schema as the database tells it, without the tables that are about it."""
    found = migrator.introspect(connection)
    return {name: table for name, table in found.items() if name not in BOOKKEEPING}


def _filled(steps: tuple[Step, ...]) -> set[str]:
    """Columns whose rows had no value, and have one when the direction is undone."""
    return {f"{step.table}.{step.column}" for step in steps if isinstance(step, Nullable) and step.fill is not None}


def _lost(steps: tuple[Step, ...]) -> set[str]:
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


def _compared_with_contract(plan: Plan, migrator: Migrator, fresh: Migrator) -> list[str]:
    def create(connection: Connection) -> dict[str, Any]:
        for statement in fresh.create_statements(plan):
            connection.exec_driver_sql(statement)
        return schema_of(fresh, connection)

    direct = fresh.run(create)
    migrated = migrator.run(lambda connection: schema_of(migrator, connection))
    _leave_out(migrated, plan)
    return _differences("the contract's schema and the migrated one", direct, migrated)


_PARTS = {"trigger": ("triggers",), "index": ("indexes",), "rule": ("rules", "indexes")}
"""Where a schema lists what belongs to a table; a constraint may have an index of its name."""


def _leave_out(found: dict[str, Any], plan: Plan) -> None:
    """Takes out what the author says to make in the database."""
    for each in plan.database_objects:
        table = found.get(each.on or "", {})
        for part in _PARTS.get(each.kind, ()):
            table.get(part, {}).pop(each.name, None)
