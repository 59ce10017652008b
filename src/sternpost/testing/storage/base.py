"""What every part of the suite uses: a database with its schema, short ways to ask for rows and to change them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from sternpost.plan.query import Assignment, Modify, Node, Remove, Select, every, key_is
from sternpost.ports.storage import Arguments, Asking, Position, Session, Statistics, Storage
from sternpost.testing.storage.contract import LABELS, SHELF, storage_plan


def paged(
    query: Select,
    *slots: Any,
    limit: int | None = None,
    offset: int | None = None,
    subject: str | None = None,
    position: Position | None = None,
) -> tuple[Select, Arguments]:
    """A part of a query's rows, with the values that go along: those of its slots, then the limit and the offset."""
    values = [*slots]
    for name, number in (("limit", limit), ("offset", offset)):
        if number is not None:
            query = replace(query, **{name: len(values)})
            values.append(number)
    if position is not None:
        query = query.behind(position)
    return query, Arguments(tuple(values), Asking(subject), position)


async def change(session: Session, resource: str, key: str, values: dict[str, Any], *conditions: Node) -> Any:
    """Sets values of one row; its whole document, or None where it is not there or does not fit."""
    assignments = tuple(Assignment(name, "set", slot) for slot, name in enumerate(values, start=1))
    fields = SHELF if resource == "Shelf" else ("id", *values)
    modify = Modify(resource, every((key_is(0), *conditions)), assignments, fields)
    _, documents = await session.modify(modify, (key, *values.values()))
    return documents[0] if documents else None


async def delete(session: Session, resource: str, key: str, **options: Any) -> int:
    """Removes one row."""
    return await session.remove(Remove(resource, key_is(0)), (key,), **options)


class Suite:
    """Inherit, and give it a fixture `storage` with a driver on an empty database."""

    @pytest.fixture
    async def opened(self, storage: Storage) -> AsyncIterator[Storage]:
        await storage.open(storage_plan())
        assert await storage.create_schema()
        yield storage
        await storage.close()

    async def _add(self, storage: Storage, *rows: dict[str, Any], resource: str = "Shelf") -> None:
        async with storage.transaction(Statistics()) as session:
            for row in rows:
                await session.insert(resource, row)

    async def _labels(self, storage: Storage, query: Select = LABELS, arguments: Arguments | None = None) -> list[str]:
        rows = await storage.reader().select(query, arguments or Arguments())
        return [document["label"] for document in rows.documents]

    async def _row(self, storage: Storage, query: Select, key: str) -> dict[str, Any]:
        row = await storage.reader().get(query, key)
        assert row is not None
        return row.document
