"""All statements of a plan in one database's dialect: each is written once, at its first use, and kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from sternpost.plan.model import Plan, RelationPlan
from sternpost.plan.query import Aggregate, Fact, Modify, Nested, Remove, Select, Upsert
from sternpost.ports.storage import NO_TENANT, Visibility
from sternpost.storage.sql.codecs import Codecs, Decoder
from sternpost.storage.sql.conditions import Conditions
from sternpost.storage.sql.dialect import Codec, Dialect
from sternpost.storage.sql.gate import Gate
from sternpost.storage.sql.groups import Groups
from sternpost.storage.sql.outbox import Emission
from sternpost.storage.sql.reads import Listing, NestedStatement, PointStatement, Reads
from sternpost.storage.sql.removals import Removals
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sql.statement import Statement
from sternpost.storage.sql.writes import Writes

CACHE_MAX = 2048
"""Statements kept; a client can choose combinations of filters and sorts, so there must be a bound."""

T = TypeVar("T")


class Statements:
    """The statements of a plan for one visibility.

    Attributes:
        gate: what every statement keeps.
        codecs: how values are bound and read.
        alias_prefix: what aliases of tables begin with.
    """

    def __init__(
        self,
        plan: Plan,
        dialect: Dialect,
        key_secret: bytes | None = None,
        *,
        base: Statements | None = None,
        visibility: Visibility = NO_TENANT,
        aside: bool = False,
    ) -> None:
        self.plan = plan
        self.dialect = dialect = dialect.external if plan.external else dialect
        self._base = base or self
        self._variants: dict[tuple[bool, bool, bool], Statements] = {}
        self._visibility = visibility
        self._keeps_deleted = any(resource.soft_delete for resource in plan.resources)
        self.schema = base.schema if base else Schema(plan, dialect)
        self.codecs = base.codecs if base else Codecs(plan, dialect, key_secret)
        self.gate = Gate(plan, visibility)
        self.alias_prefix = prefix = _alias_prefix(plan)
        conditions = Conditions(self.schema, self.codecs, self.gate, aside=aside)
        self._reads = Reads(self.schema, self.codecs, conditions, prefix)
        self._groups = Groups(self.schema, self.codecs, conditions, prefix)
        self._writes = Writes(self.schema, self.codecs, conditions, prefix)
        self._removals = Removals(self.schema, self.codecs, conditions, prefix)
        self.conditions = conditions
        self.checked_references = {
            resource.name: tuple(
                field
                for field in plan.checked_references(resource)
                if self.gate.guards(plan.by_name[str(field.references)])
            )
            for resource in plan.resources
        }
        """The references whose rows the database's own check would take from every tenant, and from those deleted."""
        self.emission = base.emission if base else Emission(dialect)
        self._cache: dict[Hashable, Any] = {}

    def of(self, visibility: Visibility, *, aside: bool = False) -> Statements:
        """These, or those that ask for no tenant, or find deleted rows, too.

        Args:
            aside: whether policies disregard rows of lists that the transaction has written.
        """
        if not (visibility.every or visibility.deleted or aside):
            return self._base
        variant = (
            visibility.every and bool(self.gate.tenant_kinds),
            visibility.deleted and self._keeps_deleted,
            aside,
        )
        if not any(variant):
            return self._base
        found = self._base._variants.get(variant)
        if found is None:
            wanted = Visibility(every=variant[0], deleted=variant[1])
            found = Statements(self.plan, self.dialect, base=self._base, visibility=wanted, aside=aside)
            self._base._variants[variant] = found
        return found

    def setting_aside(self) -> Statements:
        """The same, and policies disregard rows of lists that the transaction has written."""
        return self.of(self._visibility, aside=True)

    # -- reading

    def point(self, query: Select) -> PointStatement:
        """One row by its id."""
        key = ("point", query)
        # asked for at each request: making the function that `_kept` takes would cost more than the look-up
        found: PointStatement | None = self._cache.get(key)
        return found or self._kept(key, lambda: self._reads.point(query))

    def listing(self, query: Select) -> Listing:
        """The rows of a query, and their count."""
        key = ("listing", query)
        found: Listing | None = self._cache.get(key)
        return found or self._kept(key, lambda: Listing(self._reads, query))

    def nested(self, resource: str, nested: Nested) -> NestedStatement:
        """The rows of a relation for many parents at once."""
        return self._kept(("nested", resource, nested), lambda: self._reads.nested(resource, nested))

    def knows(self, resource: str, nested: Nested) -> bool:
        """Whether the statement is written already. Writing one takes some ten milliseconds."""
        return ("nested", resource, nested) in self._cache

    def key_fields(self, query: Select) -> tuple[str, ...]:
        """The fields that relations compare with, behind the fields and facts of a row."""
        return self._reads.key_fields(query)

    def place(self, query: Select) -> Statement:
        """The values of a query's order in one row."""
        return self._kept(("place", query), lambda: self._reads.place(query))

    def facts(self, resource: str, facts: tuple[Fact, ...]) -> tuple[tuple[Fact, Statement, Codec], ...]:
        """For a row that is not stored yet: per fact behind a reference, the statement that follows it."""
        return self._kept(("facts", resource, facts), lambda: self._reads.facts(resource, facts))

    def present(self, resource: str) -> Statement:
        """Which rows of an array of keys exist for this visibility."""
        return self._kept(("present", resource), lambda: self._reads.present(resource))

    def aggregate(self, query: Aggregate) -> Statement:
        """Values over groups of rows."""
        return self._kept(("aggregate", query), lambda: self._groups.aggregate(query))

    # -- writing

    def insert(self, resource: str, names: tuple[str, ...]) -> tuple[Statement, Decoder]:
        """One new row."""
        return self._kept(("insert", resource, names), lambda: self._writes.insert(resource, names))

    def insert_rows(
        self,
        resource: str,
        names: tuple[str, ...],
        rows: int,
        *,
        skip: bool,
        returning: tuple[str, ...],
        where: str = "",
    ) -> tuple[str, Decoder]:
        """Many new rows; a database that takes arrays has one text for any number of them."""
        count = 0 if self.dialect.takes_arrays_of_rows else rows
        return self._kept(
            ("insert rows", resource, names, count, skip, returning, where),
            lambda: self._writes.insert_rows(resource, names, count, skip=skip, returning=returning, where=where),
        )

    def modify(self, modify: Modify) -> tuple[Statement, Decoder]:
        """A change of rows."""
        return self._kept(modify, lambda: self._writes.modify(modify))

    def remove(self, remove: Remove) -> Statement:
        """A removal of rows that the database does by itself."""
        return self._kept(("remove", remove), lambda: self._writes.remove(remove))

    def matching_keys(self, remove: Remove) -> Statement:
        """The keys of the rows that a removal is about."""
        return self._kept(("matching keys", remove), lambda: self._writes.matching_keys(remove))

    def upsert(self, upsert: Upsert) -> tuple[Statement, Decoder]:
        """A new row, or the change of the one with the same key."""
        return self._kept(upsert, lambda: self._writes.upsert(upsert))

    def delete_owned(self, relation: RelationPlan) -> Statement:
        """All items of one row's list."""
        key = ("delete owned", relation.target, relation.remote_field)
        return self._kept(key, lambda: self._writes.delete_owned(relation))

    def linked(self, relation: RelationPlan) -> Statement:
        """The other sides of one row's pairs."""
        key = ("linked", relation.link_table, relation.link_local)
        return self._kept(key, lambda: self._writes.linked(relation))

    def insert_link(self, relation: RelationPlan) -> Statement:
        """A new pair of a many-to-many relation, where there is none."""
        key = ("insert link", relation.link_table, relation.link_local)
        return self._kept(key, lambda: self._writes.insert_link(relation))

    def delete_links(self, relation: RelationPlan) -> Statement:
        """All pairs of one row."""
        key = ("delete links", relation.link_table, relation.link_local)
        return self._kept(key, lambda: self._writes.delete_links(relation))

    def delete_link(self, relation: RelationPlan) -> Statement:
        """One pair."""
        key = ("delete link", relation.link_table, relation.link_local)
        return self._kept(key, lambda: self._writes.delete_link(relation))

    # -- removing with care, by arrays of keys; see `sternpost.storage.sql.removal`

    def lock(self, resource: str) -> Statement:
        """Those of an array of keys that exist."""
        return self._kept(("lock", resource), lambda: self._removals.lock(resource))

    def mark(self, resource: str) -> Statement:
        """Marks an array of rows as deleted."""
        return self._kept(("mark", resource), lambda: self._removals.mark(resource))

    def erase(self, resource: str) -> Statement:
        """Removes an array of rows for good."""
        return self._kept(("erase", resource), lambda: self._removals.erase(resource))

    def references(self, resource: str, field: str) -> Statement:
        """The keys of an array of rows, each with what it refers to."""
        return self._kept(("references", resource, field), lambda: self._removals.references(resource, field))

    def clear(self, resource: str, field: str) -> Statement:
        """Sets a reference of an array of rows to null, before they are removed."""
        return self._kept(("clear", resource, field), lambda: self._removals.clear(resource, field))

    def referring(self, resource: str, field: str) -> Statement:
        """The keys of the rows that refer to one of an array of keys."""
        return self._kept(("referring", resource, field), lambda: self._removals.referring(resource, field))

    def nullify(self, resource: str, field: str) -> Statement:
        """Sets a reference to null where it points at one of an array of keys."""
        return self._kept(("nullify", resource, field), lambda: self._removals.nullify(resource, field))

    def deleted(self, resource: str) -> Statement:
        """Of a row by its key: when it was deleted, and what it refers to."""
        return self._kept(("deleted", resource), lambda: self._removals.deleted(resource))

    def undelete(self, resource: str) -> Statement:
        """Makes a row one that is not deleted."""
        return self._kept(("undelete", resource), lambda: self._removals.undelete(resource))

    def deleted_along(self, resource: str, field: str) -> Statement:
        """The keys of the rows that refer to a row and were deleted at one instant."""
        return self._kept(("deleted along", resource, field), lambda: self._removals.deleted_along(resource, field))

    def _kept(self, key: Hashable, write: Callable[[], T]) -> T:
        found = self._cache.get(key)
        if found is None:
            if len(self._cache) >= CACHE_MAX:
                del self._cache[next(iter(self._cache))]
            found = self._cache[key] = write()
        return cast("T", found)


def _alias_prefix(plan: Plan) -> str:
    """What aliases of tables begin with: no table of the plan has such a name."""
    tables = {resource.table for resource in plan.resources}
    tables |= {str(relation.link_table) for resource in plan.resources for relation in resource.relations}
    tables = {table.lower() for table in tables}  # to SQLite they are the same
    prefix = "r"
    while any(table[len(prefix) :].isdigit() and table.startswith(prefix) for table in tables):
        prefix += "r"
    return prefix
