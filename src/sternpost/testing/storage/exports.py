"""Whole lists in parts, as they were at one moment."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from sternpost.plan.query import Compare, Nested, Select, ordered
from sternpost.ports.storage import NO_ARGUMENTS, PART_ROWS, Arguments, Statistics, Storage
from sternpost.testing.storage.base import Suite
from sternpost.testing.storage.contract import LABELS, TITLES, book, shelf

ROWS = 2 * PART_ROWS + 3
ALL_LABELS = replace(LABELS, order=(ordered("label", False),))


class ExportSuite(Suite):
    """Parts of a list that is too large for memory."""

    async def _many_rows(self, storage: Storage) -> list[dict[str, Any]]:
        rows = [shelf(f"row {number:04}", width=number % 3) for number in range(ROWS)]
        async with storage.transaction(Statistics()) as session:
            await session.insert_rows("Shelf", rows, skip=False)
        return rows

    async def _parts(self, storage: Storage, query: Select, arguments: Arguments = NO_ARGUMENTS) -> list[Any]:
        return [part async for part in storage.export(query, arguments, Statistics())]

    async def test_a_whole_list_in_parts(self, opened: Storage) -> None:
        rows = await self._many_rows(opened)
        parts = await self._parts(opened, ALL_LABELS)
        assert [len(part) for part in parts] == [PART_ROWS, PART_ROWS, 3]
        assert [row["label"] for part in parts for row in part] == [row["label"] for row in rows]
        some = replace(ALL_LABELS, where=Compare(("width",), "eq", 0))
        parts = await self._parts(opened, some, Arguments((1,)))
        assert [row["label"] for part in parts for row in part] == [row["label"] for row in rows[1::3]]

    async def test_an_empty_list_has_no_parts(self, opened: Storage) -> None:
        assert await self._parts(opened, LABELS) == []

    async def test_rows_bring_their_relations(self, opened: Storage) -> None:
        rows = await self._many_rows(opened)
        async with opened.transaction(Statistics()) as session:
            for row in rows[:2]:
                await session.replace_owned("Shelf", "books", row["id"], [book(row["label"]), book("z")])
        statistics = Statistics()
        query = replace(ALL_LABELS, relations=(Nested("books", TITLES),))
        parts = [part async for part in opened.export(query, NO_ARGUMENTS, statistics)]
        assert parts[0][1] == {"label": "row 0001", "books": [{"title": "row 0001"}, {"title": "z"}]}
        assert parts[2][-1]["books"] == []
        assert statistics.statements == 1 + len(parts)

    async def test_what_changes_meanwhile_is_not_in_it(self, opened: Storage) -> None:
        await self._many_rows(opened)
        found = 0
        async with aclosing(opened.export(LABELS, NO_ARGUMENTS, Statistics())) as parts:
            async for part in parts:
                if not found:
                    await self._add(opened, shelf("new"))
                found += len(part)
        assert found == ROWS
        assert await opened.reader().count(LABELS) == ROWS + 1

    async def test_relations_are_of_the_same_moment_as_the_rows(self, opened: Storage) -> None:
        """Each part reads them by statements of its own: what is written between two parts is in none."""
        rows = await self._many_rows(opened)
        last = rows[-1]["id"]
        async with opened.transaction(Statistics()) as session:
            await session.replace_owned("Shelf", "books", last, [book("before")])
        query = replace(ALL_LABELS, relations=(Nested("books", TITLES),))
        found: list[Any] = []
        async with aclosing(opened.export(query, NO_ARGUMENTS, Statistics())) as parts:
            async for part in parts:
                if not found:
                    async with opened.transaction(Statistics()) as session:
                        await session.replace_owned("Shelf", "books", last, [book("after"), book("later")])
                        await session.replace_owned("Shelf", "books", rows[PART_ROWS]["id"], [book("new")])
                found += part
        assert found[-1]["books"] == [{"title": "before"}]
        assert found[PART_ROWS]["books"] == []
        now = await self._parts(opened, query)
        assert now[-1][-1]["books"] == [{"title": "after"}, {"title": "later"}]

    async def test_one_that_is_closed_early_holds_nothing(self, opened: Storage) -> None:
        await self._many_rows(opened)
        for _ in range(10):  # more than may be under way at once
            async with aclosing(opened.export(LABELS, NO_ARGUMENTS, Statistics())) as parts:
                assert len(await anext(parts)) == PART_ROWS
        assert len(await self._parts(opened, LABELS)) == 3
        await self._add(opened, shelf("new"))

    async def test_one_whose_reader_is_cancelled_holds_nothing(self, opened: Storage) -> None:
        await self._many_rows(opened)

        async def read(inside: asyncio.Event) -> None:
            async with aclosing(opened.export(LABELS, NO_ARGUMENTS, Statistics())) as parts:
                async for _ in parts:
                    inside.set()
                    await asyncio.Event().wait()

        for _ in range(10):
            inside = asyncio.Event()
            task = asyncio.create_task(read(inside))
            await inside.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert len(await self._parts(opened, LABELS)) == 3
        await self._add(opened, shelf("new"))
