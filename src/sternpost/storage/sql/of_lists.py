"""What is told of the rows of a list along with the row that has it: a subquery as one of its columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, exists, func, select

from sternpost.plan.model import ResourcePlan
from sternpost.plan.query import OfList, Order
from sternpost.storage.sql.conditions import Conditions
from sternpost.storage.sql.operands import constant
from sternpost.storage.sql.statement import Assembly


def of_list(
    conditions: Conditions, each: OfList, resource: ResourcePlan, table: FromClause, assembly: Assembly
) -> ColumnElement[Any]:
    """The column. As with rows that are read along, the rows are those that there are for this visibility."""
    relation = resource.relations_by_name[each.relation]
    target = conditions.plan.by_name[relation.target]
    other: Any = assembly.alias(conditions.schema.tables[target.name])
    nodes = (conditions.gate.list_filters(relation), each.where)
    fitting = conditions.of_relation(relation, other, table.c[relation.local_field], nodes, assembly)
    if each.function == "exists":
        return exists(select(constant("1")).where(and_(*fitting)).correlate(table))
    if each.function == "count":
        return select(func.count()).select_from(other).where(*fitting).correlate(table).scalar_subquery()
    order = (Order((each.by,), descending=True), Order(("id",), descending=True))
    by = conditions.order(order, target, conditions.ordered_values(order, target, other, assembly))
    last = select(other.c[each.field]).where(*fitting).order_by(*by).limit(constant("1")).offset(constant("0"))
    return last.correlate(table).scalar_subquery()
