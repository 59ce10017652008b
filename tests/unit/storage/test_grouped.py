"""New rows that share a statement: what became of them is told to each, and nothing is written twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sternpost.errors import OutcomeUnknown, Timeout, Unavailable
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.postgresql.grouped import GroupedInserts
from sternpost.storage.sql.statements import Statements
from sternpost.testing.storage import shelf, storage_plan


@pytest.mark.parametrize("error", [OutcomeUnknown, Unavailable, Timeout])
async def test_a_group_that_may_be_stored_is_not_written_again(error: type[Exception]) -> None:
    alone: list[Any] = []

    async def write(text: str, arguments: tuple[Any, ...], until: float | None) -> Any:
        raise error

    async def insert_one(resource: str, values: Any, until: float | None) -> Any:
        alone.append(values)

    inserts = GroupedInserts(Statements(storage_plan(), PostgresqlDialect()), write, insert_one)
    rows = [inserts.insert("Shelf", {**shelf(f"row {number}"), "id": f"{number:032x}"}) for number in range(3)]
    results = await asyncio.gather(*rows, return_exceptions=True)
    assert [type(result) for result in results] == [error] * 3
    assert alone == []
