"""Writing: transactions, constraints, owned lists, links, changes of one row and of many at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sternpost.errors import ConstraintViolated, Duplicate, ReferenceNotFound, StillReferenced
from sternpost.ids import encode, new_hex
from sternpost.plan.query import Assignment, Compare, Constant, Modify, Nested, Select, Under, every, key_is
from sternpost.ports.storage import Arguments, Session, Statistics, Storage
from sternpost.testing.storage.base import Suite, change, delete
from sternpost.testing.storage.contract import LABELS, TITLES, VIEW, WORDS, book, shelf, tag


class WriteSuite(Suite):
    """What a transaction does, and what it refuses."""

    async def test_an_error_rolls_everything_back(self, opened: Storage) -> None:

        async def fail() -> None:
            async with opened.transaction(Statistics()) as session:
                await session.insert("Shelf", shelf("gone"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await self._labels(opened) == []

    async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(self, opened: Storage) -> None:
        inside = asyncio.Event()

        async def hang() -> None:
            async with opened.transaction(Statistics()) as session:
                await session.insert("Shelf", shelf("gone"))
                inside.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await self._add(opened, shelf("next"))
        assert await self._labels(opened) == ["next"]

    async def test_readers_do_not_see_what_is_not_committed(self, opened: Storage) -> None:
        async with opened.transaction(Statistics()) as session:
            row = shelf("new")
            await session.insert("Shelf", row)
            assert await opened.reader().get(VIEW, row["id"]) is None
            assert await session.get(VIEW, row["id"]) is not None
        assert await opened.reader().get(VIEW, row["id"]) is not None

    async def test_constraints_become_errors_that_name_the_field(self, opened: Storage) -> None:
        row = shelf("taken")
        await self._add(opened, row)
        with pytest.raises(Duplicate) as duplicate:
            await self._add(opened, shelf("taken"))
        assert [detail.path for detail in duplicate.value.details] == ["label"]
        with pytest.raises(ReferenceNotFound) as missing:
            await self._add(opened, shelf("lost", parent_id=new_hex()))
        assert [detail.path for detail in missing.value.details] == ["parentId"]
        with pytest.raises(ConstraintViolated) as broken:
            await self._add(opened, shelf("wide", width=101))
        assert [detail.path for detail in broken.value.details] == ["width"]
        await self._add(opened, shelf("child", parent_id=row["id"]))
        with pytest.raises(StillReferenced):
            async with opened.transaction(Statistics()) as session:
                await delete(session, "Shelf", row["id"])
        assert await self._labels(opened) == ["taken", "child"]

    async def test_deleting_takes_owned_rows_along_and_clears_weak_references(self, opened: Storage) -> None:
        row = shelf("s")
        await self._add(opened, row)
        weak = tag("t", favourite_id=row["id"])
        async with opened.transaction(Statistics()) as session:
            await session.insert("Tag", weak)
            await session.replace_owned("Shelf", "books", row["id"], [book("b")])
            await session.replace_links("Shelf", "tags", row["id"], [weak["id"]])
        async with opened.transaction(Statistics()) as session:
            assert await delete(session, "Shelf", row["id"])
            assert not await delete(session, "Shelf", row["id"])
        found = await self._row(opened, Select("Tag", ("word", "favourite_id")), weak["id"])
        assert found == {"word": "t", "favouriteId": None}
        assert (await opened.reader().select(TITLES)).documents == []

    async def test_links(self, opened: Storage) -> None:
        first, second = shelf("first"), shelf("second")
        await self._add(opened, first, second)
        tags = [tag(word) for word in ("x", "y")]
        async with opened.transaction(Statistics()) as session:
            for row in tags:
                await session.insert("Tag", row)
            await session.replace_links("Shelf", "tags", first["id"], [row["id"] for row in tags])
            await session.replace_links("Shelf", "tags", second["id"], [tags[1]["id"]])
        query = replace(LABELS, relations=(Nested("tags", WORDS),))
        rows = await opened.reader().select(query)
        assert [[row["word"] for row in document["tags"]] for document in rows.documents] == [["x", "y"], ["y"]]
        under = replace(LABELS, where=Under("Tag", "shelves", 0))
        assert await self._labels(opened, under, Arguments((tags[1]["id"],))) == ["first", "second"]
        with pytest.raises(ReferenceNotFound):
            async with opened.transaction(Statistics()) as session:
                await session.replace_links("Shelf", "tags", first["id"], [new_hex()])
        rows = await opened.reader().select(query)
        assert len(rows.documents[0]["tags"]) == 2

    async def test_a_guarded_change_only_matches_its_states(self, opened: Storage) -> None:
        row = shelf("s", colour="red")
        await self._add(opened, row)

        def was(*colours: str) -> Compare:
            return Compare(("colour",), "in", Constant(colours))

        async with opened.transaction(Statistics()) as session:
            assert await change(session, "Shelf", row["id"], {"colour": "green"}, was("green")) is None
            changed = await change(session, "Shelf", row["id"], {"colour": "green"}, was("red"))
            assert changed is not None
            assert changed["colour"] == "green"
            assert await change(session, "Shelf", new_hex(), {"width": 1}) is None

    async def test_concurrent_decrements_add_up_and_respect_the_least(self, opened: Storage) -> None:
        row = shelf("s", width=30)
        await self._add(opened, row)
        enough = every((key_is(0), Compare(("width",), "gte", 1)))

        async def take() -> bool:
            async with opened.transaction(Statistics()) as session:
                modify = Modify("Shelf", enough, (Assignment("width", "decrement", 1),))
                return (await session.modify(modify, (row["id"], 1)))[0] == 1

        results = await asyncio.gather(*(take() for _ in range(40)))
        assert results.count(True) == 30
        assert (await self._row(opened, VIEW, row["id"]))["width"] == 0

    async def test_a_lock_keeps_two_changes_apart(self, opened: Storage) -> None:
        row = shelf("s", width=0)
        await self._add(opened, row)

        async def add_one() -> None:
            async with opened.transaction(Statistics()) as session:
                found = await session.get(replace(VIEW, lock=True), row["id"])
                assert found is not None
                await asyncio.sleep(0)
                await change(session, "Shelf", row["id"], {"width": found.document["width"] + 1})

        await asyncio.gather(*(add_one() for _ in range(20)))
        assert (await self._row(opened, VIEW, row["id"]))["width"] == 20

    async def test_facts_follow_references_of_a_row_that_is_not_stored(self, opened: Storage) -> None:
        top = shelf("top", keeper="ann")
        await self._add(opened, top)
        paths = [("keeper",), ("parent_id",), ("parent_id", "keeper")]

        async def facts(session: Session, values: dict[str, Any]) -> dict[Any, Any]:
            return await session.facts("Shelf", values, paths)

        async with opened.transaction(Statistics()) as session:
            found = await facts(session, {"keeper": "bea", "parent_id": top["id"]})
            assert found == {
                ("keeper",): "bea",
                ("parent_id",): encode("shf", top["id"]),
                ("parent_id", "keeper"): "ann",
            }
            assert await facts(session, {}) == {("keeper",): None, ("parent_id",): None, ("parent_id", "keeper"): None}

    async def test_a_value_that_cannot_be_written_fails_alone(self, opened: Storage) -> None:
        """Rows that come together share a statement, and nothing else."""
        rows = [shelf(f"row {number}", width=number) for number in range(12)]
        rows[3]["width"] = 2**70  # no database keeps it; a driver cannot even bind it
        rows[7]["colour"] = object()
        inserts = (opened.insert("Shelf", row, Statistics()) for row in rows)
        results = await asyncio.gather(*inserts, return_exceptions=True)
        failed = [number for number, result in enumerate(results) if isinstance(result, BaseException)]
        assert failed == [3, 7]
        assert sorted(await self._labels(opened)) == sorted(f"row {n}" for n in range(12) if n not in (3, 7))
