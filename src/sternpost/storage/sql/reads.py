"""Statements that read: rows with their relations, rows by key, counts, groups."""

from __future__ import annotations

import operator
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, case, cast, func, or_, select, tuple_, union_all

from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, RelationPlan, ResourcePlan
from sternpost.plan.query import ALL, Fact, Nested, Order, Path, Through, begins_at, key_place, ordered, total_order
from sternpost.plan.query import Select as Query
from sternpost.ports.storage import Position
from sternpost.storage.sql.builder import Builder
from sternpost.storage.sql.codecs import Decoder
from sternpost.storage.sql.conditions import paged
from sternpost.storage.sql.dialect import Codec, ColumnType, Dialect
from sternpost.storage.sql.external import not_representable
from sternpost.storage.sql.of_lists import of_list
from sternpost.storage.sql.operands import constant
from sternpost.storage.sql.statement import Assembly, Statement

KEY = "our.key"
KEYS = "our.keys"
ROWS = "our.rows"
BYTES = "our.bytes"
POSITION = "position."

WIDE_ROW_BYTES = 4096
"""Rows of a relation that may be wider than this are bounded in bytes, not in their number alone: an answer may hold
so many that they could be hundreds of megabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class PointStatement:
    """A read by key, in two forms: for one key, and for an array of them, with the key as the last column.

    Each is made once and looked up for each read: it is compared as an object, which is faster than by what it holds.
    """

    one: Statement
    many: Statement
    decoder: Decoder
    key: Codec = None
    """From the digits of an id to the key, where an external database has others."""
    uuid_keys: bool = True
    computes: bool = False
    """Whether something of lists is computed along, which may take long."""
    asks: bool = field(init=False, repr=False)
    """Whether it asks for something of the call beside the key and the tenant."""
    _keys_at: int = field(init=False, repr=False)
    """Where the keys are among the parameters of `many`."""

    def __post_init__(self) -> None:
        places = [place for place, (name, _) in enumerate(self.many.parameters) if name == KEYS]
        object.__setattr__(self, "_keys_at", places[0])
        object.__setattr__(self, "asks", self.one.asks)

    def others(self, named: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the parameters of `many` beside the keys, as they are bound: reads that agree in them can be
        sent together."""
        parameters = self.many.parameters
        if len(parameters) == 1:
            return ()
        return tuple([_bound(named[str(name)], encode) for name, encode in parameters if name != KEYS])

    def bind_many(self, keys: Any, others: tuple[Any, ...]) -> tuple[Any, ...]:
        """The parameters of `many`."""
        at = self._keys_at
        return (*others[:at], keys, *others[at:]) if others else (keys,)


def _bound(value: Any, encode: Codec) -> Any:
    """A value as the driver binds it, in a form that can be compared."""
    bound: Any = value if encode is None or value is None else encode(value)
    return (*bound,) if isinstance(bound, list) else bound  # pyright: ignore[reportUnknownVariableType]


@dataclass(frozen=True, slots=True)
class NestedStatement:
    """The rows of a relation for many parents at once; the last column is the parent's key.

    Attributes:
        measured: whether the rows end with the first with which they are too large; the bytes so far are the column
            before the key.
    """

    statement: Statement
    decoder: Decoder
    measured: bool = False


class Listing:
    """The statements of one query, each written when it is first needed.

    Attributes:
        decoder: how a row becomes a document.
        places: for each value of the order its column in a row, and how it becomes part of a position.
    """

    def __init__(self, reads: Reads, query: Query) -> None:
        self._reads = reads
        self._query = query
        resource = reads.plan.by_name[query.resource]
        self.decoder = reads.codecs.decoder(resource, query.names, query.facts, query.relations)
        self.order = total_order(query.order)
        fields = [reads.plan.field_at(resource, entry.path) for entry in self.order]
        self._to_cursor = [reads.codecs.to_cursor(field) for field in fields]
        self._key = key_place(self.order)
        self._key_from_cursor = reads.codecs.from_cursor(fields[self._key])

    @cached_property
    def page(self) -> Statement:
        """The rows."""
        return self._reads.page(self._query, counted=False)

    @cached_property
    def counted(self) -> Statement:
        """The rows, and as the last column how many there are in all: one statement sees one state of the data."""
        return self._reads.page(self._query, counted=True)

    @cached_property
    def measured_page(self) -> Statement:
        """The rows up to the first with which they are too large, with their bytes so far as the last column."""
        return self._reads.page(self._query, counted=False, measured=True)

    @cached_property
    def measured_counted(self) -> Statement:
        """The same, with the number of all rows behind it."""
        return self._reads.page(self._query, counted=True, measured=True)

    @cached_property
    def count(self) -> Statement:
        """That number alone, for a page that has no row."""
        return self._reads.count(self._query)

    @cached_property
    def _places(self) -> tuple[int, ...]:
        return self._reads.places(self._query, self.order)

    def position(self, row: Any) -> Position:
        """The place in the list behind a row."""
        return self.position_of([row[place] for place in self._places])

    def position_of(self, values: Sequence[Any]) -> Position:
        """The same of the values of the order. Raises `ValueNotRepresentable`."""
        try:
            return tuple(
                [
                    value if codec is None or value is None else codec(value)
                    for value, codec in zip(values, self._to_cursor, strict=True)
                ]
            )
        except ValueError as error:
            places = ", ".join(".".join(entry.path) for entry in self.order)
            log = {"reason": f"a list of {self._query.resource} is sorted by {places}, one of which has no value here"}
            raise not_representable("sort", log) from error

    def key_of(self, position: Position) -> Any:
        """The key of the row that a position stands for, as it is bound."""
        value, codec = position[self._key], self._key_from_cursor
        return value if codec is None else codec(value)


class Reads(Builder):
    """Writes the statements that read a plan's rows."""

    # -- by key

    def point(self, query: Query) -> PointStatement:
        """One row by its key. A policy is checked on the row that was read, so the query has no condition."""
        assert query.where == ALL, "the values of a condition are not bound for reads by key"
        resource, table, one = self.begin(query.resource)
        key_field = resource.fields_by_name["id"]
        many = self.assembly()
        single = (
            select(*self._columns(query, resource, table, one))
            .select_from(table)
            .where(
                table.c.id == self.dialect.compared(one.named(KEY), key_field),
                *self.conditions.rows(resource, table, ALL, one),
            )
        )
        several = (
            select(*self._columns(query, resource, table, many), table.c.id)
            .select_from(table)
            .where(self.dialect.is_any_of(table.c.id, many.named(KEYS), key_field))
            .where(*self.conditions.rows(resource, table, ALL, many))
        )
        return PointStatement(
            one.statement(self._locked(single, query, table)),
            many.statement(several),
            self.codecs.decoder(resource, query.names, query.facts),
            self.codecs.encode(key_field),
            resource.key_storage in (None, "uuid"),
            bool(query.computed),
        )

    def place(self, query: Query) -> Statement:
        """The values of a query's order in one row."""
        resource, table, assembly = self.begin(query.resource)
        values = self.conditions.ordered_values(total_order(query.order), resource, table, assembly)
        key = self.dialect.compared(assembly.named(KEY), resource.fields_by_name["id"])
        found = select(*values.values()).select_from(table).where(table.c.id == key)
        return assembly.statement(found.where(*self.conditions.rows(resource, table, ALL, assembly)))

    def present(self, resource_name: str) -> Statement:
        """Which rows of an array of keys exist for this visibility; they stay until the transaction ends."""
        resource, table, assembly = self.begin(resource_name)
        keys = self.dialect.is_any_of(table.c.id, assembly.named(KEYS), resource.fields_by_name["id"])
        query = select(table.c.id).where(keys, *self.conditions.rows(resource, table, ALL, assembly))
        if resource.soft_delete and self.dialect.locks_rows:
            # FOR KEY SHARE: who deletes the row meanwhile waits for what is about to refer to it, or is waited for
            query = query.with_for_update(of=table, read=True, key_share=True)
        return assembly.statement(query)

    def facts(self, resource_name: str, facts: tuple[Fact, ...]) -> tuple[tuple[Fact, Statement, Codec], ...]:
        """For a row that is not stored yet: per fact behind a reference, the statement that follows it."""
        resource = self.plan.by_name[resource_name]
        found: list[tuple[Fact, Statement, Codec]] = []
        for fact in facts:
            path = begins_at(fact)
            if isinstance(fact, Through) or len(path) > 1:
                target, table, assembly = self.begin(str(resource.fields_by_name[path[0]].references))
                key = self.dialect.compared(assembly.named(KEY), target.fields_by_name["id"])
                rest = replace(fact, path=path[1:]) if isinstance(fact, Through) else path[1:]
                query = select(self.conditions.fact(rest, target, table, assembly)).where(
                    table.c.id == key, *self.conditions.rows(target, table, ALL, assembly)
                )
                found.append((fact, assembly.statement(query), self.codecs.decode_fact(resource, fact)))
        return tuple(found)

    # -- lists

    def page(self, query: Query, *, counted: bool, measured: bool = False) -> Statement:
        """The rows of a query; with `counted` the number of all that fit is the last column.

        Args:
            measured: whether they end with the first row with which they are too large (`_narrowed`).
        """
        resource, table, assembly = self.begin(query.resource)
        order = total_order(query.order)
        columns = self._columns(query, resource, table, assembly)
        values = self.conditions.ordered_values(order, resource, table, assembly)
        columns += [values[entry.path] for entry in order if not self._is_read(query, entry)]
        conditions = self._list_conditions(query, resource, table, assembly)
        if query.after is None or query.lock or self._is_one_range(order, resource):
            if query.after is not None:
                conditions.append(self._behind(order, query.after, resource, values, assembly))
            page: Any = select(*(_numbered(columns) if measured else columns)).select_from(table).where(*conditions)
            page = page.order_by(*self.conditions.order(order, resource, values))
        else:
            page = self._stretches(query, order, resource, table, columns, values, conditions, assembly)
        page = paged(page, query.limit, query.offset, assembly)
        if counted:
            total = self._counted(query, resource, assembly).scalar_subquery()
            page = page.add_columns(total.label("total") if measured else total)
        if not measured:
            return assembly.statement(self._locked(page, query, table))
        found = page.subquery("bounded")
        columns = [*found.c]
        ordering = {entry.path: columns[place] for entry, place in zip(order, self.places(query, order), strict=True)}
        by = self.conditions.order(order, resource, ordering)
        return assembly.statement(
            _narrowed(self.dialect, columns, query, resource, by, assembly, last=1 if counted else 0)
        )

    def count(self, query: Query) -> Statement:
        """How many rows fit."""
        assembly = self.assembly()
        return assembly.statement(self._counted(query, self.plan.by_name[query.resource], assembly))

    def places(self, query: Query, order: tuple[Order, ...]) -> tuple[int, ...]:
        """The columns of the rows of `page` in which the values of the order are."""
        last = len(query.names) + len(query.facts) + len(self.key_fields(query))
        places: list[int] = []
        for entry in order:
            if self._is_read(query, entry):
                places.append(query.fields.index(entry.path[0]))
            else:  # read behind the rest, because a client may not see it, or has not asked for it
                places.append(last)
                last += 1
        return tuple(places)

    def _is_read(self, query: Query, entry: Order) -> bool:
        """Whether a value of the order is read as a field; of an enum with an order its rank is."""
        name = entry.path[0]
        return len(entry.path) == 1 and name in query.fields and not self._field(query, name).ranks

    def _field(self, query: Query, name: str) -> FieldPlan:
        return self.plan.by_name[query.resource].fields_by_name[name]

    def key_fields(self, query: Query) -> tuple[str, ...]:
        """The fields that relations compare with; read behind the facts, because a client may not see them."""
        relations = self.plan.by_name[query.resource].relations_by_name
        return tuple(dict.fromkeys(relations[nested.relation].local_field for nested in query.relations))

    def _counted(self, query: Query, resource: ResourcePlan, assembly: Assembly) -> Any:
        table = self.schema.tables[resource.name]
        conditions = self._list_conditions(query, resource, table, assembly)
        return select(func.count()).select_from(table).where(*conditions)

    def _list_conditions(
        self, query: Query, resource: ResourcePlan, table: Any, assembly: Assembly
    ) -> list[ColumnElement[bool]]:
        if query.distinct:
            return [table.c.id.in_(self._firsts(query, resource, assembly))]
        return self.conditions.rows(resource, table, query.where, assembly)

    def _firsts(self, query: Query, resource: ResourcePlan, assembly: Assembly) -> Any:
        """The ids of the first row for each combination of the distinct fields."""
        other: Any = assembly.alias(self.schema.tables[resource.name])
        order = total_order(query.order)
        values = self.conditions.ordered_values(order, resource, other, assembly)
        rank = func.row_number().over(
            partition_by=[other.c[name] for name in query.distinct],
            order_by=self.conditions.order(order, resource, values),
        )
        ranked = (
            select(other.c.id.label("c0"), rank.label("c1"))
            .where(*self.conditions.rows(resource, other, query.where, assembly))
            .subquery("ranked")
        )
        return select(ranked.c.c0).where(ranked.c.c1 == constant("1"))

    def _locked(self, found: Any, query: Query, table: FromClause) -> Any:
        # FOR NO KEY UPDATE: a row that is being changed can still be referred to by new ones
        return found.with_for_update(of=table, key_share=True) if query.lock and self.dialect.locks_rows else found

    # -- behind a position

    def _is_one_range(self, order: tuple[Order, ...], resource: ResourcePlan) -> bool:
        """Whether what is behind a position is one comparison of rows: one direction, and no value may be null. With a
        rank SQLite would not read that from an index, which it does for each part by itself."""
        return len({entry.descending for entry in order}) == 1 and not any(
            self.conditions.nullable(entry.path, resource) or self.plan.field_at(resource, entry.path).ranks
            for entry in order
        )

    def _behind(
        self,
        order: tuple[Order, ...],
        nulls: tuple[bool, ...],
        resource: ResourcePlan,
        values: Mapping[Path, ColumnElement[Any]],
        assembly: Assembly,
    ) -> ColumnElement[bool]:
        """The condition for the rows behind a position."""
        if not self._is_one_range(order, resource):
            return or_(*(and_(*part) for _, part in self._ranges(order, nulls, resource, values, assembly)))
        left = [values[entry.path] for entry in order]
        right = [self._place(index, entry, resource, assembly) for index, entry in enumerate(order)]
        compare = operator.lt if order[0].descending else operator.gt
        return compare(left[0], right[0]) if len(order) == 1 else compare(tuple_(*left), tuple_(*right))

    def _stretches(
        self,
        query: Query,
        order: tuple[Order, ...],
        resource: ResourcePlan,
        table: Any,
        columns: list[ColumnElement[Any]],
        values: Mapping[Path, ColumnElement[Any]],
        conditions: list[ColumnElement[bool]],
        assembly: Assembly,
    ) -> Any:
        """The rows behind a position, taken apart into stretches that are each one range of an index.

        Those are the rows that are equal in all but the last value, then those equal in all but the last two, and so
        on. One `OR` over them would be read from the first row on.
        """
        assert query.after is not None, "there is a position"
        stretches: list[Any] = []
        for at, part in self._ranges(order, query.after, resource, values, assembly):
            # in the value where a stretch begins it holds nulls alone, or none: so that index order is its order
            value = values[order[at].path]
            first = value.desc() if order[at].descending else value.asc()
            later = self.conditions.order(order[at + 1 :], resource, values)
            chosen = select(*_numbered([*columns, *values.values()])).select_from(table).where(*conditions, *part)
            stretches.append(self._ahead(chosen.order_by(first, *later), query, assembly))
        parts = [select(*stretch.subquery(f"part{index}").c) for index, stretch in enumerate(stretches)]
        rest = union_all(*parts).subquery("rest")
        ordering = {path: rest.c[f"c{len(columns) + index}"] for index, path in enumerate(values)}
        found = [rest.c[f"c{index}"] for index in range(len(columns))]
        return select(*found).order_by(*self.conditions.order(order, resource, ordering))

    def _ahead(self, stretch: Any, query: Query, assembly: Assembly) -> Any:
        """No stretch gives more rows than the page and what it leaves out before."""
        if query.limit is None:
            return stretch
        most: Any = assembly.slot(query.limit)
        if query.offset is not None:
            most = _whole(most) + assembly.slot(query.offset)
        return stretch.limit(most).offset(constant("0"))

    def _ranges(
        self,
        order: tuple[Order, ...],
        nulls: tuple[bool, ...],
        resource: ResourcePlan,
        values: Mapping[Path, ColumnElement[Any]],
        assembly: Assembly,
    ) -> Generator[tuple[int, list[ColumnElement[bool]]]]:
        """The stretches behind a position, nearest first, each with the place of the value where it begins."""
        for at in reversed(range(len(order))):
            entry = order[at]
            equal: list[ColumnElement[bool]] = [
                values[before.path].is_(None)
                if null
                else values[before.path] == self._place(index, before, resource, assembly)
                for index, (before, null) in enumerate(zip(order[:at], nulls[:at], strict=True))
            ]
            value = values[entry.path]
            if nulls[at]:
                if entry.nulls_first:
                    yield at, [*equal, value.is_not(None)]
                continue
            place = self._place(at, entry, resource, assembly)
            yield at, [*equal, value < place if entry.descending else value > place]
            if self.conditions.nullable(entry.path, resource) and not entry.nulls_first:
                yield at, [*equal, value.is_(None)]

    def _place(self, index: int, entry: Order, resource: ResourcePlan, assembly: Assembly) -> Any:
        """One value of the position."""
        field = self.plan.field_at(resource, entry.path)
        return assembly.named(f"{POSITION}{index}", self.codecs.from_cursor(field))

    # -- relations

    def nested(self, resource_name: str, nested: Nested) -> NestedStatement:
        """The rows of a relation for the keys of many parents."""
        parent, query = self.plan.by_name[resource_name], nested.query
        relation = parent.relations_by_name[nested.relation]
        target, table, assembly = self.begin(relation.target)
        source, key, key_field = self._parents(parent, relation, target, table)
        chosen = [*self._columns(query, target, table, assembly), key]
        conditions = (
            self.dialect.is_any_of(key, assembly.named(KEYS), key_field),
            *self.conditions.rows(target, table, query.where, assembly),
        )
        decoder = self.codecs.decoder(target, query.names, query.facts, query.relations)
        wide = decoder.row_bytes_max > WIDE_ROW_BYTES
        if relation.kind == "one":
            found = select(*(_numbered(chosen) if wide else chosen)).select_from(source).where(*conditions)
            found = self._bounded(found, assembly)
            if wide:
                columns = [*found.subquery("bounded").c]
                found = _narrowed(self.dialect, columns, query, target, columns[-1:], assembly, last=1)
            return NestedStatement(assembly.statement(found), decoder, wide)
        order = self._nested_order(relation, query, target, table, assembly)
        if nested.most is None and query.limit is None and query.offset is None:
            found = select(*chosen).select_from(source).where(*conditions).order_by(key, *order)
            return NestedStatement(assembly.statement(self._bounded(found, assembly)), decoder)
        # No parent gets more rows than the contract, or who asks, allows.
        rank = func.row_number().over(partition_by=key, order_by=order).label("rank")
        ranked = select(*_numbered(chosen), rank).select_from(source).where(*conditions).subquery("ranked")
        *visible, position = ranked.c
        page = select(*visible).where(*self._ranks(nested, position, assembly))
        if not wide:
            page = self._bounded(page.order_by(visible[-1], position), assembly)
            return NestedStatement(assembly.statement(page), decoder)
        page = self._bounded(page.add_columns(position).order_by(visible[-1], position), assembly)
        *columns, position = page.subquery("bounded").c
        by = [columns[-1], position]
        columns = _emptied(columns, nested, target, position, assembly)
        return NestedStatement(
            assembly.statement(_narrowed(self.dialect, columns, query, target, by, assembly, last=1)), decoder, wide
        )

    def _bounded(self, found: Any, assembly: Assembly) -> Any:
        """No more rows than an answer may hold, whatever is asked for."""
        return found.limit(assembly.named(ROWS)).offset(constant("0"))

    def _parents(
        self, parent: ResourcePlan, relation: RelationPlan, target: ResourcePlan, table: Any
    ) -> tuple[Any, Any, FieldPlan]:
        """Where the rows of a relation come from, and their parent's key."""
        if relation.kind != "linked":
            return table, table.c[relation.remote_field], target.fields_by_name[relation.remote_field]
        link = self.schema.links[str(relation.link_table)]
        source = table.join(link, table.c.id == link.c[str(relation.link_remote)])
        return source, link.c[str(relation.link_local)], parent.fields_by_name["id"]

    def _nested_order(
        self, relation: RelationPlan, query: Query, target: ResourcePlan, table: Any, assembly: Assembly
    ) -> list[ColumnElement[Any]]:
        if not query.order and relation.kind == "owned" and target.position_column:
            return [table.c[target.position_column]]
        order = total_order(query.order or (ordered("id", False),))
        return self.conditions.order(order, target, self.conditions.ordered_values(order, target, table, assembly))

    def _ranks(self, nested: Nested, rank: Any, assembly: Assembly) -> list[ColumnElement[bool]]:
        query = nested.query
        least: Any = None if query.offset is None else assembly.slot(query.offset)
        found: list[ColumnElement[bool]] = [] if least is None else [rank > least]
        if query.limit is not None:
            most: Any = assembly.slot(query.limit)
            most = most if nested.most is None else most + constant("1")  # one more tells that there are more
        elif nested.most is not None:
            most = constant(str(nested.most + 1))
        else:
            return found
        return [*found, rank <= (most if least is None else _whole(least) + most)]

    # -- parts

    def _columns(
        self, query: Query, resource: ResourcePlan, table: FromClause, assembly: Assembly
    ) -> list[ColumnElement[Any]]:
        computed = [of_list(self.conditions, each, resource, table, assembly) for each in query.computed]
        facts = [self.conditions.fact(fact, resource, table, assembly) for fact in query.facts]
        keys = [table.c[name] for name in self.key_fields(query)]
        return [*(table.c[name] for name in query.fields), *computed, *facts, *keys]


def _narrowed(
    dialect: Dialect,
    columns: Sequence[Any],
    query: Query,
    target: ResourcePlan,
    order: Sequence[Any],
    assembly: Assembly,
    *,
    last: int,
) -> Any:
    """Rows up to the first with which they have more bytes than an answer may have, in order: enough to tell that
    it would be too large. The bytes up to each row are a column.

    Args:
        columns: of a subquery; the fields of the query are the first.
        last: how many columns come behind that of the bytes.
    """
    texts = [
        func.coalesce(dialect.least_bytes(column, target.shown_by_name[name]), constant("0"))
        for column, name in zip(columns, query.names, strict=False)
        if _is_text(target.shown_by_name[name])
    ]
    size: Any = sum(texts, start=constant("0"))
    running = func.sum(size).over(order_by=order, rows=(None, 0))
    place = func.row_number().over(order_by=order)
    *visible, running, size, place = (
        select(*_numbered(columns), running.label("running"), size.label("size"), place.label("place"))
        .subquery("summed")
        .c
    )
    shown = [*visible[: len(visible) - last], running, *visible[len(visible) - last :]]
    return select(*shown).where(running - size <= _whole(assembly.named(BYTES))).order_by(place)


def _emptied(columns: Sequence[Any], nested: Nested, target: ResourcePlan, rank: Any, assembly: Assembly) -> list[Any]:
    """The columns without the texts of the row that only tells that a parent has more: it is no part of the answer,
    and does not count."""
    query = nested.query
    if nested.most is None:
        return [*columns]
    most: Any = constant(str(nested.most)) if query.limit is None else assembly.slot(query.limit)
    if query.offset is not None:
        most = _whole(most) + assembly.slot(query.offset)
    names = [*query.names, *[None] * (len(columns) - len(query.names))]
    return [
        case((rank <= most, column)) if name is not None and _is_text(target.shown_by_name[name]) else column
        for column, name in zip(columns, names, strict=True)
    ]


def _whole(number: Any) -> ColumnElement[Any]:
    """A parameter as a whole number: PostgreSQL does not add two parameters of which it knows nothing."""
    return cast(number, ColumnType("BIGINT"))


def _is_text(field: FieldPlan) -> bool:
    """Whether a value of a field may be long."""
    return field.kind == "json" or KINDS[field.kind].free_text


def _numbered(columns: Sequence[Any]) -> list[Any]:
    """Columns of a subquery under names of our own: those of tables may be equal."""
    return [column.label(f"c{index}") for index, column in enumerate(columns)]
