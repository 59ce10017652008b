"""Policies as SQL: the same tree that the pipeline checks for one row, rendered as a condition for many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, false, literal_column, not_, or_, select, true

from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.policy import (
    COMPARE,
    AllOf,
    AnyOf,
    Authenticated,
    Compare,
    Not,
    Owner,
    Path,
    PolicyNode,
    Public,
    Scope,
)
from sternpost.storage.sql.dialect import Dialect
from sternpost.storage.sql.schema import Schema

SUBJECT = "subject"


class PolicySql:
    """Renders policies of a plan. What depends on the caller alone was decided before: scopes do not occur here."""

    def __init__(
        self,
        schema: Schema,
        dialect: Dialect,
        standing: Callable[[ResourcePlan, FromClause], list[ColumnElement[bool]]],
    ) -> None:
        self.standing = standing
        self.schema = schema
        self.dialect = dialect

    def condition(self, node: PolicyNode, resource: ResourcePlan, table: FromClause) -> ColumnElement[bool]:
        match node:
            case Public():
                return true()
            case Owner(path):
                field = self.schema.plan.field_at(resource, path)
                kind = str(field.references) if field.kind == "id" else field.kind
                return self.value(path, resource, table) == self.dialect.compared(bindparam(f"{SUBJECT}_{kind}"), field)
            case Compare(path, operator, value):
                return self._compare(path, operator, value, resource, table)
            case AllOf(parts):
                return and_(true(), *(self.condition(part, resource, table) for part in parts))
            case AnyOf(parts):
                return or_(false(), *(self.condition(part, resource, table) for part in parts))
            case Not(Public()):
                return false()
            case Not(part):
                return not_(self.condition(part, resource, table))
            case Authenticated() | Scope():
                raise AssertionError(f"{node} depends on the caller alone and is decided before SQL is written")

    def value(self, path: Path, resource: ResourcePlan, table: FromClause) -> ColumnElement[Any]:
        """The value at a path: a column, or a subquery for each reference that is followed."""
        column = table.c[path[0]]
        if len(path) == 1:
            return column
        target = self.schema.plan.by_name[str(resource.fields_by_name[path[0]].references)]
        # Each level has its own alias: a path may come back to a table it started from.
        other = self.schema.tables[target.name].alias(f"{target.table}_{len(path)}")
        inner = self.value(path[1:], target, other)
        return select(inner).where(other.c.id == column, *self.standing(target, other)).scalar_subquery()

    def _compare(
        self, path: Path, operator: str, value: Any, resource: ResourcePlan, table: FromClause
    ) -> ColumnElement[bool]:
        left = self.value(path, resource, table)
        right: ColumnElement[Any] = literal_column(self._literal(value, self.schema.plan.field_at(resource, path)))
        return COMPARE[operator](left, right)

    def _literal(self, value: Any, field: FieldPlan) -> str:
        """A constant of the contract as SQL. It comes from the author, never from a client."""
        from sternpost.plan.values import from_plan

        encode = self.dialect.encode(field)
        typed = from_plan(field, value)
        encoded = encode(typed) if encode else typed
        if isinstance(encoded, bool):
            return str(encoded).upper() if self.dialect.name == "postgresql" else str(int(encoded))
        if isinstance(encoded, int | float):
            return repr(encoded)
        return "'" + str(encoded).replace("'", "''") + "'"
