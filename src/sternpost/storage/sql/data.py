"""The data client's statements: shapes of `sternpost.ports.data` as SQL, built once each and kept with the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    and_,
    bindparam,
    case,
    delete,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import cast

from sternpost.plan.model import FieldPlan, RelationPlan, ResourcePlan
from sternpost.plan.policy import COMPARE
from sternpost.ports.data import (
    After,
    Aggregation,
    Assignment,
    Either,
    Every,
    Inclusion,
    Measure,
    Negated,
    Node,
    OrderBy,
    Query,
    Related,
    RowsUpdate,
    Test,
    Upsert,
)
from sternpost.ports.storage import View
from sternpost.storage.sql.dialect import ColumnType, Statement
from sternpost.storage.sql.schema import alive
from sternpost.storage.sql.statements import Decoder, Statements

VARIABLES_MAX = 32_000
"""Parameters of one statement: SQLite allows 32,766."""
ROWS_MAX = 500
"""Rows that one statement adds."""


def slot(number: int) -> BindParameter[Any]:
    """A slot as a parameter."""
    return bindparam(f"w{number}")


def _literal(text: str) -> Any:
    """A constant of ours as SQL."""
    constant: ColumnElement[Any] = literal_column(text)
    return constant


def _bind(name: str) -> BindParameter[Any]:
    return bindparam(name)


def _page(query: Any, limit: int | None, offset: int | None) -> Any:
    """A part of the rows. One of the two needs the other: SQLite has no OFFSET without LIMIT."""
    if limit is None and offset is None:
        return query
    least: Any = _literal("0") if offset is None else slot(offset)
    most: Any = _literal(str(2**62)) if limit is None else slot(limit)
    return query.limit(most).offset(least)


class DataStatements:
    """Builds the statements of the data client; they are kept in the cache of `Statements`."""

    def __init__(self, statements: Statements) -> None:
        self.statements = statements
        self.plan = statements.plan
        self.dialect = statements.dialect
        self.tables = statements.schema.tables
        self.links = statements.schema.links

    def select(self, query: Query) -> tuple[Statement, Decoder]:
        """Rows; behind the fields stand the keys that includes compare with."""
        return self._kept(("data select", query), lambda: self._select(query))

    def included(self, resource: str, inclusion: Inclusion) -> tuple[Statement, Decoder]:
        """The rows of a relation for the keys of many parents; the last column is the parent's key."""
        return self._kept(("data include", resource, inclusion), lambda: self._included(resource, inclusion))

    def count(self, resource: str, where: Node) -> Statement:
        return self._kept(("data count", resource, where), lambda: self._count(resource, where))

    def aggregate(self, aggregation: Aggregation) -> Statement:
        return self._kept(("data aggregate", aggregation), lambda: self._aggregate(aggregation))

    def update(self, shape: RowsUpdate) -> tuple[Statement, Decoder]:
        return self._kept(("data update", shape), lambda: self._update(shape))

    def delete(self, resource: str, where: Node) -> Statement:
        return self._kept(("data delete", resource, where), lambda: self._delete(resource, where))

    def keys(self, resource: str, where: Node) -> Statement:
        """The keys of the rows that fit."""
        return self._kept(("data keys", resource, where), lambda: self._keys(resource, where))

    def upsert(self, shape: Upsert) -> tuple[Statement, Decoder]:
        return self._kept(("data upsert", shape), lambda: self._upsert(shape))

    def insert_rows(
        self, resource: str, names: tuple[str, ...], rows: int, *, skip: bool, fields: tuple[str, ...]
    ) -> tuple[str, Decoder]:
        """One statement for many rows. PostgreSQL takes an array per column, SQLite a list of values."""
        count = 0 if self.dialect.name == "postgresql" else rows
        return self._kept(
            ("data insert", resource, names, count, skip, fields),
            lambda: self._insert_rows(resource, names, count, skip, fields),
        )

    def link(self, relation: RelationPlan) -> Statement:
        """Adds a pair, unless it is there."""
        return self._kept(("data link", relation.link_table, relation.link_local), lambda: self._link(relation))

    def unlink(self, relation: RelationPlan) -> Statement:
        return self._kept(("data unlink", relation.link_table, relation.link_local), lambda: self._unlink(relation))

    # -- reading

    def _kept(self, key: Any, build: Any) -> Any:
        return self.statements.cached(key, build)

    def _compile(self, element: Any) -> Statement:
        return self.statements.compile(element)

    def _of(self, name: str) -> tuple[ResourcePlan, Any]:
        return self.plan.by_name[name], self.tables[name]

    def _conditions(self, resource: ResourcePlan, table: FromClause, where: Node) -> list[ColumnElement[bool]]:
        standing = self.statements.standing(resource, table)
        return standing if where == Every() else [*standing, self.condition(where, resource, table, 1)]

    def _select(self, query: Query) -> tuple[Statement, Decoder]:
        resource, table = self._of(query.resource)
        found = select(*self._columns(query, resource, table)).select_from(table)
        if query.distinct:
            found = found.where(table.c.id.in_(self._firsts(query, resource)))
        else:
            found = found.where(*self._conditions(resource, table, query.where))
        if query.after is not None:
            found = found.where(self._after(query.order, query.after, resource, table))
        found = found.order_by(*self._order(query.order, resource, table))
        found = _page(found, query.limit, query.offset)
        if query.lock and self.dialect.locks_rows:
            found = found.with_for_update(of=table, key_share=True)
        return self._compile(found), self._decoder(query.resource, query.fields)

    def _firsts(self, query: Query, resource: ResourcePlan) -> Any:
        """The ids of the first row for each combination of the distinct fields."""
        other = self.tables[resource.name].alias("ranked_rows")
        rank = func.row_number().over(
            partition_by=[other.c[name] for name in query.distinct], order_by=self._order(query.order, resource, other)
        )
        ranked = (
            select(other.c.id.label("id"), rank.label("sp_rank"))
            .where(*self._conditions(resource, other, query.where))
            .subquery("ranked")
        )
        return select(ranked.c.id).where(ranked.c.sp_rank == _literal("1"))

    def _included(self, parent_name: str, inclusion: Inclusion) -> tuple[Statement, Decoder]:
        parent, query = self.plan.by_name[parent_name], inclusion.query
        relation = parent.relations_by_name[inclusion.relation]
        target, table = self._of(relation.target)
        source: Any = table
        if relation.kind == "linked":
            link = self.links[str(relation.link_table)]
            key, key_field = link.c[str(relation.link_local)], parent.fields_by_name["id"]
            source = table.join(link, table.c.id == link.c[str(relation.link_remote)])
        else:
            key, key_field = table.c[relation.remote_field], target.fields_by_name[relation.remote_field]
        chosen = (
            select(*self._columns(query, target, table), key.label("sp_parent"))
            .select_from(source)
            .where(
                self.dialect.is_any_of(key, bindparam("keys"), key_field),
                *self._conditions(target, table, query.where),
            )
        )
        order = self._included_order(relation, query, target, table)
        decoder = self._decoder(target.name, query.fields)
        if query.limit is None and query.offset is None:
            return self._compile(chosen.order_by(key, *order)), decoder
        rank = func.row_number().over(partition_by=key, order_by=order).label("sp_rank")
        ranked = chosen.add_columns(rank).subquery("ranked")
        least: Any = slot(query.offset) if query.offset is not None else _literal("0")
        page = select(*(column for column in ranked.c if column.key != "sp_rank")).where(ranked.c.sp_rank > least)
        if query.limit is not None:
            page = page.where(ranked.c.sp_rank <= least + slot(query.limit))
        return self._compile(page.order_by(ranked.c.sp_parent, ranked.c.sp_rank)), decoder

    def _included_order(
        self, relation: RelationPlan, query: Query, target: ResourcePlan, table: Any
    ) -> list[ColumnElement[Any]]:
        if not query.order and relation.kind == "owned" and target.position_column:
            return [table.c[target.position_column].asc()]
        return self._order(query.order, target, table)

    def _columns(self, query: Query, resource: ResourcePlan, table: FromClause) -> list[ColumnElement[Any]]:
        keys = self.key_fields(query)
        return [*(table.c[name] for name in query.fields), *(table.c[name].label(f"key_{name}") for name in keys)]

    def key_fields(self, query: Query) -> tuple[str, ...]:
        """The fields that includes compare with; read behind those that were asked for."""
        relations = self.plan.by_name[query.resource].relations_by_name
        return tuple(dict.fromkeys(relations[inclusion.relation].local_field for inclusion in query.includes))

    def _decoder(self, resource: str, fields: tuple[str, ...]) -> Decoder:
        return self.statements.decoder(View(resource, fields))

    def _count(self, name: str, where: Node) -> Statement:
        resource, table = self._of(name)
        return self._compile(select(func.count()).select_from(table).where(*self._conditions(resource, table, where)))

    # -- conditions

    def condition(self, node: Node, resource: ResourcePlan, table: FromClause, depth: int) -> ColumnElement[bool]:
        """A tree of tests as SQL. It may come out unknown where a value is null: that counts as false."""
        match node:
            case Test():
                return self._test(node, resource, table)
            case Every(parts):
                return and_(true(), *(self.condition(part, resource, table, depth) for part in parts))
            case Either(parts):
                return or_(false(), *(self.condition(part, resource, table, depth) for part in parts))
            case Negated(part):
                return self._not_true(self.condition(part, resource, table, depth))
            case Related():
                return self._related(node, resource, table, depth)

    def _not_true(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """The exact complement: NOT alone would leave out the rows for which the condition is unknown."""
        return func.coalesce(condition, false()).is_(false())

    def _related(self, node: Related, resource: ResourcePlan, table: FromClause, depth: int) -> ColumnElement[bool]:
        relation = resource.relations_by_name[node.relation]
        target = self.plan.by_name[relation.target]
        # Each level has its own alias: a path of relations may come back to a table it started from.
        other = self.tables[target.name].alias(f"{target.table}_{depth}")
        inner = self.condition(node.where, target, other, depth + 1)
        if node.quantifier == "every":
            inner = self._not_true(inner)
        conditions = [*self.statements.standing(target, other), inner]
        if relation.kind == "linked":
            link = self.links[str(relation.link_table)].alias(f"{relation.link_table}_{depth}")
            conditions += [
                link.c[str(relation.link_local)] == table.c.id,
                link.c[str(relation.link_remote)] == other.c.id,
            ]
        else:
            conditions.append(other.c[relation.remote_field] == table.c[relation.local_field])
        found = exists(select(_literal("1")).where(and_(*conditions)).correlate(table))
        return found if node.quantifier in ("some", "is") else not_(found)

    def _test(self, test: Test, resource: ResourcePlan, table: FromClause) -> ColumnElement[bool]:
        field = resource.fields_by_name[test.field]
        column: Any = table.c[test.field]
        nullable, value = field.nullable, slot(test.slot) if test.slot >= 0 else None
        if value is None:
            return column.is_(None) if test.operator == "isNull" else column.is_not(None)
        if test.insensitive:
            column = func.lower(column)
        match test.operator:
            case "in":
                return self._any_of(column, value, field, test)
            case "notIn":
                unlike = not_(self._any_of(column, value, field, test))
                return or_(table.c[test.field].is_(None), unlike) if nullable else unlike
            case _:
                return self._compare(column, test.operator, value, nullable)

    def _any_of(self, column: Any, value: BindParameter[Any], field: FieldPlan, test: Test) -> ColumnElement[bool]:
        return self.dialect.is_any_of(column, value, field)

    def _compare(self, column: Any, operator: str, value: BindParameter[Any], nullable: bool) -> ColumnElement[bool]:
        match operator:
            case "ne":
                return column.is_distinct_from(value) if nullable else column != value
            case "contains":
                return self.dialect.contains(column, value)
            case "startsWith":
                return self.dialect.starts_with(column, value)
            case "endsWith":
                text = cast(value, ColumnType("TEXT"))
                start = func.length(column) - func.length(text) + _literal("1")
                return and_(func.length(column) >= func.length(text), func.substr(column, start) == text)
            case _:
                return COMPARE[operator](column, value)

    # -- order

    def _order(self, order: Sequence[OrderBy], resource: ResourcePlan, table: Any) -> list[ColumnElement[Any]]:
        """The order's values, and the id as the last, so that every order is total."""
        parts: list[ColumnElement[Any]] = []
        for entry in order:
            value, nullable = self._value(entry.path, resource, table, 1)
            ordered = value.desc() if entry.descending else value.asc()
            if nullable:
                ordered = ordered.nulls_first() if entry.nulls_first else ordered.nulls_last()
            parts.append(ordered)
        if not any(entry.path == ("id",) for entry in order):
            parts.append(table.c.id.asc())
        return parts

    def _value(self, path: tuple[str, ...], resource: ResourcePlan, table: Any, depth: int) -> tuple[Any, bool]:
        """The value at the end of a path of references, and whether it may be null."""
        if len(path) == 1:
            return table.c[path[0]], resource.fields_by_name[path[0]].nullable
        relation = resource.relations_by_name[path[0]]
        target = self.plan.by_name[relation.target]
        other = self.tables[target.name].alias(f"{target.table}_by_{depth}")
        inner, _ = self._value(path[1:], target, other, depth + 1)
        found = select(inner).where(
            other.c[relation.remote_field] == table.c[relation.local_field], *self.statements.standing(target, other)
        )
        return found.correlate(table).scalar_subquery(), True

    def _after(self, order: Sequence[OrderBy], after: After, resource: ResourcePlan, table: Any) -> ColumnElement[bool]:
        """Behind a row: at the first value that differs, on the far side of it."""
        entries = [*order] if any(entry.path == ("id",) for entry in order) else [*order, OrderBy(("id",))]
        ways: list[ColumnElement[bool]] = []
        same: list[ColumnElement[bool]] = []
        for entry, number in zip(entries, after.slots, strict=True):
            value, nullable = self._value(entry.path, resource, table, 1)
            if number is None:
                if entry.nulls_first:
                    ways.append(and_(*same, value.is_not(None)))
                same.append(value.is_(None))
                continue
            further = value < slot(number) if entry.descending else value > slot(number)
            if nullable and not entry.nulls_first:
                further = or_(further, value.is_(None))
            ways.append(and_(*same, further))
            same.append(value == slot(number))
        return or_(false(), *ways)

    # -- groups

    def _aggregate(self, shape: Aggregation) -> Statement:
        resource, table = self._of(shape.resource)
        columns = [column for measure in shape.measures for column in self._measured(measure, table)]
        found = select(*columns).select_from(table).where(*self._conditions(resource, table, shape.where))
        if shape.by:
            found = found.group_by(*(table.c[name] for name in shape.by))
        for measure, operator, number in shape.having:
            found = found.having(COMPARE[operator](self._measure(measure, table), slot(number)))
        for measure, descending in shape.order:
            value = self._measure(measure, table)
            found = found.order_by(value.desc().nulls_first() if descending else value.asc().nulls_last())
        if shape.by:  # groups come in one order on every database
            found = found.order_by(*(table.c[name].asc().nulls_last() for name in shape.by))
        return self._compile(_page(found, shape.limit, shape.offset))

    def _measured(self, measure: Measure, table: Any) -> list[Any]:
        """What is read for a measure: an average comes as sum and count, so that it can be exact."""
        if measure.function == "avg":
            column = table.c[measure.field]
            return [func.sum(column), func.count(column)]
        return [self._measure(measure, table)]

    def _measure(self, measure: Measure, table: Any) -> Any:
        if measure.function == "count":
            return func.count()
        column = table.c[measure.field]
        return column if measure.function == "by" else getattr(func, measure.function)(column)

    # -- writing

    def _update(self, shape: RowsUpdate) -> tuple[Statement, Decoder]:
        resource, table = self._of(shape.resource)
        changes = {entry.field: self._assigned(entry, resource, table) for entry in shape.assignments}
        query: Any = (
            update(table)
            .where(*self._conditions(resource, table, shape.where))
            .values(self.statements.counted(resource, table, changes))
        )
        if shape.fields:
            query = query.returning(*(table.c[name] for name in shape.fields))
        return self._compile(query), self._decoder(shape.resource, shape.fields)

    def _assigned(self, entry: Assignment, resource: ResourcePlan, table: Any) -> Any:
        column, value = table.c[entry.field], slot(entry.slot)
        match entry.arithmetic:
            case "set":
                return value
            case "increment":
                return column + value
            case "decrement":
                return column - value
            case "multiply":
                return self._product(column, column * value, entry, resource)
            case "divide":
                return self._product(column, column.op("/")(value), entry, resource)

    def _product(self, column: Any, plain: Any, entry: Assignment, resource: ResourcePlan) -> Any:
        """The field times a fraction. SQLite's decimals are whole numbers, so the product is rounded, half away from zero."""
        field = resource.fields_by_name[entry.field]
        if field.kind != "decimal" or self.dialect.name != "sqlite":
            return plain
        # with the fraction p/q: (2·p·value ± q) / 2·q, where SQLite's division cuts off
        twice = column * _bind(f"w{entry.slot}_twice")
        whole, double = _bind(f"w{entry.slot}_whole"), _bind(f"w{entry.slot}_double")
        over = {"precedence": 8}  # that of a multiplication, so that a sum before it is put in parentheses
        return case(
            (twice >= _literal("0"), (twice + whole).op("/", **over)(double)),
            else_=(twice - whole).op("/", **over)(double),
        )

    def _delete(self, name: str, where: Node) -> Statement:
        resource, table = self._of(name)
        return self._compile(delete(table).where(*self._conditions(resource, table, where)))

    def _keys(self, name: str, where: Node) -> Statement:
        resource, table = self._of(name)
        return self._compile(select(table.c.id).where(*self._conditions(resource, table, where)))

    def _upsert(self, shape: Upsert) -> tuple[Statement, Decoder]:
        resource, table = self._of(shape.resource)
        insert: Any = postgresql.insert if self.dialect.name == "postgresql" else sqlite.insert
        changes = {entry.field: self._assigned(entry, resource, table) for entry in shape.assignments}
        if changes:
            changes = self.statements.counted(resource, table, changes)
        standing = self.statements.standing(resource, table)
        added: Any = insert(table)
        query: Any = (
            added.values({name: bindparam(name) for name in shape.names})
            .on_conflict_do_update(
                index_elements=[table.c[name] for name in shape.key],
                index_where=alive(table) if resource.soft_delete and shape.key != ("id",) else None,
                set_=changes or {shape.key[0]: table.c[shape.key[0]]},  # so that the row comes back
                where=and_(*standing) if standing else None,
            )
            .returning(*(table.c[name] for name in shape.fields))
        )
        return self._compile(query), self._decoder(shape.resource, shape.fields)

    def _insert_rows(
        self, name: str, names: tuple[str, ...], count: int, skip: bool, fields: tuple[str, ...]
    ) -> tuple[str, Decoder]:
        quote = self.dialect.compiler.identifier_preparer.quote
        resource, table = self._of(name)
        column_of = {key: quote(column.name) for key, column in table.c.items()}
        columns = ", ".join(column_of[name] for name in names)
        if count:
            row = f"({', '.join('?' * len(names))})"
            source = f"VALUES {', '.join([row] * count)}"
        else:
            types = [self._plain_type(resource, column) for column in names]
            arrays = [f"${index + 1}::{kind}[]" for index, kind in enumerate(types)]
            source = f"SELECT * FROM unnest({', '.join(arrays)})"
        text = f"INSERT INTO {self.dialect.compiler.identifier_preparer.format_table(table)} ({columns}) {source}"
        text += " ON CONFLICT DO NOTHING" if skip else ""
        text += f" RETURNING {', '.join(column_of[column] for column in fields or ('id',))}"
        return text, self._decoder(name, fields)

    def _plain_type(self, resource: ResourcePlan, column: str) -> str:
        field = resource.fields_by_name.get(column)
        return self.dialect.column_type(field).name.removesuffix(' COLLATE "C"') if field else "INTEGER"

    def _link(self, relation: RelationPlan) -> Statement:
        insert: Any = postgresql.insert if self.dialect.name == "postgresql" else sqlite.insert
        table = self.links[str(relation.link_table)]
        values: dict[str, Any] = {
            str(relation.link_local): bindparam("parent"),
            str(relation.link_remote): bindparam("target"),
        }
        return self._compile(insert(table).values(values).on_conflict_do_nothing())

    def _unlink(self, relation: RelationPlan) -> Statement:
        table = self.links[str(relation.link_table)]
        return self._compile(
            delete(table).where(
                table.c[str(relation.link_local)] == bindparam("parent"),
                table.c[str(relation.link_remote)] == bindparam("target"),
                *self.statements.linked_standing(relation, table),
            )
        )
