"""The rules of a column as a CHECK condition in the words of a database."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from sternpost.plan.model import FieldPlan
from sternpost.plan.rules import ColumnRule, Length, Number, OneOf, Range, Truth, rules_of
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


def _number(bound: Number, field: FieldPlan, dialect: Dialect) -> str:
    encode = dialect.encode(field) if isinstance(bound, Decimal) else None
    return str(bound if encode is None else encode(bound))


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
