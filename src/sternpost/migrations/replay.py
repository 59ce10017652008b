"""What steps make of a schema, without a database: the schema that the next migration is planned from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from sternpost.migrations.renames import with_renamed_column, with_renamed_tables
from sternpost.ports.schema import Check, Column, Rule, Shape, TableShape
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


def replayed(shape: Shape, steps: Iterable[Step]) -> Shape:
    """The schema after the steps. `Execute` and `Alembic` are for what the contract knows nothing of."""
    for step in steps:
        shape = _replay(shape, step)
    return shape


def _replay(shape: Shape, step: Step) -> Shape:
    match step:
        case CreateTable():
            return {**shape, step.table.name: step.table}
        case DropTable():
            return {name: table for name, table in shape.items() if name != step.table}
        case RenameTable():
            return with_renamed_tables(shape, {step.table: step.to})
        case RenameColumn():
            return with_renamed_column(shape, step.table, step.column, step.to)
        case DropIndex():
            return {
                name: replace(table, indexes=tuple(index for index in table.indexes if index.name != step.name))
                for name, table in shape.items()
            }
        case Update() | Execute() | Alembic() | NeedExtension():
            return shape
        case DropAudit() if step.only is not None:
            return shape  # another takes its place
        case _:
            return {**shape, step.table: _changed(shape[step.table], step)}


def _changed(
    table: TableShape,
    step: AddAudit
    | DropAudit
    | AddOverlap
    | DropOverlap
    | AddSearch
    | DropSearch
    | AddColumn
    | DropColumn
    | ChangeType
    | ChangeForm
    | Nullable
    | AddRule
    | DropRule
    | RenameRule
    | ChangeCheck
    | AddIndex
    | RenameIndex,
) -> TableShape:
    match step:
        case AddColumn():
            return replace(table, columns=(*table.columns, step.column))
        case DropColumn():
            return replace(table, columns=tuple(column for column in table.columns if column.name != step.column))
        case ChangeType() | ChangeForm():
            return _with_column(table, step.column, lambda column: replace(column, type=step.type))
        case Nullable():
            return _with_column(table, step.column, lambda column: replace(column, nullable=step.nullable))
        case AddRule():
            return replace(table, rules=(*table.rules, step.rule))
        case DropRule():
            return replace(table, rules=tuple(rule for rule in table.rules if rule.name != step.name))
        case RenameRule() if table.primary_key.name == step.name:
            return replace(table, primary_key=replace(table.primary_key, name=step.to))
        case RenameRule():
            return _with_rule(table, step.name, lambda rule: replace(rule, name=step.to))
        case ChangeCheck():
            return _with_rule(table, step.name, lambda _: Check(step.name, step.condition))
        case AddAudit():
            others = tuple(audit for audit in table.audit if audit.key != step.audit.key)
            return replace(table, audit=(*others, step.audit))
        case DropAudit():
            return replace(table, audit=tuple(audit for audit in table.audit if audit.key != step.audit.key))
        case AddOverlap():
            return replace(table, overlaps=(*table.overlaps, step.overlap))
        case DropOverlap():
            return replace(table, overlaps=tuple(each for each in table.overlaps if each.name != step.name))
        case AddSearch():
            return replace(table, search=step.search)
        case DropSearch():
            return replace(table, search=None)
        case AddIndex():
            return replace(table, indexes=(*table.indexes, step.index))
        case RenameIndex():
            indexes = (replace(i, name=step.to) if i.name == step.index.name else i for i in table.indexes)
            return replace(table, indexes=tuple(indexes))


def _with_column(table: TableShape, name: str, change: Callable[[Column], Column]) -> TableShape:
    return replace(table, columns=tuple(change(column) if column.name == name else column for column in table.columns))


def _with_rule(table: TableShape, name: str, change: Callable[[Rule], Rule]) -> TableShape:
    return replace(table, rules=tuple(change(rule) if rule.name == name else rule for rule in table.rules))
