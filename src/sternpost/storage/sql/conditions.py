"""Conditions of the query language as SQL, and the values that orders and policies look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, exists, false, func, not_, or_, select, true
from sqlalchemy.sql.expression import cast

from sternpost.plan.model import FieldPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import COMPARE
from sternpost.plan.query import (
    ALL,
    EQUALITY,
    RANK,
    Compare,
    Either,
    Every,
    Fact,
    Matches,
    Node,
    Not,
    Order,
    Outside,
    OwnedBy,
    Path,
    Related,
    Subject,
    Through,
    Under,
    ValueAt,
    lists_in,
)
from sternpost.storage.sql.codecs import Codecs
from sternpost.storage.sql.dialect import ColumnType
from sternpost.storage.sql.gate import Gate
from sternpost.storage.sql.operands import Operands, constant
from sternpost.storage.sql.ranks import rank
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sql.search import Searching
from sternpost.storage.sql.statement import Assembly
from sternpost.storage.sql.written import CHANGED, UNSURE, WRITTEN


def paged(found: Any, limit: int | None, offset: int | None, assembly: Assembly) -> Any:
    """A part of the rows, by slots. One of the two needs the other: SQLite has no OFFSET without LIMIT."""
    if limit is None and offset is None:
        return found
    most = constant(str(2**62)) if limit is None else assembly.slot(limit)
    least = constant("0") if offset is None else assembly.slot(offset)
    return found.limit(most).offset(least)


PARTS = frozenset({"contains", "startsWith", "endsWith"})
"""Operators that look for a part of a text."""


class Conditions:
    """Writes conditions on the tables of a plan. Every table that it brings into a statement passes the gate.

    Args:
        aside: whether policies disregard the rows of lists that the transaction has written; see `written.py`.
    """

    def __init__(self, schema: Schema, codecs: Codecs, gate: Gate, *, aside: bool = False) -> None:
        self.plan: Plan = schema.plan
        self.dialect = schema.dialect
        self.schema = schema
        self.codecs = codecs
        self.gate = gate
        self.operands = Operands(schema.dialect, codecs)
        self.aside = aside
        self.alive = self if gate.alive is gate else Conditions(schema, codecs, gate.alive, aside=aside)
        """What policies look into: lists hold no deleted rows, also where those are there otherwise."""

    def rows(
        self, resource: ResourcePlan, table: FromClause, where: Node, assembly: Assembly
    ) -> list[ColumnElement[bool]]:
        """The conditions for the rows of a resource: those of the gate, then those that are asked for."""
        return self._all((self.gate.row_filters(resource), where), resource, table, assembly)

    def _all(
        self, nodes: tuple[Node, ...], resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        for node in nodes:
            parts = node.parts if isinstance(node, Every) else (node,)
            found += [self.condition(part, resource, table, assembly) for part in parts]
        return found

    def condition(
        self, node: Node, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> ColumnElement[bool]:
        """One condition. It may come out unknown where a value is null: that counts as false."""
        match node:
            case Compare():
                return self._compare(node, resource, table, assembly)
            case Every(parts):
                return and_(true(), *(self.condition(part, resource, table, assembly) for part in parts))
            case Either(parts):
                return or_(false(), *(self.condition(part, resource, table, assembly) for part in parts))
            case Not(part):
                return self._complement(part, resource, table, assembly)
            case Related():
                return self._related(node, resource, table, assembly)
            case Through():
                return self._through(node, resource, table, assembly)
            case Under():
                return self._under(node, table, assembly)
            case OwnedBy(where):
                return self._owned_by(where, resource, table, assembly)
            case Matches():
                return Searching(self.dialect, resource, node).condition(table, assembly)

    # -- values

    def fact(self, fact: Fact, resource: ResourcePlan, table: FromClause, assembly: Assembly) -> ColumnElement[Any]:
        """What a policy has to know of a row, as a column."""
        if isinstance(fact, Through):
            return self._through(fact, resource, table, assembly)
        return self.value(fact, resource, table, assembly)

    def value(self, path: Path, resource: ResourcePlan, table: FromClause, assembly: Assembly) -> ColumnElement[Any]:
        """The value at a path: a column, a member of an object, or a subquery for each reference that is followed."""
        first, *rest = path
        column = table.c[first]
        if not rest:
            return column
        field = resource.fields_by_name[first]
        if field.structure is not None:
            way = [self.plan.field_at(resource, path[: length + 1]) for length in range(1, len(path))]
            return self.dialect.member(column, [each.public_name for each in way], way[-1])
        target = self.plan.by_name[str(resource.fields_by_name[first].references)]
        other = assembly.alias(self.schema.tables[target.name])
        inner = self.value(tuple(rest), target, other, assembly)
        found = select(inner).where(other.c.id == column, *self.rows(target, other, ALL, assembly))
        return found.correlate(table).scalar_subquery()

    def _field(self, path: Path, resource: ResourcePlan) -> FieldPlan:
        """The field at a path; a member of an object as what it is compared as."""
        first, *rest = path
        field = resource.fields_by_name[first]
        if not rest:
            return field
        if field.structure is not None:
            return self.codecs.within(self.plan.field_at(resource, path))
        return self._field(tuple(rest), self.plan.by_name[str(field.references)])

    def nullable(self, path: Path, resource: ResourcePlan) -> bool:
        """Whether the value at a path may be null."""
        first, *rest = path
        return path != RANK and (bool(rest) or resource.fields_by_name[first].nullable)

    def order(
        self,
        order: tuple[Order, ...],
        resource: ResourcePlan,
        values: Mapping[Path, ColumnElement[Any]],
    ) -> list[ColumnElement[Any]]:
        """ORDER BY over the values at the paths."""
        terms: list[ColumnElement[Any]] = []
        for entry in order:
            value = values[entry.path]
            term = value.desc() if entry.descending else value.asc()
            if self.nullable(entry.path, resource):
                term = term.nulls_first() if entry.nulls_first else term.nulls_last()
            terms.append(term)
        return terms

    def ordered_values(
        self, order: tuple[Order, ...], resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> dict[Path, ColumnElement[Any]]:
        """What each path of an order is sorted by."""
        return {entry.path: self._sorted(entry, resource, table, assembly) for entry in order}

    def _sorted(
        self, entry: Order, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> ColumnElement[Any]:
        if entry.search is not None:
            return Searching(self.dialect, resource, entry.search).rank(table, assembly)
        value = self.value(entry.path, resource, table, assembly)
        field = self.plan.field_at(resource, entry.path)
        return rank(value, field, external=self.plan.external) if field.ranks else value

    # -- comparisons

    def _compare(
        self, node: Compare, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> ColumnElement[bool]:
        field = self._field(node.path, resource)
        column: Any = self.value(node.path, resource, table, assembly)
        if node.operator in ("isNull", "isNotNull"):
            return column.is_(None) if node.operator == "isNull" else column.is_not(None)
        folded = _ignores_case(node, field)
        if folded:
            column = self.dialect.lower(column)
        elif field.storage == "char" and node.operator in PARTS:
            column = cast(column, ColumnType("TEXT"))  # which takes the padding away
        match node.operator:
            case "in":
                return self.operands.one_of(column, node.operand, field, assembly, folded=folded)
            case "notIn":
                # null is in no list, not even in an empty one, and yet the comparison does not hold
                listed = self.operands.one_of(column, node.operand, field, assembly, folded=folded)
                return and_(column.is_not(None), not_(listed))
            case "has" | "hasAny" | "hasAll":
                assert isinstance(node.operand, int), "the values of a list are in a slot"
                wanted = assembly.slot(node.operand, self.codecs.encode_items(field))
                held = self.dialect.holds(column, wanted, field, every=node.operator == "hasAll")
                return and_(column.is_not(None), held)
            case "contains":
                return self.dialect.contains(column, self.operands.of(node.operand, field, assembly, folded=folded))
            case "startsWith":
                return self.dialect.starts_with(column, self.operands.of(node.operand, field, assembly, folded=folded))
            case "endsWith":
                return self.dialect.ends_with(column, self.operands.of(node.operand, field, assembly, folded=folded))
            case operator if isinstance(node.operand, ValueAt | Outside):
                at = assembly.outside[table] if isinstance(node.operand, Outside) else (resource, table)
                other = self.value(node.operand.path, *at, assembly)
                return COMPARE[operator](column, self.dialect.lower(other) if folded else other)
            case operator:
                operand = self.operands.of(node.operand, field, assembly, folded=folded)
                return COMPARE[operator](column, operand)

    def _complement(
        self, part: Node, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> ColumnElement[bool]:
        """The exact complement: NOT alone would leave out the rows for which the condition is unknown."""
        if isinstance(part, Compare) and part.operator in ("isNull", "isNotNull"):
            return not_(self._compare(part, resource, table, assembly))
        if isinstance(part, Through):
            return not_(self._through(part, resource, table, assembly))
        if (
            isinstance(part, Compare)
            and len(part.path) == 1
            # the caller may be no such value, and is then compared as null; another value may be null, too
            and not isinstance(part.operand, Subject | ValueAt | Outside)
        ):
            if not resource.fields_by_name[part.path[0]].nullable:
                return not_(self._compare(part, resource, table, assembly))
            if part.operator in ("eq", "in"):
                return self._unlike(part, resource, table, assembly)
        return func.coalesce(self.condition(part, resource, table, assembly), false()).is_(false())

    def _unlike(
        self, part: Compare, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> ColumnElement[bool]:
        """The same for a nullable column and a value that is not null, in the form in which a planner understands
        it."""
        field = resource.fields_by_name[part.path[0]]
        column: Any = table.c[part.path[0]]
        if part.operator == "in":
            return or_(column.is_(None), not_(self._compare(part, resource, table, assembly)))
        folded = _ignores_case(part, field)
        compared: Any = self.dialect.lower(column) if folded else column
        operand = self.operands.of(part.operand, field, assembly, folded=folded)
        return compared.is_distinct_from(operand)

    # -- other tables

    def _related(
        self, node: Related, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> ColumnElement[bool]:
        relation = resource.relations_by_name[node.relation]
        where = Not(node.where) if node.quantifier == "every" else node.where
        other = assembly.alias(self.schema.tables[relation.target])
        found = self._some(relation, other, table.c[relation.local_field], where, assembly, [table])
        return found if node.quantifier == "some" else not_(found)

    def _through(
        self,
        node: Through,
        resource: ResourcePlan,
        table: FromClause,
        assembly: Assembly,
    ) -> ColumnElement[bool]:
        """Whether some row of a list fits, or none, of the row itself or of one that it refers to. The rows of the list
        are those of the gate: alive, and of the tenant."""
        holder = resource
        for name in node.path:
            holder = self.plan.by_name[str(holder.fields_by_name[name].references)]
        relation = holder.relations_by_name[node.relation]
        own = relation.local_field
        # the reference is the id of the row that it leads to, unless that may be as if it did not exist
        path = (*node.path, own) if not node.path or own != "id" or self.alive.gate.guards(holder) else node.path
        other = assembly.alias(self.schema.tables[relation.target])
        outside = assembly.outside.get(table)
        tables = [table] if outside is None else [table, outside[1]]
        assembly.outside[other] = (resource, table)
        key = self.alive.value(path, resource, table, assembly)
        found = self.alive._some(relation, other, key, node.where, assembly, tables, policy=True)
        asked = not_(found) if node.none else found
        known = self._known(holder, node, assembly, none=node.none) if self.aside else []
        return and_(*known, asked) if known else asked

    def _known(
        self, holder: ResourcePlan, node: Through, assembly: Assembly, *, none: bool
    ) -> list[ColumnElement[bool]]:
        """That it can be told what the lists were before the transaction has written."""
        relation = holder.relations_by_name[node.relation]
        names = [f"{CHANGED if none else UNSURE}{relation.target}"]
        names += [f"{UNSURE}{relation.link_table}"] if relation.kind == "linked" else []
        found = [assembly.written(name) == constant("0") for name in names]
        target = self.plan.by_name[relation.target]
        for inner in lists_in(node.where) if none else ():
            at = target
            for name in inner.path:
                at = self.plan.by_name[str(at.fields_by_name[name].references)]
            found += self._known(at, inner, assembly, none=True)
        return found

    def _some(
        self,
        relation: RelationPlan,
        other: FromClause,
        key: Any,
        where: Node,
        assembly: Assembly,
        tables: list[FromClause],
        *,
        policy: bool = False,
    ) -> ColumnElement[bool]:
        """Whether some row of a relation fits.

        Args:
            other: where its rows are.
            key: of the row whose relation it is.
            tables: those of the rows outside.
        """
        target = self.plan.by_name[relation.target]
        filters = self.gate.list_filters(relation) if policy else self.gate.row_filters(target)
        conditions = self.of_relation(relation, other, key, (filters, where), assembly)
        if policy and self.aside:
            written, own = assembly.written(f"{WRITTEN}{target.name}"), self._column(other, "id")
            conditions.append(not_(self.dialect.is_any_of(own, written, target.fields_by_name["id"])))
        return exists(select(constant("1")).where(and_(*conditions)).correlate(*tables))

    def of_relation(
        self, relation: RelationPlan, other: FromClause, key: Any, nodes: tuple[Node, ...], assembly: Assembly
    ) -> list[ColumnElement[bool]]:
        """The conditions for the rows of a relation that fit; `key` is that of the row whose relation it is."""
        conditions = self._all(nodes, self.plan.by_name[relation.target], other, assembly)
        if relation.kind != "linked":
            return [*conditions, other.c[relation.remote_field] == key]
        link = assembly.alias(self.schema.links[str(relation.link_table)])
        return [
            *conditions,
            link.c[str(relation.link_local)] == key,
            link.c[str(relation.link_remote)] == other.c.id,
        ]

    def _column(self, table: FromClause, name: str) -> Any:
        return table.c[name]

    def _under(self, node: Under, table: FromClause, assembly: Assembly) -> ColumnElement[bool]:
        parent = self.plan.by_name[node.resource]
        relation = parent.relations_by_name[node.relation]
        if relation.kind != "linked":
            field = self.plan.by_name[relation.target].fields_by_name[relation.remote_field]
            return table.c[relation.remote_field] == self.operands.of(node.slot, field, assembly)
        link = assembly.alias(self.schema.links[str(relation.link_table)])
        key = self.operands.of(node.slot, parent.fields_by_name["id"], assembly)
        linked = select(link.c[str(relation.link_remote)]).where(link.c[str(relation.link_local)] == key)
        return table.c.id.in_(linked)

    def _owned_by(
        self, where: Node, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> ColumnElement[bool]:
        owner = self.plan.by_name[str(resource.owned_by)]
        relation = owning_relation(owner, resource)
        other = assembly.alias(self.schema.tables[owner.name])
        owned: ColumnElement[bool] = other.c[relation.local_field] == table.c[relation.remote_field]
        return exists(
            select(constant("1")).where(owned, self.condition(where, owner, other, assembly)).correlate(table)
        )


def _ignores_case(node: Compare, field: FieldPlan) -> bool:
    """Whether the case of ASCII letters makes no difference to a comparison."""
    return node.insensitive or (field.ignore_case and node.operator in EQUALITY)


def owning_relation(owner: ResourcePlan, item: ResourcePlan) -> RelationPlan:
    """The relation by which an item belongs to its owner."""
    return next(relation for relation in owner.owned_relations if relation.target == item.name)
