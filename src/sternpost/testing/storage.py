"""The suite that every storage driver passes. A driver's test is a subclass with a `storage` fixture, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import orjson
import pytest

from sternpost.compile.compiler import compile_contract
from sternpost.contract.contract import Contract
from sternpost.contract.fields import field
from sternpost.contract.operations import Browse
from sternpost.contract.policy import public
from sternpost.contract.relations import Many, One, Owned, many, one
from sternpost.contract.resource import Resource
from sternpost.contract.types import Json
from sternpost.errors import ConstraintViolated, Duplicate, ReferenceNotFound, StillReferenced
from sternpost.ids import encode, new_hex
from sternpost.plan.model import Plan
from sternpost.plan.policy import AllOf, Compare, Not, Owner
from sternpost.ports.storage import (
    Condition,
    Include,
    ListShape,
    ListValues,
    Position,
    Session,
    Statistics,
    Storage,
    View,
)


class Shelf(Resource, prefix="shf", owner="keeper"):
    """Something with every kind of value."""

    label: str = field(unique=True, min_length=1, max_length=50)
    keeper: str | None = None
    width: int | None = field(default=None, ge=0, le=100, filter=True)
    weight: float | None = None
    price: Decimal | None = field(default=None, decimal_places=2)
    fixed: bool = field(default=False)
    colour: Literal["red", "green"] | None = None
    made_on: date | None = None
    made_at: datetime | None = None
    serial: UUID | None = None
    notes: Json = field(default=None)
    parent: One[Shelf] | None
    parts: Many[Shelf] = many(max_length=2)
    books: Owned[Book]
    tags: Many[Tag] = many(through="shelf_tags")

    browse = Browse(allow=public)


class Book(Resource, prefix="bok"):
    """Part of a shelf."""

    shelf: One[Shelf]
    title: str


class Tag(Resource, prefix="tag"):
    """Linked with shelves."""

    word: str
    shelves: Many[Shelf] = many(through="shelf_tags")
    favourite: One[Shelf] | None = one(on_delete="set_null")

    browse = Browse(allow=public)


def storage_plan() -> Plan:
    """The plan that the suite runs on."""
    return compile_contract(Contract("storage-suite", resources=[Shelf, Book, Tag])).plan


SHELF = (
    "id",
    "label",
    "keeper",
    "width",
    "weight",
    "price",
    "fixed",
    "colour",
    "made_on",
    "made_at",
    "serial",
    "notes",
    "parent_id",
)
VIEW = View("Shelf", SHELF)
LABELS = View("Shelf", ("label",))
EMPTY: dict[str, Any] = dict.fromkeys(SHELF) | {"fixed": False}


def shelf(label: str, **values: Any) -> dict[str, Any]:
    """A whole row, in the form in which values go in."""
    return {**EMPTY, "id": new_hex(), "label": label, **values}


def _drawn(draw: random.Random, number: int) -> dict[str, Any]:
    """A row of few different values, so that many are equal in some of them, and of nulls."""
    instant = datetime(2026, 3, 1, 12, 0, 0, draw.choice((0, 1, 999_999)), tzinfo=UTC)
    return shelf(
        f"row {number}",
        keeper=draw.choice((None, "ann", "bob")),
        width=draw.choice((None, 0, 1, 2)),
        weight=draw.choice((None, -0.1, 0.1, 1e300)),
        price=draw.choice((None, Decimal("-1.10"), Decimal("2.00"))),
        fixed=draw.random() < 0.5,
        colour=draw.choice((None, "red", "green")),
        made_on=draw.choice((None, date(2026, 1, 1), date(2026, 1, 2))),
        made_at=draw.choice((None, instant)),
        serial=draw.choice((None, UUID(int=1), UUID(int=2))),
    )


class StorageSuite:
    """Inherit, and give it a fixture `storage` with a driver on an empty database."""

    @pytest.fixture
    async def opened(self, storage: Storage) -> AsyncIterator[Storage]:
        await storage.open(storage_plan())
        assert await storage.create_schema()
        yield storage
        await storage.close()

    async def _add(self, storage: Storage, *rows: dict[str, Any]) -> None:
        async with storage.transaction(Statistics()) as session:
            for row in rows:
                await session.insert(VIEW, row)

    async def _labels(
        self, storage: Storage, shape: ListShape | None = None, values: ListValues | None = None
    ) -> list[str]:
        rows = await storage.reader().browse(shape or ListShape(LABELS), values or ListValues())
        return [document["label"] for document in rows.documents]

    # -- schema and health

    async def test_creating_the_schema_twice_changes_nothing(self, opened: Storage) -> None:
        await self._add(opened, shelf("kept"))
        assert not await opened.create_schema()
        assert await self._labels(opened) == ["kept"]

    async def test_check_is_quiet_when_all_is_well(self, opened: Storage) -> None:
        await opened.check()

    # -- values

    async def test_every_kind_of_value_comes_back(self, opened: Storage) -> None:
        parent = shelf("parent")
        instant = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
        full = shelf(
            "q\"uo'te ß 漢 😀 \\",
            keeper="k",
            width=7,
            weight=1.5,
            price=Decimal("-12.30"),
            fixed=True,
            colour="green",
            made_on=date(2024, 2, 29),
            made_at=instant,
            serial=UUID(int=5),
            notes={"a": [1, None, "x", 1.25, True]},
            parent_id=parent["id"],
        )
        await self._add(opened, parent, full)
        row = await opened.reader().get(VIEW, full["id"])
        assert row is not None
        document = dict(row.document)
        assert _instant(document.pop("madeAt")) == instant
        assert str(document.pop("madeOn")) == "2024-02-29"
        assert document == {
            "id": encode("shf", full["id"]),
            "label": full["label"],
            "keeper": "k",
            "width": 7,
            "weight": 1.5,
            "price": "-12.30",
            "fixed": True,
            "colour": "green",
            "serial": str(UUID(int=5)),
            "notes": {"a": [1, None, "x", 1.25, True]},
            "parentId": encode("shf", parent["id"]),
        }
        empty = await opened.reader().get(VIEW, parent["id"])
        assert empty is not None
        assert {name for name, value in empty.document.items() if value is not None} == {"id", "label", "fixed"}

    async def test_instants_keep_their_order_and_zone(self, opened: Storage) -> None:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        instants = [
            start,
            start + timedelta(microseconds=1),
            start + timedelta(milliseconds=500),
            start + timedelta(seconds=1),
        ]
        await self._add(opened, *(shelf(str(index), made_at=instant) for index, instant in enumerate(instants)))
        assert await self._labels(opened, ListShape(LABELS, sort=(("made_at", True),))) == ["3", "2", "1", "0"]
        after = ListShape(LABELS, conditions=(Condition("made_at", "gt"),), sort=(("made_at", False),))
        assert await self._labels(opened, after, ListValues((start,))) == ["1", "2", "3"]

    async def test_numbers_at_their_limits(self, opened: Storage) -> None:
        row = shelf("n", price=Decimal("9999999999999999.99"), weight=1e308)
        await self._add(opened, row)
        found = await opened.reader().get(VIEW, row["id"])
        assert found is not None
        assert (found.document["price"], found.document["weight"]) == ("9999999999999999.99", 1e308)

    # -- lists

    async def test_filters(self, opened: Storage) -> None:
        await self._add(
            opened, shelf("a", width=1), shelf("b", width=2), shelf("B_%", width=3), shelf("ab", width=None)
        )
        cases: list[tuple[str, str, Any, list[str]]] = [
            ("width", "eq", 2, ["b"]),
            ("width", "ne", 2, ["B_%", "a", "ab"]),
            ("width", "gt", 1, ["B_%", "b"]),
            ("width", "gte", 2, ["B_%", "b"]),
            ("width", "lt", 2, ["a"]),
            ("width", "lte", 2, ["a", "b"]),
            ("width", "in", [1, 3], ["B_%", "a"]),
            ("width", "isNull", None, ["ab"]),
            ("width", "isNotNull", None, ["B_%", "a", "b"]),
            ("label", "contains", "b", ["ab", "b"]),
            ("label", "contains", "_%", ["B_%"]),
            ("label", "startsWith", "a", ["a", "ab"]),
            ("label", "startsWith", "%", []),
            ("label", "in", ["a", "x"], ["a"]),
            ("width", "in", [], []),
        ]
        for name, operator, value, expected in cases:
            shape = ListShape(LABELS, conditions=(Condition(name, operator),), sort=(("label", False),))
            assert await self._labels(opened, shape, ListValues((value,))) == expected, (name, operator, value)

    async def test_order_and_pages(self, opened: Storage) -> None:
        await self._add(opened, shelf("b", width=1), shelf("Z"), shelf("a", width=1), shelf("ä", width=2))
        assert await self._labels(opened, ListShape(LABELS, sort=(("label", False),))) == ["Z", "a", "b", "ä"]
        assert await self._labels(opened, ListShape(LABELS, sort=(("width", False), ("label", True)))) == [
            "b",
            "a",
            "ä",
            "Z",
        ]
        assert await self._labels(opened, ListShape(LABELS, sort=(("width", True), ("label", False)))) == [
            "Z",
            "ä",
            "a",
            "b",
        ]
        page = await opened.reader().browse(ListShape(LABELS), ListValues(limit=2, offset=2), count=True)
        assert ([d["label"] for d in page.documents], page.total) == (["a", "ä"], 4)
        beyond = await opened.reader().browse(ListShape(LABELS), ListValues(limit=2, offset=20), count=True)
        assert (beyond.documents, beyond.total) == ([], 4)

    async def test_going_on_from_a_position_gives_the_list_that_a_page_gives(self, opened: Storage) -> None:
        draw = random.Random(7)  # noqa: S311  (a seed, so that a failure can be repeated)
        await self._add(opened, *(_drawn(draw, number) for number in range(60)))
        names = [name for name in SHELF if name not in ("notes", "parent_id")]
        orders: list[tuple[tuple[str, bool], ...]] = [
            ((name, descending),) for name in names for descending in (False, True)
        ]
        for _ in range(40):
            chosen = draw.sample(names, draw.choice((2, 3)))
            orders.append(tuple((name, draw.random() < 0.5) for name in chosen))
        for order in orders:
            for conditions, filtered in (((), ()), ((Condition("fixed", "eq"),), (False,))):
                shape = ListShape(LABELS, conditions=conditions, sort=order)
                whole = await self._labels(opened, shape, ListValues(filtered))
                walked, totals = await self._walk(opened, shape, filtered, limit=draw.choice((1, 7)))
                assert walked == whole, order
                assert totals == {len(whole)}

    async def test_going_on_sees_each_row_once_whatever_comes_and_goes(self, opened: Storage) -> None:
        draw = random.Random(11)  # noqa: S311  (a seed, so that a failure can be repeated)
        for order in ((), (("width", False),), (("width", True), ("colour", False)), (("made_at", True),)):
            stay = [_drawn(draw, number) for number in range(40)]
            brief = [_drawn(draw, number) for number in range(40, 60)]
            await self._add(opened, *stay, *brief)
            added = [_drawn(draw, number) for number in range(60, 90)]
            everyone = [*stay, *brief, *added]

            async def disturb(coming: list[dict[str, Any]] = added, going: list[dict[str, Any]] = brief) -> None:
                async with opened.transaction(Statistics()) as session:
                    if coming:
                        await session.insert(VIEW, coming.pop())
                    if going:
                        await session.delete("Shelf", going.pop()["id"])

            walked, _ = await self._walk(opened, ListShape(LABELS, sort=order), (), limit=3, between=disturb)
            assert len(walked) == len(set(walked)), order
            assert {row["label"] for row in stay} <= set(walked), order
            async with opened.transaction(Statistics()) as session:
                for row in everyone:
                    await session.delete("Shelf", row["id"])

    async def _walk(
        self,
        storage: Storage,
        shape: ListShape,
        filtered: tuple[Any, ...],
        *,
        limit: int,
        between: Callable[[], Awaitable[None]] | None = None,
    ) -> tuple[list[str], set[int | None]]:
        """A whole list from position to position: its labels, and the totals that were told on the way."""
        walked: list[str] = []
        totals: set[int | None] = set()
        position: Position | None = None
        while True:
            part = shape if position is None else shape.behind(position)
            values = ListValues(filtered, limit=limit, after=position, resume=True)
            counting = position is None or len(walked) % 2 == 0
            rows = await storage.reader().browse(part, values, count=counting)
            walked += [document["label"] for document in rows.documents]
            if counting:
                totals.add(rows.total)
            if rows.next is None:
                return walked, totals
            position = tuple(orjson.loads(orjson.dumps(rows.next)))
            if between is not None:
                await between()

    async def test_policies_narrow_lists(self, opened: Storage) -> None:
        top = shelf("top", keeper="ann")
        await self._add(
            opened,
            top,
            shelf("mine", keeper="ann", width=5),
            shelf("hers", keeper="bea", parent_id=top["id"]),
            shelf("none"),
        )
        mine = ListShape(LABELS, policy=Owner(("keeper",)), sort=(("label", False),))
        assert await self._labels(opened, mine, ListValues(subject="ann")) == ["mine", "top"]
        assert await self._labels(opened, mine, ListValues(subject="x' OR 1=1 --")) == []
        through = ListShape(LABELS, policy=Owner(("parent_id", "keeper")))
        assert await self._labels(opened, through, ListValues(subject="ann")) == ["hers"]
        others = ListShape(LABELS, policy=Not(Owner(("keeper",))))
        assert await self._labels(opened, others, ListValues(subject="ann")) == ["hers"]
        both = ListShape(LABELS, policy=AllOf((Owner(("keeper",)), Compare(("width",), "gte", 5))))
        assert await self._labels(opened, both, ListValues(subject="ann")) == ["mine"]

    async def test_includes_cost_one_statement_each(self, opened: Storage) -> None:
        top = shelf("top")
        parts = [shelf(f"part {index}", parent_id=top["id"]) for index in range(3)]
        await self._add(opened, top, *parts)
        plain = View("Shelf", ("label",))
        view = View(
            "Shelf",
            ("label",),
            (
                Include("parts", plain, None),
                Include("parent", View("Shelf", ("label",), (Include("books", View("Book", ("title",)), None),)), None),
            ),
        )
        async with opened.transaction(Statistics()) as session:
            await session.replace_owned(
                "Shelf",
                "books",
                top["id"],
                View("Book", ("title",)),
                [{"id": new_hex(), "title": t} for t in ("z", "a")],
            )
        reader = opened.reader()
        reader.statistics = Statistics()
        rows = await reader.browse(ListShape(view, sort=(("label", True),)), ListValues())
        assert reader.statistics.statements == 4
        found = {document["label"]: document for document in rows.documents}
        assert [part["label"] for part in found["top"]["parts"]] == [
            "part 0",
            "part 1",
        ]  # no more than the contract allows
        assert rows.cut == {"parts"}
        assert found["part 2"]["parent"] == {"label": "top", "books": [{"title": "z"}, {"title": "a"}]}
        assert found["top"]["parent"] is None

    async def test_links(self, opened: Storage) -> None:
        first, second = shelf("first"), shelf("second")
        await self._add(opened, first, second)
        tags: list[dict[str, Any]] = [{"id": new_hex(), "word": word, "favourite_id": None} for word in ("x", "y")]
        words = View("Tag", ("word",))
        async with opened.transaction(Statistics()) as session:
            for tag in tags:
                await session.insert(words, tag)
            await session.replace_links("Shelf", "tags", first["id"], [tag["id"] for tag in tags])
            await session.replace_links("Shelf", "tags", second["id"], [tags[1]["id"]])
        view = View("Shelf", ("label",), (Include("tags", words, None),))
        rows = await opened.reader().browse(ListShape(view), ListValues())
        assert [[tag["word"] for tag in document["tags"]] for document in rows.documents] == [["x", "y"], ["y"]]
        under = ListShape(LABELS, parent=("Tag", "shelves"))
        assert await self._labels(opened, under, ListValues(parent=tags[1]["id"])) == ["first", "second"]
        with pytest.raises(ReferenceNotFound):
            async with opened.transaction(Statistics()) as session:
                await session.replace_links("Shelf", "tags", first["id"], [new_hex()])
        rows = await opened.reader().browse(ListShape(view), ListValues())
        assert len(rows.documents[0]["tags"]) == 2

    # -- writes

    async def test_an_error_rolls_everything_back(self, opened: Storage) -> None:

        async def fail() -> None:
            async with opened.transaction(Statistics()) as session:
                await session.insert(VIEW, shelf("gone"))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert await self._labels(opened) == []

    async def test_a_cancelled_transaction_leaves_nothing_and_blocks_nobody(self, opened: Storage) -> None:
        inside = asyncio.Event()

        async def hang() -> None:
            async with opened.transaction(Statistics()) as session:
                await session.insert(VIEW, shelf("gone"))
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
            await session.insert(VIEW, row)
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
                await session.delete("Shelf", row["id"])
        assert await self._labels(opened) == ["taken", "child"]

    async def test_deleting_takes_owned_rows_along_and_clears_weak_references(self, opened: Storage) -> None:
        row = shelf("s")
        await self._add(opened, row)
        tag = {"id": new_hex(), "word": "t", "favourite_id": row["id"]}
        view = View("Tag", ("word", "favourite_id"))
        async with opened.transaction(Statistics()) as session:
            await session.insert(view, tag)
            await session.replace_owned(
                "Shelf", "books", row["id"], View("Book", ("title",)), [{"id": new_hex(), "title": "b"}]
            )
            await session.replace_links("Shelf", "tags", row["id"], [tag["id"]])
        async with opened.transaction(Statistics()) as session:
            assert await session.delete("Shelf", row["id"])
            assert not await session.delete("Shelf", row["id"])
        found = await opened.reader().get(view, tag["id"])
        assert found is not None
        assert found.document == {"word": "t", "favouriteId": None}
        books = await opened.reader().browse(ListShape(View("Book", ("title",))), ListValues())
        assert books.documents == []

    async def test_a_guarded_update_only_matches_its_states(self, opened: Storage) -> None:
        row = shelf("s", colour="red")
        await self._add(opened, row)
        async with opened.transaction(Statistics()) as session:
            assert await session.update(VIEW, row["id"], {"colour": "green"}, state=("colour", ("green",))) is None
            changed = await session.update(VIEW, row["id"], {"colour": "green"}, state=("colour", ("red",)))
            assert changed is not None
            assert changed["colour"] == "green"
            assert await session.update(VIEW, new_hex(), {"width": 1}) is None

    async def test_concurrent_increments_add_up_and_respect_the_least(self, opened: Storage) -> None:
        row = shelf("s", width=30)
        await self._add(opened, row)

        async def take() -> bool:
            async with opened.transaction(Statistics()) as session:
                return await session.increment("Shelf", row["id"], "width", -1, 0)

        results = await asyncio.gather(*(take() for _ in range(40)))
        assert results.count(True) == 30
        found = await opened.reader().get(VIEW, row["id"])
        assert found is not None
        assert found.document["width"] == 0

    async def test_a_lock_keeps_two_changes_apart(self, opened: Storage) -> None:
        row = shelf("s", width=0)
        await self._add(opened, row)

        async def add_one() -> None:
            async with opened.transaction(Statistics()) as session:
                found = await session.get(VIEW, row["id"], lock=True)
                assert found is not None
                await asyncio.sleep(0)
                await session.update(VIEW, row["id"], {"width": found.document["width"] + 1})

        await asyncio.gather(*(add_one() for _ in range(20)))
        found = await opened.reader().get(VIEW, row["id"])
        assert found is not None
        assert found.document["width"] == 20

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


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
