"""Reads of the data client, on each database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from sternpost import NotFound, NotLoaded
from sternpost.data.database import Database
from sternpost.errors import Invalid
from tests.data.conftest import filled
from tests.data.library import Book, Label, Page, Person


async def names(db: Database, where: dict[str, Any], **more: Any) -> list[str]:
    return [row.name for row in await db.table(Person).find(where, order=["name"], **more)]


async def titles(db: Database, where: dict[str, Any] | None = None, **more: Any) -> list[str]:
    return [row.title for row in await db.table(Book).find(where, **{"order": ["title"], **more})]


WHERES: list[tuple[dict[str, Any], str]] = [
    ({}, "Ada Bob eve"),
    ({"name": "Ada"}, "Ada"),
    ({"name": {"ne": "Ada"}}, "Bob eve"),
    ({"age": {"ne": 36}}, "eve"),
    ({"age": None}, "Bob"),
    ({"age": {"ne": None}}, "Ada eve"),
    ({"age": {"isNull": False}}, "Ada eve"),
    ({"age": {"gt": 20}}, "Ada"),
    ({"age": {"gte": 20, "lt": 36}}, "eve"),
    ({"age": {"lte": 20}}, "eve"),
    ({"age": {"in": [36, 1]}}, "Ada"),
    ({"age": {"in": []}}, ""),
    ({"age": {"notIn": [36]}}, "eve"),
    ({"age": {"notIn": []}}, "Ada eve"),
    ({"name": {"contains": "d"}}, "Ada"),
    ({"name": {"contains": "E", "mode": "insensitive"}}, "eve"),
    ({"name": {"eq": "EVE", "mode": "insensitive"}}, "eve"),
    ({"name": {"in": ["EVE", "bob"], "mode": "insensitive"}}, "Bob eve"),
    ({"name": {"startsWith": "B"}}, "Bob"),
    ({"name": {"endsWith": "e"}}, "eve"),
    ({"name": {"endsWith": ""}}, "Ada Bob eve"),
    ({"name": {"contains": "%"}}, ""),
    ({"NOT": {"age": {"gt": 20}}}, "Bob eve"),
    ({"NOT": [{"age": 36}, {"name": "Ada"}]}, "Bob eve"),
    ({"OR": [{"age": 36}, {"name": "Bob"}]}, "Ada Bob"),
    ({"OR": []}, ""),
    ({"AND": [{"age": {"gt": 1}}, {"name": {"ne": "eve"}}]}, "Ada"),
    ({"books": {"some": {}}}, "Ada"),
    ({"books": {"none": {}}}, "Bob eve"),
    ({"books": {"some": {"title": "Two"}}}, "Ada"),
    ({"books": {"every": {"title": "Two"}}}, "Bob eve"),
    ({"books": {"every": {"price": {"gt": Decimal(1)}}}}, "Bob eve"),
    ({"books": {"some": {"labels": {"every": {"word": "new"}}}}}, "Ada"),
    ({"books": {"some": {"pages": {"some": {"words": {"gt": 3}}}}}}, "Ada"),
    ({"mentor": {"name": "Ada"}}, "eve"),
    ({"mentor": {"is": {"age": {"gt": 1}}}}, "eve"),
    ({"mentor": {"isNot": {"name": "Ada"}}}, "Ada Bob"),
    ({"mentor": None}, "Ada Bob"),
    ({"mentor": {"isNot": None}}, "eve"),
    ({"mentor": {"mentor": None}}, "eve"),
    ({"pupils": {"some": {"pupils": {"none": {}}}}}, "Ada"),
]


async def test_where(db: Database) -> None:
    await filled(db)
    for where, found in WHERES:
        assert await names(db, where) == found.split(), where
        assert await db.table(Person).count(where) == len(found.split()), where
        assert await db.table(Person).exists(where) == bool(found), where


async def test_every_kind_of_value(db: Database) -> None:
    values: dict[str, Any] = {
        "title": "ß 漢 😀 ' \" \\",
        "price": Decimal("-12.30"),
        "rating": 0.1,
        "rare": True,
        "state": "out",
        "bought_on": date(2024, 2, 29),
        "read_at": datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
        "serial": UUID(int=7),
        "notes": {"a": [1, None]},
    }
    books = db.table(Book)
    made = await books.create(values)
    await books.create({"title": "empty"})
    for name, value in values.items():
        assert getattr(made, name) == value
        if name != "notes":
            assert [row.id for row in await books.find({name: value})] == [made.id]
            assert [row.id for row in await books.find({name: {"ne": value}})] != [made.id]
    assert [row.id for row in await books.find({"notes": {"isNull": False}})] == [made.id]


async def test_values_at_the_edge_come_back_as_they_were(db: Database) -> None:
    books = db.table(Book)
    edges: list[tuple[str, Any]] = [
        *(("read_at", instant.replace(tzinfo=UTC)) for instant in (datetime.min, datetime.max)),
        *(("bought_on", day) for day in (date.min, date.max)),
        *(("rating", number) for number in (2**63, -1e300, 5e-324)),
        *(("price", Decimal(text)) for text in ("99999999.99", "-99999999.99", "1E+7", "0.01")),
    ]
    for number, (name, value) in enumerate(edges):
        made = await books.create({"title": f"edge {number}", name: value})
        found = await books.find({name: value}, order=[name])
        assert [(row.id, getattr(row, name)) for row in found] == [(made.id, value)]
    order = ["read_at", "bought_on"]
    rows = [row.id for row in await books.find(order=order)]
    for number, row in enumerate(rows):
        assert [found.id for found in await books.find(order=order, after=row)] == rows[number + 1 :]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("title", "a\ud800", "lone surrogate"),
        ("notes", {"a": [{"b\0": 1}]}, r"U\+0000"),
        ("notes", ["a\0"], r"U\+0000"),
        ("rating", 10**400, "does not fit"),
        ("price", Decimal("1E+1000000"), "has more than 10 digits"),
        ("read_at", datetime.min.replace(tzinfo=timezone(timedelta(hours=1))), "before the year 1"),
        ("read_at", datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))), "after the year 9999"),
    ],
    ids=["surrogate", "key", "item", "float", "decimal", "first", "last"],
)
async def test_values_that_no_database_keeps(db: Database, name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        await db.table(Book).create({"title": "x", name: value})
    with pytest.raises(ValueError, match=message):
        await db.table(Book).create_many([{"title": "x", name: value}])
    if name != "notes":
        with pytest.raises(ValueError, match=message):
            await db.table(Book).find({name: value})


@pytest.mark.parametrize("price", [Decimal(100_000_000), Decimal("-1E+8")])
async def test_a_decimal_has_no_digit_more_than_its_field(db: Database, price: Decimal) -> None:
    books = db.table(Book)
    made = await books.create({"title": "x", "price": price.copy_sign(Decimal(1)) - Decimal("0.01")})
    for write in (books.create({"title": "y", "price": price}), books.update(made.id, {"price": price})):
        with pytest.raises(ValueError, match="has more than 10 digits"):
            await write
    assert await books.count({"price": {"gte": Decimal(99_999_999)}}) == 1


DECIMALS: list[tuple[dict[str, Any], str]] = [
    ({"price": {"gt": Decimal("10.499")}}, "One"),
    ({"price": {"gt": Decimal("10.501")}}, ""),
    ({"price": {"lt": Decimal("10.501")}}, "One"),
    ({"price": {"lt": Decimal("10.499")}}, ""),
    ({"price": {"lte": Decimal("10.509")}}, "One"),
    ({"price": {"gte": Decimal("10.501")}}, ""),
    ({"price": Decimal("10.501")}, ""),
    ({"price": {"ne": Decimal("10.501")}}, "One"),
    ({"price": {"lt": Decimal("99999999." + 30 * "9")}}, "One"),
    ({"price": {"in": [Decimal("10.5"), Decimal("1.001")]}}, "One"),
    ({"price": {"in": [Decimal("10.501")]}}, ""),
    ({"price": {"notIn": [Decimal("10.501")]}}, "One"),
]


async def test_decimals_compare_exactly(db: Database) -> None:
    await filled(db)
    for where, found in DECIMALS:
        assert await titles(db, where) == found.split(), where


async def test_order_limit_and_offset(db: Database) -> None:
    await filled(db)
    people = db.table(Person)

    async def ordered(*order: Any, **more: Any) -> str:
        return " ".join(row.name for row in await people.find(order=order, **more))

    assert await ordered() == "Ada Bob eve"
    assert await ordered("-name") == "eve Bob Ada"
    assert await ordered("age") == "eve Ada Bob"
    assert await ordered("-age") == "Bob Ada eve"
    assert await ordered({"by": "age", "nulls": "first"}) == "Bob eve Ada"
    assert await ordered({"by": "-age", "nulls": "last"}) == "Ada eve Bob"
    assert await ordered("mentor.name", "-name") == "eve Bob Ada"
    assert await ordered("-name", "name") == "eve Bob Ada", "what is named again changes nothing"
    assert await ordered("-name", limit=1) == "eve"
    assert await ordered("-name", limit=1, offset=1) == "Bob"
    assert await ordered("-name", offset=1) == "Bob Ada"
    assert await ordered(limit=0) == ""


@pytest.mark.parametrize(
    "order",
    [
        [],
        ["name"],
        ["age"],
        ["-age", "name"],
        [{"by": "age", "nulls": "first"}, "-name"],
        [{"by": "-age", "nulls": "last"}],
        ["mentor.name", "-id"],
        ["-id"],
    ],
)
async def test_pages_behind_a_row_are_the_list(db: Database, order: list[Any]) -> None:
    people = db.table(Person)
    await people.create_many(
        [{"name": f"n{index % 3}", "email": str(index), "age": (None, 1, 2)[index % 3]} for index in range(9)]
    )
    first = await people.get({"email": "0"})
    await people.update_many({"email": {"in": ["3", "5"]}}, {"mentor_id": first.id})
    whole = [row.id for row in await people.find(order=order)]
    pages: list[str] = []
    after: Any = None
    while page := await people.find(order=order, limit=2, after=after):
        pages += [row.id for row in page]
        after = page[-1] if len(pages) % 4 else page[-1].id
    assert pages == whole
    assert len(set(whole)) == 9


async def test_distinct_gives_the_first_of_each(db: Database) -> None:
    people = db.table(Person)
    await people.create_many([{"name": f"n{index % 2}", "email": str(index), "age": index} for index in range(6)])
    found = await people.find({"age": {"gt": 0}}, distinct=["name"], order=["-age"])
    assert [(row.name, row.age) for row in found] == [("n1", 5), ("n0", 4)]


async def test_include_is_one_statement_for_each_relation(db: Database) -> None:
    await filled(db)
    before = db.statements
    people = await db.table(Person).find(
        order=["name"],
        include={
            "books": {"order": ["-title"], "include": {"labels": {"order": ["word"]}, "owner": True}},
            "mentor": True,
        },
    )
    assert db.statements - before == 6  # people, books, their pages, labels, owners; mentors
    ada, bob, eve = people
    assert [book.title for book in ada.books] == ["Two", "One"]
    assert [[label.word for label in book.labels] for book in ada.books] == [["new"], ["new", "old"]]
    assert [page.text for page in ada.books[1].pages] == ["a", "b"]
    assert ada.books[0].owner is not None
    assert ada.books[0].owner.row.name == "Ada"
    assert list(bob.books) == []
    assert bob.mentor is None
    assert eve.mentor is not None
    assert eve.mentor.row.name == "Ada"


async def test_include_with_conditions_and_a_limit_for_each_parent(db: Database) -> None:
    people, books = db.table(Person), db.table(Book)
    for name in "ab":
        owner = await people.create({"name": name, "email": name})
        await books.create_many(
            [{"title": f"{name}{index}", "owner_id": owner.id, "edition": index} for index in range(5)]
        )
    limited = {"where": {"edition": {"lt": 4}}, "order": ["-edition"], "limit": 2, "offset": 1, "fields": ["title"]}
    found = await people.find(order=["name"], include={"books": limited})
    assert [[book.title for book in person.books] for person in found] == [["a2", "a1"], ["b2", "b1"]]
    with pytest.raises(NotLoaded, match="edition"):
        _ = found[0].books[0].edition


async def test_only_what_was_read_can_be_touched(db: Database) -> None:
    made = await filled(db)
    [book] = await db.table(Book).find({"title": "One"}, fields=["title", "owner_id"])
    assert book.title == "One"
    assert book.owner is not None
    assert book.owner.id == made["ada"].id
    for name in ("price", "edition", "rare", "state", "words", "pages", "labels"):
        with pytest.raises(NotLoaded, match=f"Book.{name} is not loaded"):
            getattr(book, name)
    with pytest.raises(NotLoaded, match="not loaded"):
        _ = book.owner.row


async def test_no_fields_are_the_id(db: Database) -> None:
    made = await filled(db)
    found = await db.table(Person).find({"name": "Ada"}, fields=[])
    assert [row.id for row in found] == [made["ada"].id]
    with pytest.raises(NotLoaded):
        _ = found[0].name


async def test_into_reads_only_the_columns_of_the_model(db: Database) -> None:
    @dataclass
    class Short:
        title: str
        price: Decimal | None

    class Model(BaseModel):
        id: str
        created_at: datetime

    await filled(db)
    books = db.table(Book)
    assert await books.find({"title": "One"}, into=Short) == [Short("One", Decimal("10.50"))]
    first = await books.first(into=Model)
    assert first is not None
    assert first.created_at.tzinfo is not None
    assert (await books.get({"title": "Two", "edition": 1}, into=Short)).price is None
    with pytest.raises(TypeError, match=r"Wrong\.colour is no field of Book"):
        await books.find(into=dataclass(type("Wrong", (), {"__annotations__": {"colour": str}})))


async def test_get_by_id_and_by_unique_key(db: Database) -> None:
    made = await filled(db)
    people = db.table(Person)
    assert (await people.get(made["ada"].id)).name == "Ada"
    assert (await people.get({"email": "bob@example.com"})).name == "Bob"
    assert (await db.table(Book).get({"edition": 1, "title": "One"})).id == made["one"].id
    with pytest.raises(NotFound):
        await people.get({"email": "nobody"})
    with pytest.raises(TypeError, match="no unique key of name; it has id or email"):
        await people.get({"name": "Ada"})
    with pytest.raises(Invalid, match="not an id of Person"):
        await people.get(made["one"].id)


async def test_owned_rows_are_read_with_their_row_and_by_themselves(db: Database) -> None:
    made = await filled(db)
    book = await db.table(Book).get(made["one"].id)
    assert [(page.text, page.words) for page in book.pages] == [("a", 2), ("b", 4)]
    assert book.words == 10
    assert [page.text for page in await db.table(Page).find({"book": {"title": "One"}}, order=["text"])] == ["a", "b"]


async def test_aggregate(db: Database) -> None:
    books = db.table(Book)
    await books.create_many(
        [
            {
                "title": str(index),
                "price": Decimal(index) / 10,
                "rating": index / 2,
                "state": "in" if index % 3 else "out",
            }
            for index in range(1, 8)
        ]
    )
    await books.create({"title": "free"})
    [whole] = await books.aggregate(sum=["price", "edition"], avg=["price", "rating"], min=["title"], max=["price"])
    assert (whole.count, whole.sum) == (8, {"price": Decimal("2.80"), "edition": 8})
    assert whole.avg == {"price": Decimal("0.4"), "rating": 2.0}
    assert (whole.min, whole.max) == ({"title": "1"}, {"price": Decimal("0.70")})
    groups = await books.aggregate(by=["state"], sum=["price"], order=["-count"])
    assert [(group.by["state"], group.count, group.sum["price"]) for group in groups] == [
        ("in", 6, Decimal("1.90")),
        ("out", 2, Decimal("0.90")),
    ]
    rest = await books.aggregate(by=["state"], avg=["price"], having={"avg": {"price": {"gt": Decimal("0.38")}}})
    assert [(group.by["state"], group.avg["price"]) for group in rest] == [("out", Decimal("0.45"))]
    assert [g.count for g in await books.aggregate(by=["state"], having={"count": {"gte": 3}})] == [6]
    kept = await books.aggregate(by=["state"], sum=["price"], having={"sum": {"price": Decimal("0.90")}})
    assert [group.by["state"] for group in kept] == ["out"]
    [nothing] = await books.aggregate(where={"title": "none"}, sum=["price"], avg=["price"])
    assert (nothing.count, nothing.sum["price"], nothing.avg["price"]) == (0, None, None)
    assert await books.aggregate(where={"title": "none"}, by=["state"]) == []
    assert [g.by["state"] for g in await books.aggregate(by=["state"], order=["-state"], limit=1)] == ["out"]


MISTAKES: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"nam": 1}, TypeError, "Person has no field or relation 'nam'; it has id, name"),
    ({"name": {"like": "x"}}, TypeError, "Person.name has no operator 'like'; it has eq, ne"),
    ({"name": 1}, TypeError, r"Person.name takes str, not int$"),
    ({"age": "1"}, TypeError, "Person.age takes int, not str"),
    ({"age": True}, TypeError, "Person.age takes int, not bool"),
    ({"age": 2**63}, ValueError, "does not fit into 64 bits"),
    ({"age": {"gt": None}}, TypeError, "needs a value"),
    ({"age": {"in": [None]}}, TypeError, "takes no None"),
    ({"age": {"in": 3}}, TypeError, "takes a list, not int"),
    ({"name": "\0"}, ValueError, "NUL"),
    ({"books": {"any": {}}}, TypeError, "takes some, every, none, not 'any'"),
    ({"books": 1}, TypeError, "takes a mapping"),
    ({"mentor": {"nam": 1}}, TypeError, "Person has no field"),
    ({"id": "ada"}, Invalid, "is not an id of Person"),
    ({"OR": {"age": 1}}, TypeError, "OR takes a list"),
]


async def test_mistakes_name_what_is_there(db: Database) -> None:
    for where, error, message in MISTAKES:
        with pytest.raises(error, match=message):
            await db.table(Person).find(where)


async def test_other_mistakes(db: Database) -> None:
    books, people = db.table(Book), db.table(Person)
    for mistake, message in (
        (lambda: people.find(order=["nam"]), "has no field 'nam'"),
        (lambda: people.find(order="name"), r'order is a list: order=\["name"\]'),
        (lambda: people.find(order=["books.title"]), "no reference 'books'"),
        (lambda: people.find(include={"friends": True}), "no relation 'friends' to include"),
        (lambda: people.find(include={"mentor": {"where": {}}}), "takes fields, include, not 'where'"),
        (lambda: people.find(fields="name"), "fields is a list"),
        (lambda: books.find({"read_at": date(2020, 1, 1)}), "takes datetime, not date"),
        (lambda: books.find({"bought_on": datetime(2020, 1, 1, tzinfo=UTC)}), "takes date, not datetime"),
        (lambda: books.find({"price": 1.5}), "takes Decimal or int, not float"),
        (lambda: books.aggregate(sum=["title"]), "which has no sum"),
        (lambda: books.aggregate(by=["state"], having={"count": {"gt": "1"}}), "compares count with a number"),
        (lambda: books.aggregate(by=["state"], having={"avg": {"edition": None}}), "compares avg with a number"),
        (lambda: books.aggregate(by=["state"], order=["title"]), "Groups are ordered by"),
        (lambda: db.table(int), "is not a resource"),
        (lambda: people.find("Ada"), "A where is a mapping .*, not str"),
        (lambda: people.find({"books": {"most": {}}}), "Person.books takes .*, not 'most'"),
        (lambda: books.find({"notes": {"a": 1}}), "Book.notes is JSON: only"),
        (lambda: books.find(order=["notes"]), "Book.notes is JSON, which has no order"),
        (lambda: books.find(order=[5]), "An order is"),
        (lambda: books.find(order=[{"by": "title", "nulls": "between"}]), "An order is"),
        (lambda: books.find(order=[{"by": "title", "up": True}]), "An order is"),
        (lambda: books.aggregate(by=["state"], having={"median": {"edition": 1}}), "having takes .*, not 'median'"),
        (lambda: books.aggregate(by=["state"], having={"count": {"contains": 1}}), "having has no operator 'contains'"),
        (lambda: people.find(into=int), "into takes a dataclass or a Pydantic model"),
    ):
        with pytest.raises(TypeError, match=message):
            await mistake()  # pyright: ignore[reportGeneralTypeIssues]
    with pytest.raises(ValueError, match="no time zone"):
        await books.find({"read_at": datetime(2020, 1, 1)})
    with pytest.raises(ValueError, match="is none of in, out"):
        await books.find({"state": "away"})
    with pytest.raises(ValueError, match="limit is 0 or more"):
        await books.find(limit=-1)
    with pytest.raises(ValueError, match='mode is "sensitive" or "insensitive", not \'loud\''):
        await people.find({"name": {"eq": "Ada", "mode": "loud"}})
    await filled(db)
    with pytest.raises(TypeError, match="Person has no field 'one'"):
        await db.sql("SELECT 1 AS one", into=Person)
    nobody = "per_01980000000070008000000000000001"
    with pytest.raises(NotFound, match=f"There is no Person {nobody} to continue after"):
        await people.find(order=["name"], after=nobody)


async def test_labels_are_reached_from_both_sides(db: Database) -> None:
    await filled(db)
    labels = await db.table(Label).find(
        {"books": {"some": {"owner": {"name": "Ada"}}}}, order=["word"], include={"books": True}
    )
    assert [(label.word, sorted(book.title for book in label.books)) for label in labels] == [
        ("new", ["One", "Two"]),
        ("old", ["One"]),
    ]
