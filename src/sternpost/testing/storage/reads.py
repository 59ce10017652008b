"""Reading: values, filters, orders, pages, policies, relations."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from sternpost.ids import encode
from sternpost.plan.policy import AllOf, Owner, PolicyNode, conditions_on_rows
from sternpost.plan.policy import Compare as ComparePolicy
from sternpost.plan.policy import Not as NotPolicy
from sternpost.plan.query import ALL, Compare, Matches, Nested, Node, Not, Operator, Select, by_rank, ordered
from sternpost.ports.storage import Arguments, Asking, Position, Statistics, Storage
from sternpost.testing.storage.base import Suite, delete, paged
from sternpost.testing.storage.contract import LABELS, SHELF, TITLES, UNSORTED, VIEW, book, drawn, shelf

Between = Callable[[], Awaitable[None]]


def sorted_by(*names: str, where: Node = ALL) -> Select:
    """The labels of the shelves that fit, in order; a `-` before a name for descending."""
    order = tuple(ordered(name.removeprefix("-"), name.startswith("-")) for name in names)
    return replace(LABELS, where=where, order=order)


class ReadSuite(Suite):
    """What comes back, and which rows."""

    # -- schema and health

    async def test_creating_the_schema_twice_changes_nothing(self, opened: Storage) -> None:
        await self._add(opened, shelf("kept"))
        assert not await opened.create_schema()
        assert await self._labels(opened) == ["kept"]

    async def test_check_is_quiet_when_all_is_well(self, opened: Storage) -> None:
        await opened.check()

    async def test_words_are_found_and_the_best_rows_come_first(self, opened: Storage) -> None:
        rows = [shelf(label) for label in ("red box", "boxes", "Box-2", "crate")]
        await self._add(opened, *rows)
        search, asked = Matches(("label",), 1, 0), (("box",),)
        found = replace(LABELS, where=search, order=(by_rank(search),))
        assert await self._labels(opened, found, Arguments(asked)) == ["red box", "Box-2", "boxes"]
        position = await opened.reader().position(found, rows[0]["id"], asked)
        assert position is not None
        assert await self._labels(opened, found.behind(position), Arguments(asked, position=position)) == [
            "Box-2",
            "boxes",
        ]

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
            origin={"town": "York", "size": 3, "maker": None},
            parent_id=parent["id"],
        )
        await self._add(opened, parent, full)
        document = dict(await self._row(opened, VIEW, full["id"]))
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
            "origin": {"town": "York", "size": 3, "maker": None},
            "parentId": encode("shf", parent["id"]),
        }
        empty = await self._row(opened, VIEW, parent["id"])
        assert {name for name, value in empty.items() if value is not None} == {"id", "label", "fixed"}

    async def test_instants_keep_their_order_and_zone(self, opened: Storage) -> None:
        start = datetime(2026, 1, 1, tzinfo=UTC)
        instants = [
            start,
            start + timedelta(microseconds=1),
            start + timedelta(milliseconds=500),
            start + timedelta(seconds=1),
        ]
        await self._add(opened, *(shelf(str(index), made_at=instant) for index, instant in enumerate(instants)))
        assert await self._labels(opened, sorted_by("-made_at")) == ["3", "2", "1", "0"]
        after = sorted_by("made_at", where=Compare(("made_at",), "gt", 0))
        assert await self._labels(opened, after, Arguments((start,))) == ["1", "2", "3"]

    async def test_numbers_at_their_limits(self, opened: Storage) -> None:
        row = shelf("n", price=Decimal("9999999999999999.99"), weight=1e308)
        await self._add(opened, row)
        document = await self._row(opened, VIEW, row["id"])
        assert (document["price"], document["weight"]) == ("9999999999999999.99", 1e308)

    async def test_a_row_that_does_not_exist_is_none(self, opened: Storage) -> None:
        await self._add(opened, shelf("here"))
        assert await opened.reader().get(LABELS, "0" * 32) is None

    # -- lists

    async def test_filters(self, opened: Storage) -> None:
        await self._add(
            opened, shelf("a", width=1), shelf("b", width=2), shelf("B_%", width=3), shelf("ab", width=None)
        )
        cases: list[tuple[str, Operator, Any, list[str]]] = [
            ("width", "eq", 2, ["b"]),
            ("width", "ne", 2, ["B_%", "a"]),
            ("width", "gt", 1, ["B_%", "b"]),
            ("width", "gte", 2, ["B_%", "b"]),
            ("width", "lt", 2, ["a"]),
            ("width", "lte", 2, ["a", "b"]),
            ("width", "in", [1, 3], ["B_%", "a"]),
            ("width", "notIn", [1, 3], ["b"]),
            ("width", "isNull", None, ["ab"]),
            ("width", "isNotNull", None, ["B_%", "a", "b"]),
            ("label", "contains", "b", ["ab", "b"]),
            ("label", "contains", "_%", ["B_%"]),
            ("label", "startsWith", "a", ["a", "ab"]),
            ("label", "startsWith", "%", []),
            ("label", "endsWith", "b", ["ab", "b"]),
            ("label", "endsWith", "_%", ["B_%"]),
            ("label", "in", ["a", "x"], ["a"]),
            ("width", "in", [], []),
            ("width", "notIn", [], ["B_%", "a", "b"]),
        ]
        everyone = ["B_%", "a", "ab", "b"]
        for name, operator, value, expected in cases:
            operand = None if operator in ("isNull", "isNotNull") else 0
            condition = Compare((name,), operator, operand)
            found = await self._labels(opened, sorted_by("label", where=condition), Arguments((value,)))
            assert found == expected, (name, operator, value)
            others = await self._labels(opened, sorted_by("label", where=Not(condition)), Arguments((value,)))
            assert sorted([*found, *others]) == everyone, ("not", name, operator, value)

    async def test_order_and_pages(self, opened: Storage) -> None:
        await self._add(opened, shelf("b", width=1), shelf("Z"), shelf("a", width=1), shelf("ä", width=2))
        assert await self._labels(opened, sorted_by("label")) == ["Z", "a", "b", "ä"]
        assert await self._labels(opened, sorted_by("width", "-label")) == ["b", "a", "ä", "Z"]
        assert await self._labels(opened, sorted_by("-width", "label")) == ["Z", "ä", "a", "b"]
        page = await opened.reader().select(*paged(LABELS, limit=2, offset=2), count=True)
        assert ([d["label"] for d in page.documents], page.total) == (["a", "ä"], 4)
        beyond = await opened.reader().select(*paged(LABELS, limit=2, offset=20), count=True)
        assert (beyond.documents, beyond.total) == ([], 4)
        none = await opened.reader().select(*paged(LABELS, limit=0, offset=0), count=True)
        assert (none.documents, none.total) == ([], 4)

    async def test_an_enum_with_an_order_is_sorted_by_it(self, opened: Storage) -> None:
        await self._add(opened, shelf("none"), shelf("green", colour="green"), shelf("red", colour="red"))
        assert await self._labels(opened, sorted_by("colour")) == ["red", "green", "none"]
        assert await self._labels(opened, sorted_by("-colour")) == ["none", "green", "red"]

    async def test_members_of_objects_are_compared_by_their_kind(self, opened: Storage) -> None:
        def origin(town: str, size: int | None, paid: str | None, since: str | None = None) -> dict[str, Any]:
            maker = None if paid is None else {"paid": paid, "since": since}
            return {"town": town, "size": size, "maker": maker}

        await self._add(
            opened,
            shelf("none"),
            shelf("a", origin=origin("Ä", 9, "9.50", "2026-01-31T12:00:00Z")),
            shelf("b", origin=origin("a", 10, "10.00", "2026-01-31T12:00:00.500000Z")),
            shelf("c", origin=origin("", None, None)),
        )
        instant = datetime(2026, 1, 31, 12, tzinfo=UTC)
        cases: list[tuple[str, Operator, Any, list[str]]] = [
            ("town", "eq", "Ä", ["a"]),
            ("town", "gt", "a", ["a"]),
            ("town", "notIn", ["a"], ["a", "c"]),
            ("size", "gt", 9, ["b"]),
            ("size", "in", [9, 10, 11], ["a", "b"]),
            ("size", "isNull", None, ["c", "none"]),
            ("maker.paid", "lt", Decimal(10), ["a"]),
            ("maker.paid", "in", [Decimal(10)], ["b"]),
            ("maker.since", "gt", instant, ["b"]),
            ("maker.since", "eq", instant, ["a"]),
        ]
        for name, operator, value, expected in cases:
            condition = Compare(("origin", *name.split(".")), operator, None if value is None else 0)
            found = await self._labels(opened, sorted_by("label", where=condition), Arguments((value,)))
            assert found == expected, (name, operator, value)
            others = await self._labels(opened, sorted_by("label", where=Not(condition)), Arguments((value,)))
            assert sorted([*found, *others]) == ["a", "b", "c", "none"], ("not", name, operator, value)

    async def test_going_on_from_a_position_gives_the_list_that_a_page_gives(self, opened: Storage) -> None:
        draw = random.Random(7)  # noqa: S311  (a seed, so that a failure can be repeated)
        await self._add(opened, *(drawn(draw, number) for number in range(40)))
        names = [name for name in SHELF if name not in UNSORTED]
        orders: list[tuple[str, ...]] = [(sign + name,) for name in names for sign in ("", "-")]
        for _ in range(40):
            chosen = draw.sample(names, draw.choice((2, 3)))
            orders.append(tuple(draw.choice(("", "-")) + name for name in chosen))
        conditions: list[tuple[Node, tuple[Any, ...]]] = [(ALL, ()), (Compare(("fixed",), "eq", 0), (False,))]
        for order in orders:
            for where, filtered in conditions:
                query = sorted_by(*order, where=where)
                whole = await self._labels(opened, query, Arguments(filtered))
                walked, totals = await self._walk(opened, query, filtered, limit=draw.choice((1, 7, 7, 7)))
                assert walked == whole, order
                assert totals == {len(whole)}

    async def test_a_position_is_found_again_by_its_row(self, opened: Storage) -> None:
        draw = random.Random(13)  # noqa: S311  (a seed, so that a failure can be repeated)
        rows = [drawn(draw, number) for number in range(5)]
        await self._add(opened, *rows)
        names = [name for name in SHELF if name not in UNSORTED]
        for query in (sorted_by(*names), LABELS, sorted_by("-label")):
            part, arguments = paged(query, limit=3)
            found = (await opened.reader().select(part, arguments, resume=True)).next
            assert found is not None
            position: Position = tuple(orjson.loads(orjson.dumps(found)))
            assert await opened.reader().position_now(query, position) == found
        elsewhere = ("another label", *position[1:])
        assert await opened.reader().position_now(sorted_by("-label"), elsewhere) == found
        async with opened.transaction(Statistics()) as session:
            for row in rows:
                await delete(session, "Shelf", row["id"])
        assert await opened.reader().position_now(sorted_by("-label"), position) is None

    async def test_going_on_sees_each_row_once_whatever_comes_and_goes(self, opened: Storage) -> None:
        draw = random.Random(11)  # noqa: S311  (a seed, so that a failure can be repeated)
        for order in ((), ("width",), ("-width", "colour"), ("-made_at",)):
            stay = [drawn(draw, number) for number in range(40)]
            brief = [drawn(draw, number) for number in range(40, 60)]
            await self._add(opened, *stay, *brief)
            added = [drawn(draw, number) for number in range(60, 90)]
            everyone = [*stay, *brief, *added]

            async def disturb(coming: list[dict[str, Any]] = added, going: list[dict[str, Any]] = brief) -> None:
                async with opened.transaction(Statistics()) as session:
                    if coming:
                        await session.insert("Shelf", coming.pop())
                    if going:
                        await delete(session, "Shelf", going.pop()["id"])

            walked, _ = await self._walk(opened, sorted_by(*order), (), limit=3, between=disturb)
            assert len(walked) == len(set(walked)), order
            assert {row["label"] for row in stay} <= set(walked), order
            async with opened.transaction(Statistics()) as session:
                for row in everyone:
                    await delete(session, "Shelf", row["id"])

    async def _walk(
        self,
        storage: Storage,
        query: Select,
        filtered: tuple[Any, ...],
        *,
        limit: int,
        between: Between | None = None,
    ) -> tuple[list[str], set[int | None]]:
        """A whole list from position to position: its labels, and the totals that were told on the way."""
        walked: list[str] = []
        totals: set[int | None] = set()
        position: Position | None = None
        while True:
            part, arguments = paged(query, *filtered, limit=limit, position=position)
            counting = position is None or len(walked) % 2 == 0
            rows = await storage.reader().select(part, arguments, count=counting, resume=True)
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

        async def seen(policy: PolicyNode, subject: str) -> list[str]:
            where = conditions_on_rows(policy, known=True, scopes=frozenset())
            return await self._labels(opened, sorted_by("label", where=where), Arguments(asking=Asking(subject)))

        mine = Owner(("keeper",))
        assert await seen(mine, "ann") == ["mine", "top"]
        assert await seen(mine, "x' OR 1=1 --") == []
        assert await seen(Owner(("parent_id", "keeper")), "ann") == ["hers"]
        assert await seen(NotPolicy(mine), "ann") == ["hers", "none"]
        assert await seen(AllOf((mine, ComparePolicy(("width",), "gte", 5))), "ann") == ["mine"]

    # -- relations

    async def test_relations_cost_one_statement_each(self, opened: Storage) -> None:
        top = shelf("top")
        parts = [shelf(f"part {index}", parent_id=top["id"]) for index in range(3)]
        await self._add(opened, top, *parts)
        relations = (
            Nested("parts", LABELS, 2),
            Nested("parent", replace(LABELS, relations=(Nested("books", TITLES),))),
        )
        async with opened.transaction(Statistics()) as session:
            await session.replace_owned("Shelf", "books", top["id"], [book("z"), book("a")])
        reader = opened.reader(Statistics())
        rows = await reader.select(replace(sorted_by("-label"), relations=relations))
        assert reader.statistics.statements == 4
        found = {document["label"]: document for document in rows.documents}
        assert [part["label"] for part in found["top"]["parts"]] == [
            "part 0",
            "part 1",
        ]  # no more than the contract allows
        assert rows.cut == {"parts"}
        assert found["part 2"]["parent"] == {"label": "top", "books": [{"title": "z"}, {"title": "a"}]}
        assert found["top"]["parent"] is None


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
