"""Values that authors' functions compute of rows as they are read: one call for all rows of a list, then checked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sternpost.data.access import DataAccess
from sternpost.data.context import Context
from sternpost.data.model import DataModel
from sternpost.data.providers import AppProviders, Injected
from sternpost.plan.model import FieldPlan, InPython, ResourcePlan
from sternpost.plan.query import Select
from sternpost.ports.budget import Budget
from sternpost.ports.storage import Document

ROWS_AT_ONCE = 500
"""How many rows become instances, or values are checked, before other calls get their turn."""

ComputedKey = tuple[str, str]
"""A resource, and its field."""


@dataclass(frozen=True, slots=True)
class Computing:
    """The functions of a contract's computed fields.

    Attributes:
        functions: by resource and field.
        providers: what they are provided with.
    """

    functions: Mapping[ComputedKey, Injected]
    providers: AppProviders

    async def for_data(
        self, model: DataModel, query: Select, documents: Sequence[Document], access: DataAccess
    ) -> list[Document]:
        """Completes rows that the data client has read."""
        log = access.log
        if log is None:
            from sternpost.telemetry.loggers import plain_logger

            log = plain_logger()
        context = Context(model, access.principal, access.reader, log, reads_only=True)
        return await self.complete(model, query, documents, context)

    async def complete(
        self,
        model: DataModel,
        query: Select,
        documents: Sequence[Document],
        context: Context,
        budget: Budget | None = None,
        weights: Sequence[int] | None = None,
    ) -> list[Document]:
        """The documents of a query with what is computed, and without what was read for that alone.

        Args:
            documents: as storage gives them, with the lists that the query reads along, whose rows are completed in
                their place.
            budget: how large the answer may become; None for no limit.
            weights: how often each of them is in the answer; once each where none are given.

        Raises:
            RuntimeError: a function has not given a value for each row, or one that does not fit: its author's mistake.
            TooLarge: the answer would be.
        """
        resource = model.plan.by_name[query.resource]
        for nested in query.relations:
            if nested.query.calls:
                name = resource.relations_by_name[nested.relation].public_name
                below = _Below(documents, name, weights)
                rows = await self.complete(model, nested.query, below.rows, context, budget, below.weights)
                below.replace(rows)
        if not query.in_python or not documents:
            return list(documents)
        aside = {resource.fields_by_name[name].public_name for name in query.aside}
        completed: list[Document] = [
            {name: value for name, value in document.items() if name not in aside} for document in documents
        ]
        for name in query.in_python:
            shown = resource.shown_by_name[name].public_name
            values = await self._values(model, resource, name, documents, context)
            if budget is not None:
                budget.take_values(shown, values, weights)
            for document, value in zip(completed, values, strict=True):
                document[shown] = value
        return completed

    async def _values(
        self, model: DataModel, resource: ResourcePlan, name: str, documents: Sequence[Document], context: Context
    ) -> list[Any]:
        """The values of one field, checked and as documents have them."""
        field = resource.shown_by_name[name]
        assert isinstance(field.derived, InPython), "it is computed in Python"
        taken = [resource.fields_by_name[each].public_name for each in ("id", *field.derived.fields)]
        rows: list[Any] = []
        for at, document in enumerate(documents):
            await _let_others(at)
            rows.append(model.instances.row(resource, {each: document[each] for each in taken}))
        injected = self.functions[resource.name, name]
        given = await injected.function(context, rows, **self._provided(injected))
        return await self._checked(model, resource, field, given, len(rows), injected.name)

    async def _checked(
        self, model: DataModel, resource: ResourcePlan, field: FieldPlan, given: Any, count: int, function: str
    ) -> list[Any]:
        if isinstance(given, str | bytes) or not isinstance(given, Sequence):
            said = f"{type(given).__name__}, and not a list of values"
            raise RuntimeError(f"{function} computes {resource.name}.{field.name} and has returned {said}")
        values = cast("Sequence[Any]", given)
        if len(values) != count:
            said = f"{len(values)} values for {count} rows"
            raise RuntimeError(f"{function} computes {resource.name}.{field.name} and has returned {said}")
        found: list[Any] = []
        for at, value in enumerate(values):
            await _let_others(at)
            found.append(model.checks.fitting(resource, field, value))
        return found

    def _provided(self, injected: Injected) -> dict[str, Any]:
        try:
            return self.providers.arguments(injected.needs)
        except KeyError:
            message = f"{injected.name} is provided with what only a started application has: start it first"
            raise RuntimeError(message) from None


class _Below:
    """The rows of a relation of all documents together: each once, however many refer to it.

    Attributes:
        weights: how often each is in the answer.
    """

    def __init__(self, documents: Sequence[Document], name: str, weights: Sequence[int] | None) -> None:
        self._documents = documents
        self._name = name
        found: dict[int, Document] = {}
        often: dict[int, int] = {}
        for document, weight in zip(documents, weights or (1,) * len(documents), strict=True):
            for row in _rows(document[name]):
                found[id(row)] = row
                often[id(row)] = often.get(id(row), 0) + weight
        self.rows = list(found.values())
        self.weights = list(often.values())

    def replace(self, rows: Sequence[Document]) -> None:
        """Puts other rows in their places."""
        made = {id(row): other for row, other in zip(self.rows, rows, strict=True)}
        for document in self._documents:
            found = document[self._name]
            if isinstance(found, list):
                document[self._name] = [made[id(row)] for row in _rows(found)]
            elif found is not None:
                document[self._name] = made[id(found)]


def _rows(found: Any) -> list[Document]:
    """The rows of a relation in a document: of a list, or the one that is referred to."""
    return [] if found is None else cast("list[Document]", found) if isinstance(found, list) else [found]


async def _let_others(at: int) -> None:
    """Gives other calls their turn from time to time."""
    if at and at % ROWS_AT_ONCE == 0:
        await asyncio.sleep(0)
