"""Removes rows, and restores them, where the database alone could not: rows that are kept when they are deleted, and
what refers to them.

For what is visible a row that is marked as deleted is gone. So what its references ask for happens as if it were: a
visible row that restricts it is an error, one that cascades is marked as well, and one with `set_null` refers to
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from sternpost.errors import StillReferenced
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.ports.storage import EVERY_TENANT, Values, Visibility
from sternpost.storage.sql.failures import ConstraintFailed, client_error
from sternpost.storage.sql.reads import KEY, KEYS
from sternpost.storage.sql.removals import AT
from sternpost.storage.sql.statement import Statement
from sternpost.storage.sql.statements import Statements

EVERY_ROW = Visibility(every=True, deleted=True)


class Work(Protocol):
    """What a removal needs of its session."""

    plan: Plan
    statements: Statements
    visibility: Visibility

    def savepoint(self) -> AbstractAsyncContextManager[None]: ...
    async def run(self, statement: Statement, named: Mapping[str, Any]) -> int: ...
    async def fetch(self, statement: Statement, named: Mapping[str, Any]) -> Sequence[Any]: ...
    async def keys(self, statement: Statement, named: Mapping[str, Any]) -> list[Any]: ...
    async def refuse_unseen(self, resource: str, rows: Sequence[Values]) -> None: ...
    def digits(self, key: Any) -> Any: ...


class Removal:
    """Removes rows of one session, all at one instant.

    Args:
        at: the instant; None does where no row is kept.
    """

    def __init__(self, session: Work, at: datetime | None) -> None:
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
        """Whether a row that goes with another must not be left to the database, because of what refers to it
        in turn."""
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
        await self._restore_along(resource, key, deleted_at)
        return True

    async def _restore_along(self, resource: ResourcePlan, key: Any, deleted_at: Any) -> None:
        """Restores what was deleted with a row, or with what the row owns, as `_release` has found it."""
        every = self.session.statements.of(EVERY_ROW)
        for other, field in self.plan.referrers[resource.name]:
            if field.on_delete == "cascade" and other.soft_delete:
                bound = {KEY: key, AT: deleted_at}
                for found in await self.session.keys(every.deleted_along(other.name, field.name), bound):
                    await self._restore(every, other, found)
        for relation in resource.owned_relations:
            if self.plan.referrers[relation.target]:
                items = every.referring(relation.target, relation.remote_field)
                for item in await self.session.keys(items, self._among([key])):
                    await self._restore_along(self.plan.by_name[relation.target], item, deleted_at)

    # -- parts

    def _among(self, keys: list[Any]) -> dict[str, Any]:
        return {KEYS: self.session.statements.dialect.bind_array(keys)}

    def _at(self, resource: ResourcePlan, generated: str = "deleted") -> dict[str, Any]:
        """The instant, as the column holds it that the statement sets to it."""
        field = next((field for field in resource.fields if field.generated == generated), None)
        if field is None:
            return {}
        if self.at is None:
            raise TypeError(f"{resource.name}.{field.name} needs the time of the deletion")
        return {AT: self.session.statements.codecs.encoded(resource, field.name, self.at)}
