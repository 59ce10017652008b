"""Statements that remove rows by arrays of keys, and restore them; see `sternpost.storage.sql.removal`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, delete, not_, select, update

from sternpost.plan.model import ResourcePlan
from sternpost.plan.query import ALL
from sternpost.storage.sql.builder import Builder
from sternpost.storage.sql.operands import constant
from sternpost.storage.sql.reads import KEY, KEYS
from sternpost.storage.sql.schema import DELETED
from sternpost.storage.sql.statement import Assembly, Statement

AT = "our.at"
EXCEPT = "our.except"


class Removals(Builder):
    """Writes the statements of such removals, by arrays of keys."""

    def lock(self, resource_name: str) -> Statement:
        """Those of an array of keys that exist, kept from new references until the transaction ends."""
        resource, table, assembly = self.begin(resource_name)
        query = select(table.c.id).where(*self._among(table.c.id, resource, "id", table, assembly))
        return assembly.statement(query.with_for_update(of=table) if self.dialect.locks_rows else query)

    def mark(self, resource_name: str) -> Statement:
        """Marks an array of rows as deleted at an instant."""
        resource, table, assembly = self.begin(resource_name)
        wanted = self._among(table.c.id, resource, "id", table, assembly)
        changes = self.gate.bump_version(resource, table, {DELETED: assembly.named(AT)})
        return assembly.statement(update(table).where(*wanted).values(changes))

    def erase(self, resource_name: str) -> Statement:
        """Removes an array of rows for good."""
        resource, table, assembly = self.begin(resource_name)
        return assembly.statement(delete(table).where(*self._among(table.c.id, resource, "id", table, assembly)))

    def references(self, resource_name: str, field: str) -> Statement:
        """The keys of an array of rows, each with what it refers to."""
        resource, table, assembly = self.begin(resource_name)
        wanted = self._among(table.c.id, resource, "id", table, assembly)
        return assembly.statement(select(table.c.id, table.c[field]).where(*wanted))

    def clear(self, resource_name: str, field: str) -> Statement:
        """Sets a reference of an array of rows to null, before they are removed."""
        resource, table, assembly = self.begin(resource_name)
        wanted = self._among(table.c.id, resource, "id", table, assembly)
        return assembly.statement(update(table).where(*wanted).values({field: constant("NULL")}))

    def referring(self, resource_name: str, field: str) -> Statement:
        """The keys of the rows that refer to one of an array of keys."""
        resource, table, assembly = self.begin(resource_name)
        return assembly.statement(
            select(table.c.id).where(*self._among(table.c[field], resource, field, table, assembly))
        )

    def nullify(self, resource_name: str, field: str) -> Statement:
        """Sets a reference to null where it points at one of an array of keys, but in some rows."""
        resource, table, assembly = self.begin(resource_name)
        changes: dict[str, Any] = {field: constant("NULL")}
        changes |= {other.name: assembly.named(AT) for other in resource.fields if other.generated == "updated"}
        pointing = self._among(table.c[field], resource, field, table, assembly)
        kept = not_(self.dialect.is_any_of(table.c.id, assembly.named(EXCEPT), resource.fields_by_name["id"]))
        changed = update(table).where(*pointing, kept).values(self.gate.bump_version(resource, table, changes))
        return assembly.statement(changed)

    def deleted(self, resource_name: str) -> Statement:
        """Of a row by its key, deleted or not: when it was deleted, and what it refers to."""
        resource, table, assembly = self.begin(resource_name)
        columns = [table.c[DELETED], *(table.c[field.name] for field in self.plan.checked_references(resource))]
        query = select(*columns).where(
            self._is(resource, table, assembly), *self.conditions.rows(resource, table, ALL, assembly)
        )
        return assembly.statement(query.with_for_update(of=table) if self.dialect.locks_rows else query)

    def undelete(self, resource_name: str) -> Statement:
        """Makes a row one that is not deleted."""
        resource, table, assembly = self.begin(resource_name)
        changes = self.gate.bump_version(resource, table, {DELETED: constant("NULL")})
        return assembly.statement(update(table).where(self._is(resource, table, assembly)).values(changes))

    def deleted_along(self, resource_name: str, field: str) -> Statement:
        """The keys of the rows that refer to a row and were deleted at one instant."""
        resource, table, assembly = self.begin(resource_name)
        reference = resource.fields_by_name[field]
        referring = table.c[field] == self.dialect.compared(assembly.named(KEY), reference)
        at = self.dialect.compared(assembly.named(AT), resource.fields_by_name[DELETED])
        return assembly.statement(select(table.c.id).where(referring, table.c[DELETED] == at))

    def _among(
        self, column: Any, resource: ResourcePlan, field: str, table: Any, assembly: Assembly
    ) -> list[ColumnElement[bool]]:
        keys = self.dialect.is_any_of(column, assembly.named(KEYS), resource.fields_by_name[field])
        return [keys, *self.conditions.rows(resource, table, ALL, assembly)]

    def _is(self, resource: ResourcePlan, table: Any, assembly: Assembly) -> ColumnElement[bool]:
        return table.c.id == self.dialect.compared(assembly.named(KEY), resource.fields_by_name["id"])
