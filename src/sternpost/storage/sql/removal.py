"""Removes rows, and restores them, where the database alone could not: rows that are kept when they are deleted, and what
refers to them.

For what is visible a row that is marked as deleted is gone. So what its references ask for happens as if it were: a visible
row that restricts it is an error, one that cascades is marked as well, and one with `set_null` refers to nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, delete, select, update

from sternpost.errors import StillReferenced
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.plan.query import ALL
from sternpost.ports.storage import EVERY_TENANT, Visibility
from sternpost.storage.sql.codecs import Codecs
from sternpost.storage.sql.conditions import Conditions, constant
from sternpost.storage.sql.failures import ConstraintFailed, client_error
from sternpost.storage.sql.reads import KEY, KEYS
from sternpost.storage.sql.schema import DELETED, Schema
from sternpost.storage.sql.statement import Assembly, Statement

if TYPE_CHECKING:
    from sternpost.storage.sql.session import SqlSession
    from sternpost.storage.sql.statements import Statements

EVERY_ROW = Visibility(every=True, deleted=True)
AT = "our.at"


class Removals:
    """Writes the statements of such removals, by arrays of keys."""

    def __init__(self, schema: Schema, codecs: Codecs, conditions: Conditions, alias_prefix: str) -> None:
        self.plan: Plan = schema.plan
        self.schema = schema
        self.dialect = schema.dialect
        self.codecs = codecs
        self.conditions = conditions
        self.gate = conditions.gate
        self._alias_prefix = alias_prefix

    def lock(self, resource_name: str) -> Statement:
        """Those of an array of keys that exist, kept from new references until the transaction ends."""
        resource, table, assembly = self._of(resource_name)
        query = select(table.c.id).where(*self._among(table.c.id, resource, "id", table, assembly))
        return assembly.statement(query.with_for_update(of=table) if self.dialect.locks_rows else query)

    def remove(self, resource_name: str) -> Statement:
        """Removes an array of rows, or marks them as deleted at an instant."""
        resource, table, assembly = self._of(resource_name)
        wanted = self._among(table.c.id, resource, "id", table, assembly)
        if not resource.soft_delete:
            return assembly.statement(delete(table).where(*wanted))
        changes = self.gate.bump_version(resource, table, {DELETED: assembly.named(AT)})
        return assembly.statement(update(table).where(*wanted).values(changes))

    def referring(self, resource_name: str, field: str) -> Statement:
        """The keys of the rows that refer to one of an array of keys."""
        resource, table, assembly = self._of(resource_name)
        return assembly.statement(
            select(table.c.id).where(*self._among(table.c[field], resource, field, table, assembly))
        )

    def nullify(self, resource_name: str, field: str) -> Statement:
        """Sets a reference to null where it points at one of an array of keys."""
        resource, table, assembly = self._of(resource_name)
        changes: dict[str, Any] = {field: constant("NULL")}
        changes |= {other.name: assembly.named(AT) for other in resource.fields if other.generated == "updated"}
        pointing = self.dialect.is_any_of(table.c[field], assembly.named(KEYS), resource.fields_by_name[field])
        changed = update(table).where(pointing).values(self.gate.bump_version(resource, table, changes))
        return assembly.statement(changed)

    def deleted(self, resource_name: str) -> Statement:
        """Of a row by its key, deleted or not: when it was deleted, and what it refers to."""
        resource, table, assembly = self._of(resource_name)
        columns = [table.c[DELETED], *(table.c[field.name] for field in self.plan.checked_references(resource))]
        query = select(*columns).where(
            self._is(resource, table, assembly), *self.conditions.rows(resource, table, ALL, assembly)
        )
        return assembly.statement(query.with_for_update(of=table) if self.dialect.locks_rows else query)

    def undelete(self, resource_name: str) -> Statement:
        """Makes a row one that is not deleted."""
        resource, table, assembly = self._of(resource_name)
        changes = self.gate.bump_version(resource, table, {DELETED: constant("NULL")})
        return assembly.statement(update(table).where(self._is(resource, table, assembly)).values(changes))

    def deleted_along(self, resource_name: str, field: str) -> Statement:
        """The keys of the rows that refer to a row and were deleted at one instant."""
        resource, table, assembly = self._of(resource_name)
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

    def _of(self, name: str) -> tuple[ResourcePlan, Any, Assembly]:
        return self.plan.by_name[name], self.schema.tables[name], Assembly(self.dialect, self._alias_prefix)


class Removal:
    """Removes rows of one session, all at one instant.

    Args:
        at: the instant; None does where no row is kept.
    """

    def __init__(self, session: SqlSession, at: datetime | None) -> None:
        self.session = session
        self.plan = session.plan
        self.across = session.statements.of(EVERY_TENANT)
        """What refers to a row is asked for without tenants: the database's own rules know none."""
        self.at = at
        self._going: dict[str, set[Any]] = {}
        """Keys of the rows that are being removed, by resource."""

    async def remove(self, resource: ResourcePlan, keys: list[Any]) -> int:
        """Removes those of the rows that there are for the session; how many.

        Raises:
            StillReferenced: another row refers to one of them.
        """
        if not (self.plan.referrers[resource.name] or resource.owned_relations):
            return await self._remove(self.session.statements, resource, keys)
        async with self.session.savepoint():  # several statements: all of them, or none
            return await self._remove(self.session.statements, resource, keys)

    async def restore(self, resource: ResourcePlan, key: Any) -> bool:
        """Restores a row, and what was deleted with it. Raises `Duplicate` and `ReferenceNotFound`."""
        visibility = self.session.visibility
        statements = self.session.statements.of(Visibility(visibility.tenant, visibility.every, deleted=True))
        return await self._restore(statements, resource, key)

    # -- removing

    async def _remove(self, statements: Statements, resource: ResourcePlan, keys: list[Any]) -> int:
        going = self._going.setdefault(resource.name, set())
        found = await self.session.keys(statements.lock(resource.name), self._among(keys)) if keys else []
        there = [key for key in found if key not in going]
        if not there:
            return 0
        going.update(there)
        await self._release(resource, there)
        try:
            return await self.session.run(
                statements.remove_keys(resource.name), {**self._among(there), **self._at(resource)}
            )
        except ConstraintFailed as failure:
            raise client_error(failure, resource, deleting=True) from failure

    async def _release(self, resource: ResourcePlan, keys: list[Any]) -> None:
        """Does what the references to these rows, and to what they own, ask for."""
        kept = resource.soft_delete or self._owned_by_kept(resource)
        referrers = self.plan.referrers[resource.name]
        for other, field in referrers:
            if field.on_delete == "set_null":
                bound = {**self._among(keys), **self._at(other, "updated")}
                await self.session.run(self.across.nullify(other.name, field.name), bound)
            elif field.on_delete == "cascade" and (kept or self._goes_first(other)):
                await self._remove(self.across, other, await self._referring(other, field, keys))
        for relation in resource.owned_relations:
            items = self.plan.by_name[relation.target]
            found = await self.session.keys(self.across.referring(items.name, relation.remote_field), self._among(keys))
            if found:
                self._going.setdefault(items.name, set()).update(found)
                await self._release(items, found)
        for other, field in referrers:
            if kept and field.on_delete == "restrict" and await self._referring(other, field, keys):
                raise StillReferenced(log={"referring": f"{other.name}.{field.name}"})

    async def _referring(self, other: ResourcePlan, field: FieldPlan, keys: list[Any]) -> list[Any]:
        """The rows that refer to some of these, and are not being removed themselves."""
        going = self._going.get(other.name, set())
        found = await self.session.keys(self.across.referring(other.name, field.name), self._among(keys))
        return [key for key in found if key not in going]

    def _goes_first(self, other: ResourcePlan) -> bool:
        """Whether a row that goes with another must not be left to the database, because of what refers to it in turn."""
        return other.name in self.plan.removed_with_care and not other.soft_delete

    def _owned_by_kept(self, resource: ResourcePlan) -> bool:
        return resource.owned_by is not None and self.plan.by_name[resource.owned_by].soft_delete

    # -- restoring

    async def _restore(self, statements: Statements, resource: ResourcePlan, key: Any) -> bool:
        rows = await self.session.fetch(statements.deleted(resource.name), {KEY: key})
        if not rows or rows[0][0] is None:
            return False
        deleted_at, *references = rows[0]
        checked = self.plan.checked_references(resource)
        await self.session.refuse_unseen(
            resource.name,
            [{field.name: self.session.digits(value) for field, value in zip(checked, references, strict=True)}],
        )
        try:
            await self.session.run(statements.undelete(resource.name), {KEY: key})
        except ConstraintFailed as failure:
            raise client_error(failure, resource) from failure
        every = self.session.statements.of(EVERY_ROW)
        for other, field in self.plan.referrers[resource.name]:
            if field.on_delete == "cascade" and other.soft_delete:
                bound = {KEY: key, AT: deleted_at}
                for found in await self.session.keys(every.deleted_along(other.name, field.name), bound):
                    await self._restore(every, other, found)
        return True

    # -- parts

    def _among(self, keys: list[Any]) -> dict[str, Any]:
        return {KEYS: self.session.statements.dialect.bind_array(keys)}

    def _at(self, resource: ResourcePlan, generated: str = "deleted") -> dict[str, Any]:
        """The instant, as the column holds it that the statement sets to it."""
        field = next((field for field in resource.fields if field.generated == generated), None)
        if field is None:
            return {}
        if self.at is None:
            raise TypeError(f"{resource.name}.{field.name} is the time of the change: give the instant")
        return {AT: self.session.statements.codecs.encoded(resource, field.name, self.at)}
