"""Removes rows, and restores them, where the database alone could not: rows that are kept when they are deleted, and
what refers to them.

For what is visible a row that is marked as deleted is gone. So what its references ask for happens as if it were: a
visible row that restricts it is an error, one that cascades is marked as well, and one with `set_null` refers to
nothing. First all rows that go are found; what they hold of each other makes no difference then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol

from sternpost.errors import ConstraintViolated, StillReferenced
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.ports.storage import EVERY_TENANT, Visibility
from sternpost.storage.sql.failures import ConstraintFailed, client_error
from sternpost.storage.sql.keys import plain_key
from sternpost.storage.sql.reads import KEY, KEYS
from sternpost.storage.sql.removals import AT, EXCEPT
from sternpost.storage.sql.statement import Statement
from sternpost.storage.sql.statements import Statements

EVERY_ROW = Visibility(every=True, deleted=True)


Place = tuple[str, Any]
"""A row: the name of its resource, and its key."""

_Rows = dict[str, list[Any]]
"""Rows by the name of their resource: their keys."""


class Work(Protocol):
    """What a removal needs of its session."""

    plan: Plan
    statements: Statements
    visibility: Visibility

    def savepoint(self) -> AbstractAsyncContextManager[None]: ...
    async def run(self, statement: Statement, named: Mapping[str, Any]) -> int: ...
    async def fetch(self, statement: Statement, named: Mapping[str, Any]) -> Sequence[Any]: ...
    async def keys(self, statement: Statement, named: Mapping[str, Any]) -> list[Any]: ...


class Removal:
    """Removes rows of one session, all at one instant.

    Args:
        at: the instant; None does where no row is kept, and none that refers to one counts its changes.
    """

    def __init__(self, session: Work, at: datetime | None) -> None:
        self.session = session
        self.plan = session.plan
        self.across = session.statements.of(EVERY_TENANT)
        """What refers to a row is asked for without tenants: the database's own rules know none."""
        self.every = session.statements.of(EVERY_ROW)
        self.at = at
        self._going: dict[str, dict[Any, bool]] = {}
        """Keys of the rows that are being removed, by resource; whether for good, or marked as deleted."""

    async def remove(self, resource: ResourcePlan, keys: list[Any]) -> int:
        """Removes those of the rows that there are for the session; how many.

        Raises:
            StillReferenced: another row, which stays, refers to one that goes.
        """
        if not (self.plan.referrers[resource.name] or resource.owned_relations):
            return await self._remove(self.session.statements, resource, keys)
        async with self.session.savepoint():  # several statements: all of them, or none
            return await self._remove(self.session.statements, resource, keys)

    async def restore(self, resource: ResourcePlan, key: Any) -> bool:
        """Restores a row, and what was deleted with it. Raises `Duplicate` and `ReferenceNotFound`."""
        visibility = self.session.visibility
        statements = self.session.statements.of(Visibility(visibility.tenant, visibility.every, deleted=True))
        rows = await self.session.fetch(statements.deleted(resource.name), {KEY: key})
        if not rows or rows[0][0] is None:
            return False
        async with self.session.savepoint():
            await self._restore(resource, key, rows[0])
        return True

    # -- removing

    async def _remove(self, statements: Statements, resource: ResourcePlan, keys: list[Any]) -> int:
        there = await self._collect(statements, resource, keys)
        for name in self._going:
            await self._refuse_restricted(self.plan.by_name[name])
        for name in self._going:
            await self._clear_references(self.plan.by_name[name])
        try:
            for name in self._going:
                await self._mark(statements if name == resource.name else self.across, self.plan.by_name[name])
            await self._erase()
            await self._refuse_left(statements, resource)
        except ConstraintFailed as failure:
            raise client_error(failure, resource, deleting=True) from failure
        return there

    async def _collect(self, statements: Statements, resource: ResourcePlan, keys: list[Any]) -> int:
        """Finds the rows that go, and keeps them from new references; how many of those that are asked for."""
        for_good = not resource.soft_delete
        there = await self._lock(statements, resource, keys, for_good=for_good)
        work = deque([(resource, there, for_good)])
        while work:
            at, found, for_good = work.popleft()
            if not found:
                continue
            scope = self.every if for_good else self.across  # what is deleted already refers to what is gone for good
            for other, field in self.plan.referrers[at.name]:
                if field.on_delete == "cascade":
                    gone = for_good or not other.soft_delete
                    referring = await self._referring(scope, other, field.name, found)
                    work.append((other, await self._lock(scope, other, referring, for_good=gone), gone))
            for relation in at.owned_relations:
                items = self.plan.by_name[relation.target]
                held = await self._referring(self.every, items, relation.remote_field, found)
                work.append((items, self._take(items, held, for_good=for_good), for_good))
        return len(there)

    async def _lock(
        self, statements: Statements, resource: ResourcePlan, keys: list[Any], *, for_good: bool
    ) -> list[Any]:
        """Those of the rows that there are, and were not found before."""
        found = await self.session.keys(statements.lock(resource.name), self._among(keys)) if keys else []
        return self._take(resource, found, for_good=for_good)

    def _take(self, resource: ResourcePlan, keys: list[Any], *, for_good: bool) -> list[Any]:
        going = self._going.setdefault(resource.name, {})
        new = [key for key in keys if key not in going or (for_good and not going[key])]
        going.update((key, for_good) for key in new)
        return new

    async def _referring(self, statements: Statements, other: ResourcePlan, field: str, keys: list[Any]) -> list[Any]:
        return await self.session.keys(statements.referring(other.name, field), self._among(keys))

    async def _refuse_restricted(self, resource: ResourcePlan) -> None:
        """Raises `StillReferenced` where a row that stays holds one that is marked; the database sees to the others."""
        marked = self._marked(resource)
        for other, field in self.plan.referrers[resource.name]:
            if field.on_delete == "restrict" and marked:
                going = self._going.get(other.name, {})
                found = await self._referring(self.across, other, field.name, marked)
                if any(key not in going for key in found):
                    raise StillReferenced(log={"referring": f"{other.name}.{field.name}"})

    async def _clear_references(self, resource: ResourcePlan) -> None:
        """Sets to null what refers so to the rows. What is marked along with them keeps its reference: it comes back
        with them."""
        marked, for_good = self._marked(resource), self._for_good(resource)
        for other, field in self.plan.referrers[resource.name]:
            if field.on_delete != "set_null":
                continue
            going = self._going.get(other.name, {})
            if marked:
                await self._clear(self.across, other, field, marked, [*going])
            if for_good:
                await self._clear(self.every, other, field, for_good, [key for key, gone in going.items() if gone])

    async def _clear(
        self, statements: Statements, other: ResourcePlan, field: FieldPlan, keys: list[Any], but: list[Any]
    ) -> None:
        bind = self.session.statements.dialect.bind_array
        bound = {**self._among(keys), EXCEPT: bind(but), **self._at(other, "updated")}
        await self.session.run(statements.nullify(other.name, field.name), bound)

    async def _mark(self, statements: Statements, resource: ResourcePlan) -> None:
        marked = self._marked(resource)
        if marked and resource.soft_delete:  # an item is marked with its owner
            bound = {**self._among(marked), **self._at(resource)}
            await self.session.run(statements.mark(resource.name), bound)

    async def _erase(self) -> None:
        """Removes those rows that go for good: first what refers to others of them."""
        left = {name: keys for name in self._going if (keys := self._for_good(self.plan.by_name[name]))}
        cleared = False
        while left:
            first = self._unreferenced_resource(left) or await self._unreferenced_rows(left)
            if not first and not cleared:  # they refer to each other in a ring
                await self._clear_within(left)
                cleared = True
                continue
            for name, keys in (first or left).items():
                await self.session.run(self.every.erase(name), self._among(keys))
            left = _without(left, first or left)

    async def _refuse_left(self, statements: Statements, resource: ResourcePlan) -> None:
        """Raises `ConstraintViolated` where what another program declares has kept a row."""
        gone = self._for_good(resource) if self.plan.external else ()
        if gone and await self.session.keys(statements.lock(resource.name), self._among([*gone])):
            raise ConstraintViolated.dropped()

    def _unreferenced_resource(self, left: _Rows) -> _Rows:
        """Of some rows those of a resource to which the contract lets no other of them refer. What refers within it
        goes in the same statement, unless it holds what it refers to."""
        for name, keys in left.items():
            within = [(other, field) for other, field in self._references(left, to=name)]
            if all(other.name == name and (field.on_delete != "restrict" or len(keys) == 1) for other, field in within):
                return {name: keys}
        return {}

    async def _unreferenced_rows(self, left: _Rows) -> _Rows:
        """Those of some rows to which no other of them refers."""
        free = {name: {*keys} for name, keys in left.items()}
        for name in left:
            for other, field in self._references(left, to=name):
                statement = self.every.references(other.name, field.name)
                pairs = await self.session.fetch(statement, self._among(left[other.name]))
                own = other.name == name  # a row may refer to itself
                free[name] -= {plain_key(at) for key, at in pairs if at is not None and not (own and at == key)}
        return {name: [key for key in left[name] if key in keys] for name, keys in free.items() if keys}

    async def _clear_within(self, left: _Rows) -> None:
        """Sets to null what some rows refer to each other by, where it can be. In an external database they are removed
        as its own program has declared it."""
        for name in left if not self.plan.external else ():
            for other, field in self._references(left, to=name):
                if field.nullable:
                    await self.session.run(self.every.clear(other.name, field.name), self._among(left[other.name]))

    def _references(self, left: _Rows, *, to: str) -> list[tuple[ResourcePlan, FieldPlan]]:
        """The references by which some rows may hold rows of a resource, or go along with them."""
        return [
            (other, field)
            for other in map(self.plan.by_name.__getitem__, left)
            for field in other.fields
            if field.references == to and field.name != "id" and field.on_delete != "set_null"
        ]

    # -- restoring

    async def _restore(self, resource: ResourcePlan, key: Any, row: Sequence[Any]) -> None:
        """What went along with the row comes back: all of it is looked at first, because it may refer to each other."""
        back: dict[Place, Sequence[Any]] = {(resource.name, key): row}
        items: set[Place] = set()  # which are there again with the rows that own them
        work = deque([(resource, key)])
        while work:
            at, each = work.popleft()
            async for other, found in self._deleted_along(at, each, row[0], items):
                place = (other.name, found)
                if place not in back:
                    (back[place],) = await self.session.fetch(self.every.deleted(other.name), {KEY: found})
                    work.append((other, found))
        for (name, _), (_, *references) in back.items():
            await self._refuse_missing(self.plan.by_name[name], references, items.union(back))
        for name, each in back:
            try:
                await self.session.run(self.every.undelete(name), {KEY: each})
            except ConstraintFailed as failure:
                raise client_error(failure, self.plan.by_name[name]) from failure

    async def _deleted_along(
        self, resource: ResourcePlan, key: Any, at: Any, owned: set[Place]
    ) -> AsyncGenerator[tuple[ResourcePlan, Any]]:
        """The rows that were deleted because of this one, or of what it owns, which is added to `owned`."""
        for other, field in self.plan.referrers[resource.name]:
            if field.on_delete == "cascade" and other.soft_delete:
                statement = self.every.deleted_along(other.name, field.name)
                for found in await self.session.keys(statement, {KEY: key, AT: at}):
                    yield other, found
        for relation in resource.owned_relations:
            items = self.plan.by_name[relation.target]
            if self.plan.referrers[items.name]:
                for item in await self._referring(self.every, items, relation.remote_field, [key]):
                    owned.add((items.name, item))
                    async for found in self._deleted_along(items, item, at, owned):
                        yield found

    async def _refuse_missing(
        self, resource: ResourcePlan, references: Sequence[Any], back: AbstractSet[Place]
    ) -> None:
        """Raises `ReferenceNotFound` where a row refers to what is deleted, and does not come back with it. Whose rows
        it referred to was settled when it was written."""
        missing: list[str] = []
        for field, key in zip(self.plan.checked_references(resource), references, strict=True):
            target = str(field.references)
            if key is None or (target, plain_key(key)) in back:
                continue
            if not await self.session.keys(self.across.present(target), self._among([key])):
                missing.append(field.name)
        if missing:
            raise client_error(ConstraintFailed("foreign key", tuple(missing)), resource)

    # -- parts

    def _marked(self, resource: ResourcePlan) -> list[Any]:
        return [key for key, gone in self._going[resource.name].items() if not gone]

    def _for_good(self, resource: ResourcePlan) -> list[Any]:
        return [key for key, gone in self._going[resource.name].items() if gone]

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


def _without(rows: _Rows, gone: _Rows) -> _Rows:
    found: _Rows = {}
    for name, keys in rows.items():
        known = {*gone.get(name, ())}
        if rest := [key for key in keys if key not in known]:
            found[name] = rest
    return found
