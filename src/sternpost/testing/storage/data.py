"""What the data client asks for: groups, many rows at once, arithmetic, own SQL, savepoints."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from sternpost.errors import ConstraintViolated, Duplicate, ReferenceNotFound
from sternpost.ids import encode, new_hex
from sternpost.plan.query import (
    ALL,
    Aggregate,
    Arithmetic,
    Assignment,
    Compare,
    Constant,
    Measure,
    Modify,
    Nested,
    Remove,
    Upsert,
    key_is,
    ordered,
)
from sternpost.ports.storage import Session, Statistics, Storage, Values
from sternpost.testing.storage.base import Suite, delete, paged
from sternpost.testing.storage.contract import LABELS, VIEW, WORDS, shelf, tag

COUNT = Measure("count")


class GroupSuite(Suite):
    """Values over groups of rows."""

    async def test_values_over_all_rows(self, opened: Storage) -> None:
        await self._add(
            opened,
            shelf("a", width=1, price=Decimal("0.10"), weight=0.5),
            shelf("b", width=2, price=Decimal("0.25"), weight=1.5),
            shelf("c"),
        )
        measures = [COUNT]
        for name in ("width", "price", "weight"):
            measures += [
                Measure("sum", name),
                Measure("avg", name),
                Measure("min", name),
                Measure("max", name),
            ]
        ((count, *found),) = await opened.reader().aggregate(Aggregate("Shelf", tuple(measures)))
        assert count == 3
        assert found[:4] == [3, Decimal("1.5"), 1, 2]
        assert found[4:8] == [Decimal("0.35"), Decimal("0.175"), Decimal("0.10"), Decimal("0.25")]
        assert found[8:] == [2.0, 1.0, 0.5, 1.5]
        none = Aggregate("Shelf", tuple(measures), where=Compare(("label",), "eq", 0))
        assert await opened.reader().aggregate(none, ("nothing",)) == [[0, *[None] * 12]]

    async def test_groups_with_conditions_order_and_pages(self, opened: Storage) -> None:
        top = shelf("top")
        await self._add(
            opened,
            top,
            *(shelf(f"red {n}", colour="red", width=n, parent_id=top["id"]) for n in range(4)),
            *(shelf(f"green {n}", colour="green", width=10 * n) for n in range(2)),
        )
        by_colour = Aggregate("Shelf", (Measure("by", "colour"), COUNT, Measure("sum", "width")), by=("colour",))
        reader = opened.reader()
        assert await reader.aggregate(by_colour) == [["red", 4, 6], ["green", 2, 10], [None, 1, None]]
        largest = replace(by_colour, order=((COUNT, True),), limit=0, offset=1)
        assert await reader.aggregate(largest, (1, 1)) == [["green", 2, 10]]
        several = replace(by_colour, having=((COUNT, "gte", 0), (Measure("avg", "width"), "lt", 1)))
        assert await reader.aggregate(several, (2, Decimal("1.6"))) == [["red", 4, 6]]
        some = replace(by_colour, where=Compare(("width",), "gt", 0))
        assert await reader.aggregate(some, (1,)) == [["red", 2, 5], ["green", 1, 10]]
        ends = Aggregate("Shelf", (Measure("min", "colour"), Measure("max", "colour")))
        assert await reader.aggregate(ends) == [["red", "green"]], "the order is that of the declaration"
        by_reference = Aggregate("Shelf", (Measure("by", "parent_id"), COUNT), by=("parent_id",))
        assert await reader.aggregate(by_reference) == [[encode("shf", top["id"]), 4], [None, 3]]


class BulkSuite(Suite):
    """Many rows with one statement."""

    async def test_many_new_rows(self, opened: Storage) -> None:
        rows = [shelf(f"row {number:04}", width=number % 50) for number in range(1200)]
        statistics = Statistics()
        async with opened.transaction(statistics) as session:
            count, documents = await session.insert_rows("Shelf", rows, skip=False, returning=("label", "width"))
        assert (count, statistics.statements) == (1200, 3)
        assert documents == [{"label": row["label"], "width": row["width"]} for row in rows]
        assert await opened.reader().count(LABELS) == 1200

    async def test_new_rows_of_different_members(self, opened: Storage) -> None:
        rows: list[Values] = [
            {"id": new_hex(), "label": "a", "fixed": True},
            {"id": new_hex(), "label": "b", "fixed": False, "width": 5, "notes": [1]},
            {"id": new_hex(), "label": "c", "fixed": True, "colour": "red"},
            {"id": new_hex(), "label": "d", "fixed": False, "width": 6, "notes": None},
        ]
        fields = ("label", "fixed", "width", "colour", "notes")
        async with opened.transaction(Statistics()) as session:
            count, documents = await session.insert_rows("Shelf", rows, skip=False, returning=fields)
        assert count == 4
        assert documents == [
            {"label": "a", "fixed": True, "width": None, "colour": None, "notes": None},
            {"label": "b", "fixed": False, "width": 5, "colour": None, "notes": [1]},
            {"label": "c", "fixed": True, "width": None, "colour": "red", "notes": None},
            {"label": "d", "fixed": False, "width": 6, "colour": None, "notes": None},
        ]

    async def test_new_rows_that_exist_are_left_out_or_refused(self, opened: Storage) -> None:
        await self._add(opened, shelf("b"))
        rows = [shelf(label) for label in ("a", "b", "c", "c")]
        async with opened.transaction(Statistics()) as session:
            count, documents = await session.insert_rows("Shelf", rows, skip=True, returning=("label",))
            assert (count, documents) == (2, [{"label": "a"}, {"label": "c"}])
        with pytest.raises(Duplicate):
            async with opened.transaction(Statistics()) as session:
                await session.insert_rows("Shelf", [shelf("x"), shelf("c")], skip=False)
        with pytest.raises(ConstraintViolated):
            async with opened.transaction(Statistics()) as session:
                await session.insert_rows("Shelf", [shelf("x"), shelf("y", width=101)], skip=False)
        with pytest.raises(ReferenceNotFound):
            async with opened.transaction(Statistics()) as session:
                await session.insert_rows("Shelf", [shelf("x"), shelf("y", parent_id=new_hex())], skip=True)
        assert sorted(await self._labels(opened)) == ["a", "b", "c"]

    async def test_a_row_is_added_or_changed(self, opened: Storage) -> None:
        row = shelf("s", width=1)
        changes = (Assignment("width", "increment", 0), Assignment("colour", "set", 1))
        upsert = Upsert("Shelf", tuple(row), ("label",), changes, ("label", "width", "colour"))

        async def put() -> dict[str, Any]:
            async with opened.transaction(Statistics()) as session:
                return await session.upsert(upsert, {**row, "id": new_hex()}, (2, "red"))

        assert await put() == {"label": "s", "width": 1, "colour": None}
        assert await put() == {"label": "s", "width": 3, "colour": "red"}
        await asyncio.gather(*(put() for _ in range(10)))
        assert (await opened.reader().select(VIEW)).documents[0]["width"] == 23
        unchanged = replace(upsert, assignments=())
        async with opened.transaction(Statistics()) as session:
            document = await session.upsert(unchanged, {**row, "id": new_hex(), "width": 9}, ())
        assert document == {"label": "s", "width": 23, "colour": "red"}
        assert await opened.reader().count(LABELS) == 1

    async def test_arithmetic_happens_in_the_database(self, opened: Storage) -> None:
        await self._add(opened, shelf("a", width=20, weight=1.5, price=Decimal("10.05")), shelf("b"))
        fraction = (Decimal("0.5"), 1, 2)
        cases: list[tuple[str, Arithmetic, Any, Any]] = [
            ("width", "increment", 5, 25),
            ("width", "decrement", 1, 24),
            ("width", "multiply", 3, 72),
            ("width", "divide", 5, 14),
            ("weight", "multiply", 2.0, 3.0),
            ("price", "increment", Decimal("0.10"), "10.15"),
            ("price", "multiply", fraction, "5.08"),
            ("price", "decrement", Decimal("10.15"), "-5.07"),
            ("price", "multiply", fraction, "-2.54"),
            ("price", "set", None, None),
        ]
        for name, arithmetic, amount, expected in cases:
            modify = Modify("Shelf", ALL, (Assignment(name, arithmetic, 0),), ("label", name))
            async with opened.transaction(Statistics()) as session:
                count, documents = await session.modify(modify, (amount,))
            assert count == 2
            found = {document["label"]: document[name] for document in documents}
            assert found == {"a": expected, "b": None}, (name, arithmetic)

    async def test_changes_of_rows_that_fit(self, opened: Storage) -> None:
        await self._add(opened, *(shelf(f"s{number}", width=number) for number in range(6)))
        wide = Compare(("width",), "gte", 1)
        modify = Modify("Shelf", wide, (Assignment("colour", "set", 0), Assignment("width", "decrement", 2)))
        async with opened.transaction(Statistics()) as session:
            assert await session.modify(modify, ("red", 4, 3)) == (2, [])
        red = replace(LABELS, fields=("label", "width"), where=Compare(("colour",), "eq", Constant("red")))
        rows = (await opened.reader().select(replace(red, order=(ordered("label", False),)))).documents
        assert rows == [{"label": "s4", "width": 1}, {"label": "s5", "width": 2}]
        with pytest.raises(ConstraintViolated):
            async with opened.transaction(Statistics()) as session:
                await session.modify(Modify("Shelf", ALL, (Assignment("width", "increment", 0),)), (100,))
        with pytest.raises(ReferenceNotFound):
            async with opened.transaction(Statistics()) as session:
                await session.modify(Modify("Shelf", ALL, (Assignment("parent_id", "set", 0),)), (new_hex(),))

    async def test_removals_of_rows_that_fit(self, opened: Storage) -> None:
        await self._add(opened, *(shelf(f"s{number}", width=number) for number in range(6)))
        async with opened.transaction(Statistics()) as session:
            assert await session.remove(Remove("Shelf", Compare(("width",), "in", 0)), ([1, 3, 99],)) == 2
            assert await session.remove(Remove("Shelf", Compare(("width",), "lt", 0)), (0,)) == 0
        assert await self._labels(opened) == ["s0", "s2", "s4", "s5"]
        async with opened.transaction(Statistics()) as session:
            assert await session.remove(Remove("Shelf", ALL), ()) == 4

    async def test_pairs_are_added_and_removed(self, opened: Storage) -> None:
        row, tags = shelf("s"), [tag(word) for word in ("x", "y", "z")]
        await self._add(opened, row)
        await self._add(opened, *tags, resource="Tag")
        ids = [found["id"] for found in tags]

        async def words() -> list[str]:
            query = replace(LABELS, relations=(Nested("tags", WORDS),))
            return [word["word"] for word in (await self._row(opened, query, row["id"]))["tags"]]

        async with opened.transaction(Statistics()) as session:
            await session.link("Shelf", "tags", row["id"], ids[:2])
            await session.link("Shelf", "tags", row["id"], [*ids[1:], ids[1]])
        assert await words() == ["x", "y", "z"]
        async with opened.transaction(Statistics()) as session:
            await session.unlink("Shelf", "tags", row["id"], [ids[0], ids[0], new_hex()])
        assert await words() == ["y", "z"]
        for parent, target in ((row["id"], new_hex()), (new_hex(), ids[0])):
            with pytest.raises(ReferenceNotFound):
                async with opened.transaction(Statistics()) as session:
                    await session.link("Shelf", "tags", parent, [target])
        assert await words() == ["y", "z"]


class TransactionSuite(Suite):
    """Parts of transactions, locks, and the author's own SQL."""

    async def test_a_savepoint_is_undone_alone(self, opened: Storage) -> None:

        async def refused(session: Session) -> None:
            async with session.savepoint():
                await session.insert("Shelf", shelf("inside"))
                async with session.savepoint():
                    await session.insert("Shelf", shelf("deep"))
                await session.insert("Shelf", shelf("before"))

        async def given_up(session: Session, key: str) -> None:
            async with session.savepoint():
                await delete(session, "Shelf", key)
                raise ZeroDivisionError

        kept = shelf("kept")
        async with opened.transaction(Statistics()) as session:
            await session.insert("Shelf", shelf("before"))
            with pytest.raises(Duplicate):
                await refused(session)
            async with session.savepoint():
                await session.insert("Shelf", kept)
                with pytest.raises(ZeroDivisionError):
                    await given_up(session, kept["id"])
            await session.insert("Shelf", shelf("after"))
        assert sorted(await self._labels(opened)) == ["after", "before", "kept"]

    async def test_own_sql_reads_and_writes(self, opened: Storage) -> None:
        row = shelf("it's", width=3)
        await self._add(opened, row, shelf("b", width=4))
        reader = opened.reader()
        text = "SELECT label, width FROM shelfs WHERE width >= :least AND label <> ':no' ORDER BY width"
        assert await reader.sql(text, {"least": 3}) == [{"label": "it's", "width": 3}, {"label": "b", "width": 4}]
        by_key = "SELECT id, label, fixed FROM shelfs WHERE id = :key"
        (found,) = await reader.sql(by_key, {"key": reader.key("Shelf", row["id"])})
        assert reader.decoded("Shelf", found) == {"id": encode("shf", row["id"]), "label": "it's", "fixed": False}
        write = "UPDATE shelfs SET width = width + :more WHERE label = :label"
        async with opened.transaction(Statistics()) as session:
            assert await session.execute(write, {"more": 5, "label": "b"}) == 1
            assert await session.execute(write, {"more": 5, "label": "nothing"}) == 0
            assert await session.sql("SELECT width FROM shelfs WHERE label = 'b'", {}) == [{"width": 9}]
        with pytest.raises(ConstraintViolated):
            async with opened.transaction(Statistics()) as session:
                await session.execute("UPDATE shelfs SET width = 1000", {})
        with pytest.raises(RuntimeError):
            await reader.sql("DELETE FROM shelfs RETURNING label", {})
        assert await self._labels(opened) == ["it's", "b"]

    async def test_a_locked_row_waits_for_its_holder(self, opened: Storage) -> None:
        row = shelf("s", width=0)
        await self._add(opened, row)
        inside, order = asyncio.Event(), list[str]()
        query = replace(VIEW, where=key_is(0), lock=True)

        async def hold() -> None:
            async with opened.transaction(Statistics()) as session:
                await session.select(*paged(query, row["id"]))
                inside.set()
                for _ in range(20):
                    await asyncio.sleep(0)
                order.append("first")

        async def follow() -> None:
            await inside.wait()
            async with opened.transaction(Statistics()) as session:
                await session.select(*paged(query, row["id"]))
                order.append("second")

        await asyncio.gather(hold(), follow())
        assert order == ["first", "second"]

    async def test_statements_are_counted(self, opened: Storage) -> None:
        row, statistics = shelf("s"), Statistics()
        async with opened.transaction(statistics) as session:
            await session.insert("Shelf", row)
            await session.get(LABELS, row["id"])
            await session.count(LABELS)
        assert statistics.statements == 3
        reader = opened.reader(statistics)
        await reader.select(*paged(LABELS, limit=1), count=True)
        assert statistics.statements == 4
