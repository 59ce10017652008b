"""What is computed over many rows, as values of fields: sums and averages are exact where the field is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sternpost.errors import ConstraintViolated
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.query import Measure
from sternpost.plan.values import from_plan
from sternpost.storage.sql.dialect import HALF
from sternpost.storage.sql.statements import Statements


def measured(
    statements: Statements, resource: ResourcePlan, measures: Sequence[Measure], row: Sequence[Any]
) -> list[Any]:
    """The values of measures in a row that a statement gave. Raises `ConstraintViolated` for an infinity."""
    found: list[Any] = []
    column = 0
    for measure in measures:
        field = resource.fields_by_name.get(measure.field)
        if measure.function in ("sum", "avg") and field is not None:
            total, width = _total(statements, field, row, column)
            if measure.function == "sum":
                found.append(_value(statements, field, measure, total))
            else:
                found.append(_average(statements, field, total, row[column + width]))
                width += 1
            column += width
            continue
        found.append(row[column] if field is None else _value(statements, field, measure, row[column]))
        column += 1
    return found


def _total(statements: Statements, field: FieldPlan, row: Sequence[Any], column: int) -> tuple[Any, int]:
    """The sum that begins at a column, and how many columns it has. Raises `ConstraintViolated` for an infinity."""
    total = row[column]
    if statements.dialect.halves_sums(field):
        return None if total is None else total * HALF + row[column + 1], 2
    if isinstance(total, float) and not math.isfinite(total):
        raise ConstraintViolated(log={"database": "a sum is out of range"})
    return total, 1


def _value(statements: Statements, field: FieldPlan, measure: Measure, value: Any) -> Any:
    if value is None:
        return None
    if field.ranks and measure.function != "by":
        place: int = value
        return field.ranks[place] if place < len(field.ranks) else None  # another program's value comes last
    if measure.function == "sum" and KINDS[field.kind].types[0] is int:
        return int(value)
    decode = statements.codecs.decode(field)
    return from_plan(field, decode(value) if decode else value)


def _average(statements: Statements, field: FieldPlan, total: Any, count: int) -> Any:
    if not count:
        return None
    if not KINDS[field.kind].exact:
        return total / count
    whole = KINDS[field.kind].types[0] is int
    return (Decimal(int(total)) if whole else _value(statements, field, Measure("min"), total)) / count
