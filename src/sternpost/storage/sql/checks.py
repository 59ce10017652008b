"""The rules of a column, and conditions on a row, as CHECK conditions in the words of a database."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sternpost.kinds import without_case
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.policy import AllOf, AnyOf, Compare, Not, PolicyNode, ValueAt
from sternpost.plan.query import EQUALITY
from sternpost.plan.rules import ColumnRule, Length, Number, OneOf, Range, Truth, rules_of
from sternpost.plan.values import from_plan
from sternpost.storage.sql.dialect import Dialect


def condition(field: FieldPlan, dialect: Dialect) -> str | None:
    """What the field's column keeps; None where it is nothing."""
    parts = [part for rule in rules_of(field) for part in _conditions(rule, field, dialect)]
    return " AND ".join(parts) or None


def _conditions(rule: ColumnRule, field: FieldPlan, dialect: Dialect) -> Iterable[str]:
    name = f'"{rule.column}"'
    match rule:
        case OneOf():
            yield f"{name} IN ({', '.join(map(literal, rule.values))})"
        case Length():
            if rule.least is not None:
                yield f"length({name}) >= {rule.least}"
            if rule.most is not None:
                yield f"length({name}) <= {rule.most}"
        case Range():
            if rule.least is not None:
                yield f"{name} >= {_number(rule.least, field, dialect)}"
            if rule.most is not None:
                yield f"{name} <= {_number(rule.most, field, dialect)}"
        case Truth():
            if (truth := dialect.truth(name)) is not None:
                yield truth


_SYMBOLS = {"eq": "=", "ne": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def row_condition(node: PolicyNode, resource: ResourcePlan, dialect: Dialect) -> str:
    """A condition on a row, whose names are all in double quotes; unknown where a value is null, as SQL has it."""
    match node:
        case Compare(path, "isNull"):
            return f'"{resource.fields_by_name[path[0]].column_name}" IS NULL'
        case Compare():
            return _comparison(node, resource, dialect)
        case AllOf(parts) | AnyOf(parts):
            between = " AND " if isinstance(node, AllOf) else " OR "
            return between.join(_grouped(part, resource, dialect) for part in parts)
        case Not(Compare(path, "isNull")):
            return f'"{resource.fields_by_name[path[0]].column_name}" IS NOT NULL'
        case Not(part):
            return f"NOT ({row_condition(part, resource, dialect)})"
        case _:
            raise AssertionError(f"{type(node).__name__} is no condition on a row")


def _grouped(part: PolicyNode, resource: ResourcePlan, dialect: Dialect) -> str:
    text = row_condition(part, resource, dialect)
    return f"({text})" if isinstance(part, AllOf | AnyOf) else text


def _comparison(node: Compare, resource: ResourcePlan, dialect: Dialect) -> str:
    field = resource.fields_by_name[node.path[0]]
    folded = field.ignore_case and node.operator in EQUALITY

    def column(each: FieldPlan) -> str:
        return f'lower("{each.column_name}")' if folded else f'"{each.column_name}"'

    def constant(value: Any) -> str:
        encode = dialect.encode(field)
        typed = from_plan(field, value)
        typed = without_case(typed) if folded else typed
        return dialect.literal(encode(typed) if encode else typed)

    match node.value:
        case ValueAt((name,)):
            return f"{column(field)} {_SYMBOLS[node.operator]} {column(resource.fields_by_name[name])}"
        case tuple() as values:
            return f"{column(field)} IN ({', '.join(map(constant, values))})"
        case value:
            return f"{column(field)} {_SYMBOLS[node.operator]} {constant(value)}"


def _number(bound: Number, field: FieldPlan, dialect: Dialect) -> str:
    encode = dialect.encode(field) if isinstance(bound, Decimal) else None
    return str(bound if encode is None else encode(bound))


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
