"""Whether rows refer to what is there for the caller: the database's own check of a foreign key knows no tenants, and
finds deleted rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sternpost.errors import SternpostError
from sternpost.plan.model import ResourcePlan
from sternpost.plan.query import Aggregate, Measure, Node, Select
from sternpost.ports.storage import Slots, Values
from sternpost.storage.sql.failures import ConstraintFailed, client_error
from sternpost.storage.sql.keys import plain_key
from sternpost.storage.sql.reader import SqlReader
from sternpost.storage.sql.reads import KEYS
from sternpost.storage.sql.statement import Statement


class References(SqlReader):
    """A reader that knows what rows may refer to."""

    async def refuse_missing(self, plan: ResourcePlan, values: Values) -> None:
        """Raises `ReferenceNotFound` where a row refers to what is not there."""
        if self.statements.checked_references[plan.name] or self.statements.codecs.nowhere[plan.name]:
            (names,) = await self.missing(plan, [values])
            if names:
                raise client_error(ConstraintFailed("foreign key", names), plan)

    async def missing(self, plan: ResourcePlan, rows: Sequence[Values]) -> list[tuple[str, ...]]:
        """For each row its references to what is not there for this visibility. Those to rows that are everybody's are
        left to the database, but for ids that were not made here: these are no values of a column."""
        found: list[list[str]] = [
            [
                name
                for name, nowhere in self.statements.codecs.nowhere[plan.name].items()
                if name in row and self.statements.codecs.encoded(plan, name, row[name]) == nowhere
            ]
            for row in rows
        ]
        for field in self.statements.checked_references[plan.name]:
            unseen = await self.unseen(str(field.references), [row[field.name] for row in rows if row.get(field.name)])
            for row, names in zip(rows, found, strict=True):
                if unseen and row.get(field.name) in unseen and field.name not in names:
                    names.append(field.name)
        return [tuple(names) for names in found]

    async def unseen(self, resource: str, ids: Sequence[str]) -> set[str]:
        """Those of the rows that do not exist for this visibility; for rows that are everybody's the database tells."""
        wanted = set(ids)
        if not wanted or not self.statements.gate.guards(self.plan.by_name[resource]):
            return set()
        keys = {digits: self.key(resource, digits) for digits in wanted}
        bound = {KEYS: self.statements.dialect.bind_array(list(keys.values()))}
        found = set(await self.keys(self.statements.present(resource), bound))
        return {digits for digits, key in keys.items() if plain_key(key) not in found}

    async def any_row(self, plan: ResourcePlan, where: Node, slots: Slots) -> bool:
        """Whether there is a row that fits."""
        ((count,),) = await self.aggregate(Aggregate(plan.name, (Measure("count"),), where), slots)
        return bool(count)

    async def explained(self, failure: ConstraintFailed, plan: ResourcePlan, values: Values) -> SternpostError:
        """The client's error. SQLite does not say which reference is missing, so it is looked up."""
        if failure.kind == "foreign key" and not failure.columns:
            references = [plan.fields_by_name[name] for name in values if name in plan.fields_by_name and name != "id"]
            missing = [
                field.name
                for field in references
                if field.references
                and values[field.name] is not None
                and await self.get(Select(field.references, ("id",)), values[field.name]) is None
            ]
            failure = ConstraintFailed("foreign key", tuple(missing), failure.text)
        return client_error(failure, plan)

    async def keys(self, statement: Statement, named: Mapping[str, Any], slots: Slots = ()) -> list[Any]:
        """The first column of a statement's rows, as keys are bound."""
        return [plain_key(row[0]) for row in await self._fetch(statement, named, slots)]
