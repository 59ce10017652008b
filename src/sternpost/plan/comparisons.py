"""A field compared with a value that a caller gave: one rule for filters of lists and for conditions of the data
client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sternpost.kinds import KINDS, LIST_FILTERS
from sternpost.plan.model import FieldPlan
from sternpost.plan.query import NONE, Compare, Node, Operator, Path
from sternpost.plan.ranks import compares_ranks, on_one_side


def comparison(
    field: FieldPlan,
    operator: Operator,
    value: Any,
    slot: Callable[[Any], int],
    *,
    path: Path = (),
    insensitive: bool = False,
) -> Node:
    """The condition. A value that the column could not hold, as a decimal of more places, gets one in its stead with
    which the same rows are found; where no row can have it, the condition does without a value.

    Args:
        value: of the field's kind, or of the items of a list; for operators on several a list of such.
        slot: puts a value into a slot and tells its number.
        path: where the field is a member of an object, what leads to it.
    """
    path, compared = path or (field.name,), KINDS[field.kind].compared
    if compares_ranks(field, operator):
        wanted = on_one_side(field, operator, value)
        return Compare(path, "in", slot([*wanted])) if wanted else NONE
    if operator in LIST_FILTERS:
        return Compare(path, operator, slot([value] if operator == "has" else value))
    if compared is not None and operator in ("in", "notIn"):
        value = [found for item in value if (found := compared(field, operator, item)) is not None]
    elif compared is not None:
        value = compared(field, operator, value)
        if value is None:  # null differs from nothing, as in every comparison
            return NONE if operator == "eq" else Compare(path, "isNotNull")
    return Compare(path, operator, slot(value), insensitive)
