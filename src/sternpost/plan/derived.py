"""Queries with what is computed when rows are read: which subqueries, and which fields functions are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sternpost.plan.model import FieldPlan, InPython, OfRows, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import PolicyNode, conditions_on_rows
from sternpost.plan.query import ALL, Fact, Node, OfList, Select, every

Fold = Callable[[PolicyNode], Node]
"""What a policy asks of a row once it is known who calls."""


def selecting(
    resource: ResourcePlan,
    stored: Sequence[str],
    asked: Sequence[FieldPlan],
    facts: tuple[Fact, ...],
    *,
    readable: Callable[[OfRows], Node] = lambda of: ALL,
    **more: Any,
) -> Select:
    """A query for stored fields of rows, and for computed ones.

    Args:
        readable: which rows of a list count; by default all, as for an author's own code.
        more: the other attributes of the query.
    """
    if not asked:
        return Select(resource.name, tuple(stored), facts=facts, **more)
    lists: list[OfList] = []
    in_python: list[str] = []
    aside: dict[str, None] = {}
    for field in asked:
        match field.derived:
            case OfRows():
                lists.append(_of_list(field, field.derived, readable(field.derived)))
            case InPython(names):
                in_python.append(field.name)
                aside.update(dict.fromkeys(name for name in ("id", *names) if name not in stored))
            case None:
                raise AssertionError("it is stored")
    return Select(
        resource.name,
        (*stored, *aside),
        facts=facts,
        computed=tuple(lists),
        in_python=tuple(in_python),
        aside=tuple(aside),
        **more,
    )


def _of_list(field: FieldPlan, of: OfRows, readable: Node) -> OfList:
    own = ALL if of.where is None else conditions_on_rows(of.where, known=False, scopes=frozenset())
    where = every((readable, own))
    return OfList(field.name, of.function, of.relation, where, of.field or "", of.by or "")


def readable_rows(plan: Plan, relation: RelationPlan, fold: Fold) -> Node:
    """Which rows of a relation there are for a caller, to be read along or counted. What an item's owner has is there
    with it.

    Args:
        fold: what a policy asks of a row once it is known who calls.
    """
    return ALL if relation.kind == "owned" else fold(plan.by_name[relation.target].seeing)
