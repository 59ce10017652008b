"""Queries over relations, their own parts and orders, positions at any place of an order, distinct rows."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from sternpost.errors import Invalid
from sternpost.plan.query import (
    Compare,
    Constant,
    Either,
    Nested,
    Node,
    Not,
    OfList,
    Order,
    Related,
    Select,
    Under,
    every,
    key_is,
    ordered,
    total_order,
)
from sternpost.ports.budget import Budget
from sternpost.ports.storage import Arguments, Position, Statistics, Storage
from sternpost.testing.storage.base import Suite, paged
from sternpost.testing.storage.contract import LABELS, TITLES, WORDS, book, drawn, shelf, tag

BY_LABEL = replace(LABELS, order=(ordered("label", False),))

TOLD = (
    OfList("part_count", "count", "parts"),
    OfList("has_wide", "exists", "parts", Compare(("width",), "gt", Constant(2))),
    OfList("widest", "latest", "parts", field="label", by="width"),
    OfList("book_count", "count", "books"),
    OfList("last_word", "latest", "tags", field="word", by="word"),
)


def by(name: str, *, descending: bool = False, nulls_first: bool = False) -> Order:
    """An order by a field, or by the one at a path with dots."""
    return Order(tuple(name.split(".")), descending, nulls_first)


class RelationSuite(Suite):
    """Rows of other tables: as conditions, and as parts of an answer."""

    async def _furnish(self, storage: Storage) -> dict[str, str]:
        """Two shelves with parts, books and tags, and one alone; ids by label."""
        a, b, c = shelf("a"), shelf("b"), shelf("c")
        parts = [
            shelf(f"{row['label']}{n}", parent_id=row["id"], width=n) for row, m in ((a, 4), (b, 2)) for n in range(m)
        ]
        await self._add(storage, a, b, c, *parts)
        tags = [tag(word, favourite_id=row["id"]) for word, row in (("x", a), ("y", a), ("z", b))]
        await self._add(storage, *tags, resource="Tag")
        async with storage.transaction(Statistics()) as session:
            await session.replace_owned("Shelf", "books", a["id"], [book("q"), book("p"), book("r")])
            await session.replace_owned("Shelf", "books", b["id"], [book("p")])
            await session.replace_links("Shelf", "tags", a["id"], [tags[0]["id"], tags[2]["id"]])
            await session.replace_links("Shelf", "tags", b["id"], [tags[0]["id"]])
        return {row["label"]: row["id"] for row in (a, b, c, *parts)}

    async def test_conditions_over_relations(self, opened: Storage) -> None:
        await self._furnish(opened)
        tops = Compare(("parent_id",), "isNull")
        cases: list[tuple[Node, tuple[Any, ...], list[str]]] = [
            (Related("books", "some", Compare(("title",), "eq", 0)), ("q",), ["a"]),
            (Related("books", "every", Compare(("title",), "eq", 0)), ("p",), ["b", "c"]),
            (Related("books", "none", Compare(("title",), "eq", 0)), ("q",), ["b", "c"]),
            (Related("books", "some", every(())), (), ["a", "b"]),
            (Related("tags", "some", Compare(("word",), "eq", 0)), ("z",), ["a"]),
            (Related("tags", "every", Compare(("word",), "eq", 0)), ("x",), ["b", "c"]),
            (Related("tags", "none", every(())), (), ["c"]),
            (Related("parts", "some", Compare(("width",), "gte", 0)), (2,), ["a"]),
            (Related("parts", "every", Compare(("width",), "lt", 0)), (2,), ["b", "c"]),
            (Not(Related("parts", "some", every(()))), (), ["c"]),
            (
                Related("tags", "some", Related("shelves", "some", Compare(("label",), "eq", 0))),
                ("b",),
                ["a", "b"],
            ),
            (
                Either(
                    (
                        Related("books", "some", Compare(("title",), "eq", 0)),
                        Related("parts", "none", every(())),
                    )
                ),
                ("r",),
                ["a", "c"],
            ),
        ]
        for where, slots, expected in cases:
            query = replace(BY_LABEL, where=every((tops, where)))
            assert await self._labels(opened, query, Arguments(slots)) == expected, where

    async def test_conditions_over_the_row_that_is_referred_to(self, opened: Storage) -> None:
        await self._furnish(opened)
        below = Related("parent", "some", Compare(("label",), "in", 0))
        assert await self._labels(opened, replace(BY_LABEL, where=below), Arguments((["b", "c"],))) == ["b0", "b1"]
        far = every((Compare(("parent_id", "label"), "eq", 0), Compare(("width",), "gt", 1)))
        assert await self._labels(opened, replace(BY_LABEL, where=far), Arguments(("a", 2))) == ["a3"]

    async def test_what_is_told_of_lists(self, opened: Storage) -> None:
        ids = await self._furnish(opened)
        tops = replace(BY_LABEL, where=Compare(("parent_id",), "isNull"), computed=TOLD)
        names = ("label", "partCount", "hasWide", "widest", "bookCount", "lastWord")
        expected = [("a", 4, True, "a3", 3, "z"), ("b", 2, False, "b1", 1, "x"), ("c", 0, False, None, 0, None)]
        for query in (tops, replace(tops, facts=(("width",),), relations=(Nested("parts", LABELS, 1),))):
            rows = await opened.reader().select(query)
            assert [tuple(row[name] for name in names) for row in rows.documents] == expected
        behind = await opened.reader().select(tops.behind(("a", ids["a"])), Arguments(position=("a", ids["a"])))
        assert [row["widest"] for row in behind.documents] == ["b1", None]
        row = await opened.reader().get(Select("Shelf", (), computed=TOLD, facts=(("label",),)), ids["a"])
        assert row is not None
        assert (tuple(row.document.values()), row.facts) == (expected[0][1:], {("label",): "a"})
        below = Nested("parent", replace(LABELS, computed=TOLD[:2]))
        (part,) = (
            await opened.reader().select(replace(LABELS, where=key_is(0), relations=(below,)), Arguments((ids["b1"],)))
        ).documents
        assert part["parent"] == {"label": "b", "partCount": 2, "hasWide": False}
        many = Nested("parts", replace(LABELS, computed=TOLD[2:], order=(by("width", descending=True),)), 1)
        (whole,) = (
            await opened.reader().select(replace(LABELS, where=key_is(0), relations=(many,)), Arguments((ids["a"],)))
        ).documents
        assert whole["parts"] == [{"label": "a3", "widest": None, "bookCount": 0, "lastWord": None}]

    async def test_relations_have_an_order_and_a_part_of_their_own(self, opened: Storage) -> None:
        await self._furnish(opened)
        widest = replace(LABELS, order=(ordered("width", True),))
        tops = replace(BY_LABEL, where=Compare(("parent_id",), "isNull"))

        async def parts(nested: Nested, *slots: int) -> tuple[list[list[str]], set[str]]:
            rows = await opened.reader().select(replace(tops, relations=(nested,)), Arguments(slots))
            return [[part["label"] for part in row["parts"]] for row in rows.documents], set(rows.cut)

        assert await parts(Nested("parts", widest)) == ([["a3", "a2", "a1", "a0"], ["b1", "b0"], []], set())
        assert await parts(Nested("parts", widest, 3)) == ([["a3", "a2", "a1"], ["b1", "b0"], []], {"parts"})
        assert await parts(Nested("parts", widest, 4)) == ([["a3", "a2", "a1", "a0"], ["b1", "b0"], []], set())
        limited = replace(widest, limit=0)
        assert await parts(Nested("parts", limited), 1) == ([["a3"], ["b1"], []], set())
        assert await parts(Nested("parts", limited, 9), 1) == ([["a3"], ["b1"], []], {"parts"})
        behind = replace(widest, offset=0)
        assert await parts(Nested("parts", behind), 3) == ([["a0"], [], []], set())
        middle = replace(widest, limit=0, offset=1)
        assert await parts(Nested("parts", middle), 2, 1) == ([["a2", "a1"], ["b0"], []], set())
        for fields in (("label",), ("label", "notes")):  # rows that may be long are bounded in another way
            part = Nested("parts", replace(middle, fields=fields), 9)
            assert await parts(part, 2, 1) == ([["a2", "a1"], ["b0"], []], {"parts"})
        some = replace(widest, where=Compare(("width",), "lt", 0))
        assert await parts(Nested("parts", some), 2) == ([["a1", "a0"], ["b1", "b0"], []], set())

    async def test_relations_of_relations_and_lists_in_their_order(self, opened: Storage) -> None:
        ids = await self._furnish(opened)
        words = replace(WORDS, order=(ordered("word", True),), relations=(Nested("favourite", LABELS),))
        query = replace(LABELS, relations=(Nested("books", TITLES), Nested("tags", words), Nested("parent", LABELS)))
        assert await self._row(opened, query, ids["a"]) == {
            "label": "a",
            "books": [{"title": "q"}, {"title": "p"}, {"title": "r"}],
            "tags": [{"word": "z", "favourite": {"label": "b"}}, {"word": "x", "favourite": {"label": "a"}}],
            "parent": None,
        }
        reader = opened.reader(Statistics())
        await reader.select(query)
        assert reader.statistics.statements == 5

    async def test_items_keep_the_order_of_their_list_whatever_their_ids(self, opened: Storage) -> None:
        row = shelf("s")
        await self._add(opened, row)
        items = [book(title) for title in "qpr"]
        ids = sorted((item["id"] for item in items), reverse=True)
        async with opened.transaction(Statistics()) as session:
            rows = [{**item, "id": key} for item, key in zip(items, ids, strict=True)]
            await session.replace_owned("Shelf", "books", row["id"], rows)
        query = replace(LABELS, relations=(Nested("books", TITLES),))
        found = [{"title": "q"}, {"title": "p"}, {"title": "r"}]
        assert await self._row(opened, query, row["id"]) == {"label": "s", "books": found}
        assert (await opened.reader().select(query)).documents == [{"label": "s", "books": found}]

    async def test_an_answer_that_grows_too_large_is_refused(self, opened: Storage) -> None:
        await self._furnish(opened)
        query = replace(LABELS, relations=(Nested("parent", replace(LABELS, relations=(Nested("books", TITLES),))),))
        reader = opened.reader()
        # six parts; four of them have a parent with three books, two one with one
        assert len((await reader.select(query, Arguments(budget=Budget(20, 10**6)))).documents) == 9
        with pytest.raises(Invalid):
            await reader.select(query, Arguments(budget=Budget(19, 10**6)))

    async def test_lists_under_a_row(self, opened: Storage) -> None:
        ids = await self._furnish(opened)
        under = replace(BY_LABEL, where=Under("Shelf", "parts", 0))
        assert await self._labels(opened, under, Arguments((ids["b"],))) == ["b0", "b1"]
        assert await self._labels(opened, under, Arguments((ids["c"],))) == []
        titles = replace(TITLES, where=Under("Shelf", "books", 0))
        rows = await opened.reader().select(titles, Arguments((ids["b"],)), count=True)
        assert (rows.documents, rows.total) == ([{"title": "p"}], 1)


class PositionSuite(Suite):
    """Orders of any kind, and going on at any row of them."""

    async def test_the_first_of_rows_that_agree(self, opened: Storage) -> None:
        rows = [("a", 1, "red"), ("b", 2, "red"), ("c", 3, "green"), ("d", 2, "green"), ("e", None, None)]
        await self._add(opened, *(shelf(label, width=width, colour=colour) for label, width, colour in rows))
        query = replace(LABELS, order=(ordered("width", True),), distinct=("colour",))
        assert await self._labels(opened, query) == ["e", "c", "b"]
        assert await self._labels(opened, replace(query, order=(ordered("label", False),))) == ["a", "c", "e"]
        both = replace(BY_LABEL, distinct=("colour", "width"))
        assert await self._labels(opened, both) == ["a", "b", "c", "d", "e"]
        some = replace(query, where=Compare(("width",), "lt", 0))
        assert await self._labels(opened, some, Arguments((3,))) == ["d", "b"]
        page = await opened.reader().select(*paged(query, limit=1, offset=1), count=True)
        assert ([row["label"] for row in page.documents], page.total) == (["c"], 3)
        assert await opened.reader().count(query) == 3

    async def test_upper_and_lower_case(self, opened: Storage) -> None:
        await self._add(opened, shelf("Abc"), shelf("aBC"), shelf("abd"), shelf("Äbc"))
        same = replace(LABELS, where=Compare(("label",), "eq", 0, insensitive=True))
        assert await self._labels(opened, same, Arguments(("abc",))) == ["Abc", "aBC"]
        starts = replace(LABELS, where=Compare(("label",), "startsWith", 0, insensitive=True))
        assert await self._labels(opened, starts, Arguments(("ab",))) == ["Abc", "aBC", "abd"]
        one = replace(LABELS, where=Compare(("label",), "eq", 0))
        assert await self._labels(opened, one, Arguments(("abc",))) == []

    async def test_nulls_come_where_they_are_asked_for(self, opened: Storage) -> None:
        top = shelf("top", width=5)
        await self._add(opened, top, shelf("one", width=1, parent_id=top["id"]), shelf("none"))
        for descending, nulls_first in product((False, True), repeat=2):
            widths = ["top", "one"] if descending else ["one", "top"]
            order = (by("width", descending=descending, nulls_first=nulls_first),)
            expected = ["none", *widths] if nulls_first else [*widths, "none"]
            assert await self._labels(opened, replace(LABELS, order=order)) == expected
        path = (by("parent_id.width", nulls_first=True), by("label"))
        assert await self._labels(opened, replace(LABELS, order=path)) == ["none", "top", "one"]

    async def test_going_on_behind_any_row_of_any_order(self, opened: Storage) -> None:
        draw = random.Random(13)  # noqa: S311  (a seed, so that a failure can be repeated)
        tops = [drawn(draw, number) for number in range(8)]
        rows = [
            {**drawn(draw, 100 + number), "parent_id": draw.choice([None, *(top["id"] for top in tops)])}
            for number in range(24)
        ]
        await self._add(opened, *tops, *rows)
        names = ["width", "colour", "made_at", "keeper", "fixed", "parent_id.width", "parent_id.colour", "label"]
        for _ in range(30):
            order = tuple(
                by(name, descending=draw.random() < 0.5, nulls_first=draw.random() < 0.5)
                for name in draw.sample(names, draw.choice((1, 2, 3)))
            )
            query = Select("Shelf", ("id",), order=order)
            whole = [row["id"] for row in (await opened.reader().select(query)).documents]
            assert len(whole) == 32
            for at in draw.sample(range(32), 3):
                position = await opened.reader().position(query, whole[at].removeprefix("shf_"))
                assert position is not None
                assert len(position) == len(total_order(order))
                limit = draw.choice((None, 5))
                rest = await opened.reader().select(*paged(query, limit=limit, position=position))
                expected = whole[at + 1 :] if limit is None else whole[at + 1 : at + 6]
                assert [row["id"] for row in rest.documents] == expected, order
                behind = await opened.reader().select(*paged(query, limit=2, offset=3, position=position))
                assert [row["id"] for row in behind.documents] == whole[at + 4 : at + 6], order

    async def test_the_place_of_a_row_that_does_not_exist_is_none(self, opened: Storage) -> None:
        assert await opened.reader().position(BY_LABEL, "0" * 32) is None

    async def test_where_a_list_ends_is_told(self, opened: Storage) -> None:
        await self._add(opened, *(shelf(f"s{number}") for number in range(4)))
        nexts: list[Position | None] = []
        for limit, counting in product((3, 4, 5), (False, True)):
            rows = await opened.reader().select(*paged(BY_LABEL, limit=limit), count=counting, resume=True)
            assert len(rows.documents) == min(limit, 4)
            nexts.append(rows.next)
        assert [position is None for position in nexts] == [False, False, True, True, True, True]
