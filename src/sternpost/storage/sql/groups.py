"""Statements over groups of rows: counts, sums, averages, extremes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from sternpost.plan.model import ResourcePlan
from sternpost.plan.policy import COMPARE
from sternpost.plan.query import Aggregate, Measure
from sternpost.storage.sql.builder import Builder
from sternpost.storage.sql.conditions import paged
from sternpost.storage.sql.dialect import HALF, Codec
from sternpost.storage.sql.operands import constant
from sternpost.storage.sql.ranks import rank
from sternpost.storage.sql.statement import Statement


class Groups(Builder):
    """Writes the statements that look at groups of a plan's rows."""

    def aggregate(self, query: Aggregate) -> Statement:
        """Values over groups; an average comes as sum and count, so that it can be exact."""
        resource, table, assembly = self.begin(query.resource)
        columns = [column for measure in query.measures for column in self._measured(resource, measure, table)]
        found = select(*columns).select_from(table).where(*self.conditions.rows(resource, table, query.where, assembly))
        if query.by:
            found = found.group_by(*(table.c[name] for name in query.by))
        for measure, name, number in query.having:
            value = assembly.slot(number, self._compared_measure(resource, measure))
            found = found.having(COMPARE[name](self._measure(resource, measure, table), value))
        for measure, descending in query.order:
            value = self._measure(resource, measure, table)
            if measure.function == "by":
                value = self._ranked(resource, measure.field, value)
            found = found.order_by(value.desc().nulls_first() if descending else value.asc().nulls_last())
        if query.by:  # groups come in one order on every database
            keys = (self._ranked(resource, name, table.c[name]) for name in query.by)
            found = found.order_by(*(key.asc().nulls_last() for key in keys))
        return assembly.statement(paged(found, query.limit, query.offset, assembly))

    def _compared_measure(self, resource: ResourcePlan, measure: Measure) -> Codec:
        """How what a measure is compared with is bound."""
        if measure.function == "count":
            return None
        field = resource.fields_by_name[measure.field]
        if field.ranks:  # the least or the greatest of an enum with an order is a place in it
            return field.ranks.index
        return self.dialect.encode_average(field) if measure.function == "avg" else self.codecs.encode(field)

    def _measured(self, resource: ResourcePlan, measure: Measure, table: Any) -> list[Any]:
        if measure.function not in ("sum", "avg"):
            return [self._measure(resource, measure, table)]
        column = table.c[measure.field]
        total = [func.sum(column)]
        if self.dialect.halves_sums(resource.fields_by_name[measure.field]):
            # the halves are signed and unsigned: their sums stay far below 64 bits
            total = [func.sum(column.op(">>")(constant("32"))), func.sum(column.op("&")(constant(str(HALF - 1))))]
        return [*total, func.count(column)] if measure.function == "avg" else total

    def _measure(self, resource: ResourcePlan, measure: Measure, table: Any) -> Any:
        if measure.function == "count":
            return func.count()
        column = table.c[measure.field]
        if measure.function == "by":
            return column
        return getattr(func, measure.function)(self._ranked(resource, measure.field, column))

    def _ranked(self, resource: ResourcePlan, name: str, column: Any) -> Any:
        """What values are put in order by."""
        field = resource.fields_by_name[name]
        return rank(column, field, external=self.plan.external) if field.ranks else column
