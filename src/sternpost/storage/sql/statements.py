"""Builds each statement once per shape, with SQLAlchemy Core as the compiler; afterwards it is text and a list of names."""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    union_all,
    update,
)

from sternpost.ids import encode
from sternpost.plan.model import FieldPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import COMPARE, Path
from sternpost.ports.storage import (
    NO_TENANT,
    Condition,
    Document,
    Include,
    ListShape,
    Position,
    Scope,
    View,
    whole_order,
)
from sternpost.storage.sql.dialect import Codec, Dialect, Statement, compile_statement
from sternpost.storage.sql.keys import Keys
from sternpost.storage.sql.policy import PolicySql
from sternpost.storage.sql.schema import DELETED, Schema, alive

TENANT = "tenant"

CACHE_MAX = 2048
"""Shapes kept; a client can choose combinations of filters and sorts, so there must be a bound."""

_START: ColumnElement[int] = literal_column("0")
"""Written out where there is no offset: SQLAlchemy would bind one for SQLite."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Makes a document of a row: JSON names, and for each value its conversion (or None)."""

    names: tuple[str, ...]
    codecs: tuple[Codec, ...]
    facts: tuple[Path, ...]
    fact_codecs: tuple[Codec, ...]
    _coded: tuple[tuple[str, Callable[[Any], Any]], ...] = field(init=False)

    def __post_init__(self) -> None:
        coded = ((name, codec) for name, codec in zip(self.names, self.codecs, strict=True) if codec is not None)
        object.__setattr__(self, "_coded", tuple(coded))

    def document(self, row: Any) -> Document:
        # zip stops at the shortest: the columns behind the view's own are facts and keys
        document: Document = dict(zip(self.names, row, strict=False))
        for name, codec in self._coded:
            value = document[name]
            if value is not None:
                document[name] = codec(value)
        return document

    def facts_of(self, row: Any) -> dict[Path, Any]:
        if not self.facts:
            return {}
        start = len(self.names)
        return {
            path: value if codec is None or value is None else codec(value)
            for path, codec, value in zip(self.facts, self.fact_codecs, row[start:], strict=False)
        }


@dataclass(frozen=True, slots=True)
class PointStatement:
    """A read by key, in two forms: for one key (`id`), and for an array of them (`ids`), with the key as the last column."""

    one: Statement
    many: Statement
    decoder: Decoder
    key: Codec = None
    """From the digits of an id to the key, where a database that was there before has others."""
    uuid_keys: bool = True

    def others(self, values: dict[str, Any]) -> tuple[Any, ...]:
        """The values of the parameters of `many` beside the keys: reads that agree in them can be sent together."""
        names = self.many.parameters
        return () if len(names) == 1 else tuple([values[name] for name in names if name != "ids"])

    def bind_many(self, keys: Any, others: tuple[Any, ...]) -> tuple[Any, ...]:
        """The parameters of `many`."""
        at = self.many.parameters.index("ids")
        return (*others[:at], keys, *others[at:])


@dataclass(frozen=True, slots=True)
class Listing:
    """The statements of one list shape.

    Attributes:
        counted: a page whose last column is the number of rows in all: one statement sees one state of the data.
        page: the same without it.
        count: that number alone, for a page that has no row.
        places: for each column of the order its place in a row, and how its value becomes part of a position.
        after: for each column of the order the parameter for its value in a position, and how that is bound.
    """

    counted: Statement
    page: Statement
    count: Statement
    decoder: Decoder
    places: tuple[tuple[int, Codec], ...]
    after: tuple[tuple[str, Codec], ...]

    def position(self, row: Any) -> Position:
        """The place in the list behind a row."""
        return tuple(
            [row[place] if codec is None or row[place] is None else codec(row[place]) for place, codec in self.places]
        )


class Statements:
    """All statements of a plan in one dialect, built on first use and kept."""

    def __init__(self, plan: Plan, dialect: Dialect, key_secret: bytes | None = None, scope: Scope = NO_TENANT) -> None:
        self.plan = plan
        self.dialect = dialect = dialect.external if plan.external else dialect
        self._key_secret = key_secret
        self._scope = scope
        self._base = self
        self._variants: dict[tuple[bool, bool], Statements] = {}
        self.schema = Schema(plan, dialect)
        self.policy = PolicySql(self.schema, dialect, self.standing)
        self.keys = Keys(plan, key_secret)
        self.encoders: dict[str, dict[str, Codec]] = {
            resource.name: {field.name: self._encoder(field) for field in resource.fields}
            for resource in plan.resources
        }
        self.hidden_keys = {
            resource.name: {
                field.name: self.keys.by_resource[field.references].nowhere
                for field in resource.fields
                if field.references in self.keys.by_resource
            }
            for resource in plan.resources
        }
        self.checked_references = {
            resource.name: tuple(
                field for field in plan.checked_references(resource) if self.guards(str(field.references))
            )
            for resource in plan.resources
        }
        """The references whose rows the database's own check would take from every tenant, and from those deleted."""
        self.tenant_kinds = tuple(
            sorted(
                {
                    _tenant_kind(resource.fields_by_name[resource.tenant])
                    for resource in plan.resources
                    if resource.tenant
                }
            )
        )
        """The forms in which statements ask for the tenant; a parameter each."""
        self._keeps_deleted = any(resource.soft_delete for resource in plan.resources)
        self._cache: dict[Hashable, Any] = {}

    def of(self, scope: Scope) -> Statements:
        """These, or those that ask for no tenant, or find deleted rows, too."""
        if not (scope.every or scope.deleted):
            return self._base
        variant = (scope.every and bool(self.tenant_kinds), scope.deleted and self._keeps_deleted)
        if variant == (False, False):
            return self._base
        found = self._base._variants.get(variant)
        if found is None:
            found = Statements(self.plan, self.dialect, self._key_secret, Scope(every=variant[0], deleted=variant[1]))
            found._base = self._base
            self._base._variants[variant] = found
        return found

    def guards(self, resource: str) -> bool:
        """Whether some rows of a resource are as if they did not exist."""
        return bool(self._standing_of(resource, self.schema.tables[resource]))

    # -- reading

    def get(self, view: View, *, lock: bool) -> PointStatement:
        """One row by its id."""
        found: PointStatement | None = self._cache.get(("get", view, lock))
        return found or self._cached(("get", view, lock), lambda: self._get(view, lock))

    def listing(self, shape: ListShape) -> Listing:
        """A page of a list, and its count."""
        return self._cached(("list", shape), lambda: self._listing(shape))

    def included(self, resource: str, include: Include) -> tuple[Statement, Decoder]:
        """The rows of a relation for many parents at once; the last column is the parent's key."""
        return self._cached(("include", resource, include), lambda: self._included(resource, include))

    def facts(self, resource: str, paths: tuple[Path, ...]) -> tuple[tuple[Path, Statement, Codec], ...]:
        """For a row that is not stored yet: per path with a reference, the statement that follows it."""
        return self._cached(("facts", resource, paths), lambda: self._facts(resource, paths))

    # -- writing

    def insert(self, view: View, names: tuple[str, ...]) -> tuple[Statement, Decoder]:
        return self._cached(("insert", view, names), lambda: self._insert(view, names))

    def update(
        self, view: View, names: tuple[str, ...], state: tuple[str, tuple[str, ...]] | None
    ) -> tuple[Statement, Decoder]:
        return self._cached(("update", view, names, state), lambda: self._update(view, names, state))

    def delete(self, resource: str) -> Statement:
        table = self.schema.tables[resource]
        return self._cached(
            ("delete", resource),
            lambda: self._compile(
                delete(table).where(self._is(resource, table, "id"), *self._standing_of(resource, table))
            ),
        )

    # -- removing with care, by arrays of keys; see `sternpost.storage.sql.removal`

    def lock(self, resource: str) -> Statement:
        """Those of an array of keys (`ids`) that are there, kept from new references until the transaction ends."""
        return self._cached(("lock", resource), lambda: self._lock(resource))

    def remove(self, resource: str) -> Statement:
        """Removes an array of rows (`ids`), or marks them as deleted (`at`)."""
        return self._cached(("remove", resource), lambda: self._remove(resource))

    def referring(self, resource: str, field: str) -> Statement:
        """The keys of the rows that refer to one of an array of keys (`ids`)."""
        return self._cached(("referring", resource, field), lambda: self._referring(resource, field))

    def let_go(self, resource: str, field: str) -> Statement:
        """Sets a reference to null where it points at one of an array of keys (`ids`); changed `at`."""
        return self._cached(("let go", resource, field), lambda: self._let_go(resource, field))

    def deleted(self, resource: str) -> Statement:
        """Of a row by its key (`id`), deleted or not: when it was deleted, and what it refers to."""
        return self._cached(("deleted", resource), lambda: self._deleted(resource))

    def bring_back(self, resource: str) -> Statement:
        """Makes a row (`id`) one that is not deleted."""
        return self._cached(("bring back", resource), lambda: self._bring_back(resource))

    def deleted_along(self, resource: str, field: str) -> Statement:
        """The keys of the rows that refer to a row (`id`) and were deleted at one instant (`at`)."""
        return self._cached(("deleted along", resource, field), lambda: self._deleted_along(resource, field))

    def delete_owned(self, relation: RelationPlan) -> Statement:
        table = self.schema.tables[relation.target]
        return self._cached(
            ("delete owned", relation.target, relation.remote_field),
            lambda: self._compile(
                delete(table).where(
                    table.c[relation.remote_field] == self._parameter("parent", relation.target, relation.remote_field),
                    *self._standing_of(relation.target, table),
                )
            ),
        )

    def present(self, resource: str) -> Statement:
        """Which rows of an array of keys there are for this scope."""
        return self._cached(("present", resource), lambda: self._present(resource))

    def delete_links(self, relation: RelationPlan) -> Statement:
        table = self.schema.links[str(relation.link_table)]
        return self._cached(
            ("delete links", relation.link_table, relation.link_local),
            lambda: self._compile(
                delete(table).where(
                    table.c[str(relation.link_local)] == bindparam("parent"), *self.linked_standing(relation, table)
                )
            ),
        )

    def linked_standing(self, relation: RelationPlan, link: FromClause) -> list[ColumnElement[bool]]:
        """The same as `standing` for the pairs of a relation: those whose other side there is for this scope."""
        target, table = self._of(relation.target)
        standing = self.standing(target, table)
        return [link.c[str(relation.link_remote)].in_(select(table.c.id).where(*standing))] if standing else []

    def insert_link(self, relation: RelationPlan) -> Statement:
        table = self.schema.links[str(relation.link_table)]
        values: dict[str, Any] = {
            str(relation.link_local): bindparam("parent"),
            str(relation.link_remote): bindparam("target"),
        }
        return self._cached(
            ("insert link", relation.link_table, relation.link_local),
            lambda: self._compile(insert(table).values(values)),
        )

    def increment(self, resource: str, name: str, *, guarded: bool) -> Statement:
        return self._cached(("increment", resource, name, guarded), lambda: self._increment(resource, name, guarded))

    # -- for the data client, whose statements are built in a file of their own

    def cached(self, key: Hashable, build: Any) -> Any:
        """What was kept under a key, or what `build` makes now."""
        return self._cached(key, build)

    def compile(self, element: Any) -> Statement:
        """A SQLAlchemy element as text."""
        return self._compile(element)

    # -- how each is made

    def _cached(self, key: Hashable, build: Any) -> Any:
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHE_MAX:
                del self._cache[next(iter(self._cache))]
            found = self._cache[key] = build()
        return found

    def _compile(self, element: Any) -> Statement:
        return compile_statement(element, self.dialect)

    def _get(self, view: View, lock: bool) -> PointStatement:
        resource, table = self._of(view.resource)
        standing = self.standing(resource, table)
        one = self._select(view, resource, table).where(self._is(resource.name, table, "id"), *standing)
        if lock and self.dialect.locks_rows:
            # FOR NO KEY UPDATE: a row that is being changed can still be referred to by new ones
            one = one.with_for_update(of=table, key_share=True)
        many = (
            select(*self._columns(view, resource, table), table.c.id.label("key_id"))
            .select_from(table)
            .where(self.dialect.is_any_of(table.c.id, bindparam("ids"), resource.fields_by_name["id"]), *standing)
        )
        return PointStatement(
            self._compile(one),
            self._compile(many),
            self.decoder(view),
            self.encoders[resource.name]["id"],
            resource.key_storage in (None, "uuid"),
        )

    def _listing(self, shape: ListShape) -> Listing:
        resource, table = self._of(shape.view.resource)
        conditions = self._list_conditions(shape, resource, table)
        columns = self._columns(shape.view, resource, table)
        places: list[int] = []
        for name, _ in shape.order:
            if name in shape.view.fields:
                places.append(shape.view.fields.index(name))
            else:  # read behind the rest, because a client may not see it, or has not asked for it
                places.append(len(columns))
                columns.append(table.c[name].label(f"order_{name}"))
        if shape.after is None:
            page = select(*columns).select_from(table).order_by(*self._order(shape.order, resource, table.c))
            page = (
                (page.where(*conditions) if conditions else page).limit(bindparam("limit")).offset(bindparam("offset"))
            )
        else:
            page = self._behind(shape, shape.after, columns, places, conditions)
        count = select(func.count()).select_from(table)
        if conditions:
            count = count.where(and_(*conditions))
        counted = page.add_columns(count.scalar_subquery().label("total"))
        fields = [resource.fields_by_name[name] for name, _ in shape.order]
        return Listing(
            self._compile(counted),
            self._compile(page),
            self._compile(count),
            self.decoder(shape.view),
            tuple(zip(places, (self._mark(field) for field in fields), strict=True)),
            tuple((f"after_{name}", self._unmark(resource.fields_by_name[name])) for name, _ in shape.order),
        )

    def _list_conditions(
        self, shape: ListShape, resource: ResourcePlan, table: FromClause
    ) -> list[ColumnElement[bool]]:
        conditions = self.standing(resource, table)
        conditions += [
            self._filter(index, condition, resource, table) for index, condition in enumerate(shape.conditions)
        ]
        if shape.policy is not None:
            conditions.append(self.policy.condition(shape.policy, resource, table))
        if shape.parent is not None:
            conditions.append(self._under_parent(shape.parent, table))
        return conditions

    def _order(self, order: tuple[tuple[str, bool], ...], resource: ResourcePlan, columns: Any) -> list[Any]:
        """ORDER BY. Nulls count as greater than every value."""
        terms: list[Any] = []
        for name, descending in order:
            term = columns[name].desc() if descending else columns[name].asc()
            if resource.fields_by_name[name].nullable:
                term = term.nulls_first() if descending else term.nulls_last()
            terms.append(term)
        return terms

    def _behind(
        self,
        shape: ListShape,
        nulls: tuple[bool, ...],
        columns: list[ColumnElement[Any]],
        places: list[int],
        conditions: list[ColumnElement[bool]],
    ) -> Select[Any]:
        """The rows behind a position.

        Where all of the order points in one direction and no column may be null, this is one comparison of rows, which is
        one range of an index. Else the rest of the list is taken apart into stretches that are each one range: the rows
        that are equal in all but the last column, then those equal in all but the last two, and so on. One `OR` over them
        would be read from the first row on.
        """
        resource, table = self._of(shape.view.resource)
        order, limit = shape.order, _parameter("limit")
        simple = len({descending for _, descending in order}) == 1 and not any(
            resource.fields_by_name[name].nullable for name, _ in order
        )
        if simple:
            left, right = [table.c[name] for name, _ in order], [_parameter(f"after_{name}") for name, _ in order]
            compare = operator.lt if order[0][1] else operator.gt
            behind = compare(left[0], right[0]) if len(order) == 1 else compare(tuple_(*left), tuple_(*right))
            page = select(*columns).select_from(table).where(*conditions, behind)
            return page.order_by(*self._order(order, resource, table.c)).limit(limit).offset(_START)
        ordering = dict(zip((name for name, _ in order), places, strict=True))
        stretches: list[Select[Any]] = []
        for at, stretch in self._stretches(order, nulls, resource, table):
            # in the column where a stretch begins it holds nulls alone, or none: so that index order is its order
            first = table.c[order[at][0]].desc() if order[at][1] else table.c[order[at][0]].asc()
            part = select(*columns).select_from(table).where(*conditions, *stretch)
            stretches.append(
                part.order_by(first, *self._order(order[at + 1 :], resource, table.c)).limit(limit).offset(_START)
            )
        if len(stretches) == 1:
            return stretches[0]
        parts = [select(*stretch.subquery(f"part_{index}").c) for index, stretch in enumerate(stretches)]
        rest = union_all(*parts).subquery("rest")
        found = list(rest.c)
        return (
            select(*found)
            .order_by(*self._order(order, resource, {name: found[place] for name, place in ordering.items()}))
            .limit(limit)
            .offset(_START)
        )

    def _stretches(
        self, order: tuple[tuple[str, bool], ...], nulls: tuple[bool, ...], resource: ResourcePlan, table: FromClause
    ) -> Generator[tuple[int, list[ColumnElement[bool]]]]:
        """The stretches behind a position, nearest first, each with the place of the column where it begins."""
        for at in reversed(range(len(order))):
            name, descending = order[at]
            equal: list[ColumnElement[bool]] = [
                table.c[before].is_(None) if null else table.c[before] == bindparam(f"after_{before}")
                for (before, _), null in zip(order[:at], nulls[:at], strict=True)
            ]
            column, value = table.c[name], _parameter(f"after_{name}")
            if nulls[at]:
                if descending:
                    yield at, [*equal, column.is_not(None)]
                continue
            yield at, [*equal, column < value if descending else column > value]
            if resource.fields_by_name[name].nullable and not descending:
                yield at, [*equal, column.is_(None)]

    def _included(self, resource_name: str, include: Include) -> tuple[Statement, Decoder]:
        relation = self.plan.by_name[resource_name].relations_by_name[include.relation]
        target, table = self._of(relation.target)
        keys: BindParameter[Any] = bindparam("keys")
        if relation.kind == "linked":
            link = self.schema.links[str(relation.link_table)]
            parent, source = (
                link.c[str(relation.link_local)],
                table.join(link, table.c.id == link.c[str(relation.link_remote)]),
            )
            key_field = self.plan.by_name[resource_name].fields_by_name["id"]
        else:
            parent, source = table.c[relation.remote_field], table
            key_field = target.fields_by_name[relation.remote_field]
        columns = self._columns(include.view, target, table)
        conditions: list[ColumnElement[bool]] = [self.dialect.is_any_of(parent, keys, key_field)]
        conditions += self.standing(target, table)
        conditions += [
            self._filter(index, condition, target, table) for index, condition in enumerate(include.conditions)
        ]
        if include.policy is not None:
            conditions.append(self.policy.condition(include.policy, target, table))
        order: list[Any]
        if include.sort:
            order = self._order(whole_order(include.sort), target, table.c)
        elif relation.kind == "owned" and target.position_column:
            order = [table.c[target.position_column]]
        else:
            order = [table.c.id]
        query: Select[Any] = select(*columns, parent.label("parent_key")).select_from(source).where(and_(*conditions))
        if relation.kind == "one":
            return self._compile(query), self.decoder(include.view)
        if relation.kind == "owned" and not include.limited:
            return self._compile(query.order_by(parent, *order)), self.decoder(include.view)
        # No parent gets more rows than the contract, or the client, allows; one more is read to know that there are more.
        most: ColumnElement[Any] = (
            _parameter("most") if include.limited else literal_column(str(relation.max_items + 1))
        )
        ranked = query.add_columns(func.row_number().over(partition_by=parent, order_by=order).label("rank"))
        *visible, rank = ranked.subquery("ranked").c
        limited = select(*visible).where(rank <= most).order_by(visible[-1], rank)
        return self._compile(limited), self.decoder(include.view)

    def _facts(self, resource_name: str, paths: tuple[Path, ...]) -> tuple[tuple[Path, Statement, Codec], ...]:
        resource = self.plan.by_name[resource_name]
        found: list[tuple[Path, Statement, Codec]] = []
        for path in paths:
            if len(path) > 1:
                target, table = self._of(str(resource.fields_by_name[path[0]].references))
                query = select(self.policy.value(path[1:], target, table)).where(
                    self._is(target.name, table, "id"), *self.standing(target, table)
                )
                found.append((path, self._compile(query), self._fact_codec(resource, path)))
        return tuple(found)

    def _insert(self, view: View, names: tuple[str, ...]) -> tuple[Statement, Decoder]:
        resource, table = self._of(view.resource)
        query = (
            insert(table)
            .values({name: bindparam(name) for name in names})
            .returning(*self._columns(view, resource, table))
        )
        return self._compile(query), self.decoder(view)

    def _update(
        self, view: View, names: tuple[str, ...], state: tuple[str, tuple[str, ...]] | None
    ) -> tuple[Statement, Decoder]:
        resource, table = self._of(view.resource)
        query = (
            update(table)
            .where(self._is(resource.name, table, "key"), *self.standing(resource, table))
            .values(self.counted(resource, table, {name: bindparam(name) for name in names}))
        )
        if state is not None:
            field, allowed = state
            query = query.where(
                table.c[field].in_([literal_column("'" + value.replace("'", "''") + "'") for value in allowed])
            )
        return self._compile(query.returning(*self._columns(view, resource, table))), self.decoder(view)

    def _increment(self, resource_name: str, name: str, guarded: bool) -> Statement:
        resource, table = self._of(resource_name)
        column: Any = table.c[name]
        query = (
            update(table)
            .where(self._is(resource_name, table, "id"), *self._standing_of(resource_name, table))
            .values(self.counted(resource, table, {name: column + bindparam("by")}))
        )
        if guarded:
            query = query.where(column + bindparam("by") >= bindparam("at_least"))
        return self._compile(query.returning(table.c.id))

    def _lock(self, resource_name: str) -> Statement:
        resource, table = self._of(resource_name)
        query = select(table.c.id).where(self._among(table.c.id, resource, "id"), *self.standing(resource, table))
        return self._compile(query.with_for_update(of=table) if self.dialect.locks_rows else query)

    def _remove(self, resource_name: str) -> Statement:
        resource, table = self._of(resource_name)
        wanted = (self._among(table.c.id, resource, "id"), *self.standing(resource, table))
        if not resource.soft_delete:
            return self._compile(delete(table).where(*wanted))
        changes = self.counted(resource, table, {DELETED: bindparam("at")})
        return self._compile(update(table).where(*wanted).values(changes))

    def _referring(self, resource_name: str, name: str) -> Statement:
        resource, table = self._of(resource_name)
        wanted = (self._among(table.c[name], resource, name), *self.standing(resource, table))
        return self._compile(select(table.c.id).where(*wanted))

    def _let_go(self, resource_name: str, name: str) -> Statement:
        resource, table = self._of(resource_name)
        nothing: ColumnElement[Any] = literal_column("NULL")
        changes: dict[str, Any] = {name: nothing}
        changes |= {field.name: bindparam("at") for field in resource.fields if field.generated == "updated"}
        changes = self.counted(resource, table, changes)
        return self._compile(update(table).where(self._among(table.c[name], resource, name)).values(changes))

    def _deleted(self, resource_name: str) -> Statement:
        resource, table = self._of(resource_name)
        references = self.plan.checked_references(resource)
        columns = [table.c[DELETED], *(table.c[field.name] for field in references)]
        query = select(*columns).where(self._is(resource_name, table, "id"), *self.standing(resource, table))
        return self._compile(query.with_for_update(of=table) if self.dialect.locks_rows else query)

    def _bring_back(self, resource_name: str) -> Statement:
        resource, table = self._of(resource_name)
        nothing: ColumnElement[Any] = literal_column("NULL")
        changes = self.counted(resource, table, {DELETED: nothing})
        return self._compile(update(table).where(self._is(resource_name, table, "id")).values(changes))

    def _deleted_along(self, resource_name: str, name: str) -> Statement:
        resource, table = self._of(resource_name)
        target = str(resource.fields_by_name[name].references)
        referring = table.c[name] == self._parameter("id", target, "id")
        at = self._parameter("at", resource_name, DELETED)
        return self._compile(select(table.c.id).where(referring, table.c[DELETED] == at))

    # -- parts

    def _among(self, column: Any, resource: ResourcePlan, name: str) -> ColumnElement[bool]:
        return self.dialect.is_any_of(column, bindparam("ids"), resource.fields_by_name[name])

    def _encoder(self, field: FieldPlan) -> Codec:
        hidden = self.keys.by_resource.get(field.references or "")
        return self.dialect.encode(field) if hidden is None else hidden.key

    def _is(self, resource: str, table: FromClause, parameter: str) -> ColumnElement[bool]:
        """The row has the key of this parameter."""
        return table.c.id == self._parameter(parameter, resource, "id")

    def _parameter(self, name: str, resource: str, field: str) -> ColumnElement[Any]:
        """A parameter that a field's column is compared with."""
        return self.dialect.compared(bindparam(name), self.plan.by_name[resource].fields_by_name[field])

    def _of(self, name: str) -> tuple[ResourcePlan, Any]:
        return self.plan.by_name[name], self.schema.tables[name]

    def _select(self, view: View, resource: ResourcePlan, table: FromClause) -> Select[Any]:
        return select(*self._columns(view, resource, table)).select_from(table)

    def _columns(self, view: View, resource: ResourcePlan, table: FromClause) -> list[ColumnElement[Any]]:
        facts = [self.policy.value(path, resource, table).label("fact_" + "_".join(path)) for path in view.facts]
        keys = [table.c[name] for name in self.key_fields(view)]
        return [*(table.c[name] for name in view.fields), *facts, *(key.label(f"key_{key.key}") for key in keys)]

    def key_fields(self, view: View) -> tuple[str, ...]:
        """The fields that includes compare with; read behind the facts, because a client may not see them."""
        resource = self.plan.by_name[view.resource]
        return tuple(
            dict.fromkeys(resource.relations_by_name[include.relation].local_field for include in view.includes)
        )

    def decoder(self, view: View) -> Decoder:
        """How rows of this view become documents."""
        resource = self.plan.by_name[view.resource]
        fields = [resource.fields_by_name[name] for name in view.fields]
        return Decoder(
            names=tuple(field.public_name for field in fields),
            codecs=tuple(self._codec(field) for field in fields),
            facts=view.facts,
            fact_codecs=tuple(self._fact_codec(resource, path) for path in view.facts),
        )

    def _fact_codec(self, resource: ResourcePlan, path: Path) -> Codec:
        return self._codec(self.plan.field_at(resource, path))

    def _mark(self, field: FieldPlan) -> Codec:
        hidden = self.keys.by_resource.get(field.references or "")
        return self.dialect.mark(field) if hidden is None else hidden.digits

    def _unmark(self, field: FieldPlan) -> Codec:
        hidden = self.keys.by_resource.get(field.references or "")
        return self.dialect.unmark(field) if hidden is None else hidden.key

    def _codec(self, field: FieldPlan) -> Codec:
        prefix = self.plan.by_name[field.references].prefix if field.references else None
        hidden = self.keys.by_resource.get(field.references or "")
        if hidden is None:
            return self.dialect.decode(field, prefix)
        start, digits = f"{prefix}_", hidden.digits
        return lambda key: start + digits(key)

    def _filter(
        self, index: int, condition: Condition, resource: ResourcePlan, table: FromClause
    ) -> ColumnElement[bool]:
        column: Any = table.c[condition.field]
        field = resource.fields_by_name[condition.field]
        array: BindParameter[Any] = bindparam(f"filter_{index}")
        value: Any = self.dialect.compared(array, field)
        match condition.operator:
            case "eq":
                return column == value
            case "ne":
                return column.is_distinct_from(value) if field.nullable else column != value
            case "gt" | "gte" | "lt" | "lte":
                return COMPARE[condition.operator](column, value)
            case "in":
                return self.dialect.is_any_of(column, array, field)
            case "contains":
                return self.dialect.contains(column, value)
            case "startsWith":
                return self.dialect.starts_with(column, value)
            case "isNull":
                return column.is_(None)
            case "isNotNull":
                return column.is_not(None)
            case other:
                raise AssertionError(f"the contract allows no operator {other!r}")

    def standing(self, resource: ResourcePlan, table: FromClause) -> list[ColumnElement[bool]]:
        """The conditions that hold for every statement on a table, whoever asks and whatever for.

        Each statement that reads, changes or joins a table of the contract adds them, so that no path can forget one.
        """
        found: list[ColumnElement[bool]] = []
        if resource.tenant is not None and not self._scope.every:
            field = resource.fields_by_name[resource.tenant]
            wanted = self.dialect.compared(bindparam(f"{TENANT}_{_tenant_kind(field)}"), field)
            found.append(table.c[resource.tenant] == wanted)
        if resource.soft_delete and not self._scope.deleted:
            found.append(alive(table))
        if resource.owned_by is not None and resource.name in self.plan.guarded:
            found += self._owner_standing(self.plan.by_name[resource.owned_by], resource, table)
        return found

    def _owner_standing(
        self, owner: ResourcePlan, resource: ResourcePlan, table: FromClause
    ) -> list[ColumnElement[bool]]:
        """An item is there as long as its owner is."""
        other = self.schema.tables[owner.name].alias(f"{owner.table}_owning")
        standing = self.standing(owner, other)
        if not standing:
            return []
        relation = next(relation for relation in owner.owned_relations if relation.target == resource.name)
        owned: ColumnElement[bool] = other.c[relation.local_field] == table.c[relation.remote_field]
        one: ColumnElement[int] = literal_column("1")
        return [exists(select(one).where(owned, *standing).correlate(table))]

    def _standing_of(self, resource: str, table: FromClause) -> list[ColumnElement[bool]]:
        return self.standing(self.plan.by_name[resource], table)

    def _present(self, resource_name: str) -> Statement:
        resource, table = self._of(resource_name)
        keys = self.dialect.is_any_of(table.c.id, bindparam("ids"), resource.fields_by_name["id"])
        query = select(table.c.id).where(keys, *self.standing(resource, table))
        if resource.soft_delete and self.dialect.locks_rows:
            # FOR KEY SHARE: who deletes the row meanwhile waits for what is about to refer to it, or is waited for
            query = query.with_for_update(of=table, read=True, key_share=True)
        return self._compile(query)

    def counted(self, resource: ResourcePlan, table: FromClause, changes: dict[str, Any]) -> dict[str, Any]:
        """The changes of an update, with the row's version one higher where it has one.

        Each statement that changes rows passes its changes through here, so that no path can forget to count.
        """
        field = resource.version_field
        if field is None:
            return changes
        one: ColumnElement[Any] = literal_column("1")
        return {**changes, field.name: table.c[field.name] + one}

    def _under_parent(self, parent: tuple[str, str], table: FromClause) -> ColumnElement[bool]:
        relation = self.plan.by_name[parent[0]].relations_by_name[parent[1]]
        if relation.kind != "linked":
            return table.c[relation.remote_field] == self._parameter("parent", relation.target, relation.remote_field)
        link = self.schema.links[str(relation.link_table)]
        return table.c.id.in_(
            select(link.c[str(relation.link_remote)]).where(
                link.c[str(relation.link_local)] == self._parameter("parent", parent[0], "id")
            )
        )


def _tenant_kind(field: FieldPlan) -> str:
    """How a tenant is compared with the field: as an id of a resource, or as a kind of value."""
    return str(field.references) if field.kind == "id" else field.kind


def prefixed(prefix: str) -> Codec:
    """Puts an id's prefix before its digits."""
    return lambda digits: encode(prefix, digits)


def _parameter(name: str) -> BindParameter[Any]:
    return bindparam(name)
