"""Writes of the data client, its transactions and its raw SQL, on each database."""

# ruff: noqa: PT012, SIM117  (what raises is the whole transaction)
from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from sternpost import (
    Browse,
    Conflict,
    Contract,
    Duplicate,
    NotFound,
    Resource,
    Settings,
    Sternpost,
    Timeout,
    field,
    public,
)
from sternpost.data.access import DataAccess
from sternpost.data.backoff import Backoff
from sternpost.data.database import Database
from sternpost.errors import ConstraintViolated, ReferenceNotFound, StillReferenced, WriteConflict
from sternpost.testing import Client
from tests.data.conftest import filled
from tests.data.library import Book, Label, Page, Person, app


async def test_create_gives_defaults_and_what_was_nested(db: Database) -> None:
    book = await db.table(Book).create(
        {
            "title": "New",
            "owner": {"create": {"name": "Zoe", "email": "zoe@example.com"}},
            "labels": {"create": [{"word": "a"}, {"word": "b"}]},
            "pages": {"create": {"text": "only", "words": 3}},
        },
        include={"owner": True, "labels": {"order": ["word"]}},
    )
    assert (book.edition, book.rare, book.state, book.words) == (1, False, "in", 3)
    assert book.owner is not None
    assert book.owner.row.name == "Zoe"
    assert [label.word for label in book.labels] == ["a", "b"]
    person = await db.table(Person).create(
        {"name": "P", "email": "p", "books": {"create": [{"title": "x"}, {"title": "y"}], "connect": [book.id]}}
    )
    assert await db.table(Book).count({"owner": {"email": "p"}}) == 3
    assert await db.table(Person).count() == 2
    assert person.age is None


async def test_a_nested_write_is_undone_as_a_whole(db: Database) -> None:
    await filled(db)
    before = [await db.table(cls).count() for cls in (Person, Book, Label, Page)]
    wrong: dict[str, Any] = {
        "title": "Half",
        "owner": {"create": {"name": "H", "email": "h"}},
        "pages": {"create": [{"text": "p"}]},
        "labels": {"create": [{"word": "fresh"}, {"word": "old"}]},
    }
    with pytest.raises(Duplicate) as error:
        await db.table(Book).create(wrong)
    assert [detail.path for detail in error.value.details] == ["word"]
    async with db.transaction():
        with pytest.raises(Duplicate):
            await db.table(Book).create(wrong)
        await db.table(Label).create({"word": "after"})
    assert [await db.table(cls).count() for cls in (Person, Book, Label, Page)] == [
        *before[:2],
        before[2] + 1,
        before[3],
    ]


async def test_update_one_with_arithmetic_and_nesting(db: Database) -> None:
    made = await filled(db)
    books, people = db.table(Book), db.table(Person)
    book = await books.update(
        made["one"].id,
        {
            "edition": {"increment": 2},
            "price": {"multiply": Decimal("1.1")},
            "pages": {"create": [{"text": "c", "words": 5}]},
        },
        include={"labels": True},
    )
    assert (book.edition, book.price, book.words) == (3, Decimal("11.55"), 15)
    assert [page.text for page in book.pages] == ["a", "b", "c"]
    assert book.updated_at > made["one"].updated_at
    assert book.pages[0].id == made["one"].pages[0].id
    book = await books.update(made["one"].id, {"pages": {"set": [{"text": "z"}]}, "owner": {"disconnect": True}})
    assert ([page.text for page in book.pages], book.words, book.owner) == (["z"], 1, None)
    book = await books.update(book.id, {"owner": {"connect": {"email": "bob@example.com"}}})
    assert book.owner is not None
    assert book.owner.id == made["bob"].id
    await people.update({"email": "ada@example.com"}, {"books": {"set": [book.id]}, "age": None})
    assert [row.title for row in await books.find({"owner": {"name": "Ada"}})] == ["One"]
    await people.update(made["ada"].id, {"books": {"disconnect": [book.id], "connect": [made["three"].id]}})
    assert [row.title for row in await books.find({"owner": {"name": "Ada"}})] == ["Three"]
    with pytest.raises(NotFound):
        await people.update({"email": "nobody"}, {"age": 1})
    with pytest.raises(NotFound):
        await people.update("per_" + "0" * 32, {"age": 1})
    with pytest.raises(ReferenceNotFound):
        await people.update(made["ada"].id, {"books": {"connect": ["bok_" + "0" * 32]}})


@pytest.mark.parametrize("verb", ["create", "connect", "disconnect", "set"])
async def test_lists_of_a_row_that_is_not_there_cannot_be_changed(db: Database, verb: str) -> None:
    made = await filled(db)
    people, nobody = db.table(Person), "per_" + "0" * 32
    given = {"name": "n", "email": "n@example.com"} if verb == "create" else [made["bob"].id]
    with pytest.raises(NotFound):
        await people.update(nobody, {"pupils": {verb: given}})
    assert (await people.count(), await people.count({"mentor_id": None})) == (3, 2)


async def test_only_rows_of_ones_own_are_disconnected(db: Database) -> None:
    made = await filled(db)
    books, people = db.table(Book), db.table(Person)
    await people.update(made["bob"].id, {"books": {"disconnect": [made["one"].id, made["three"].id]}})
    assert await books.count({"owner": {"is": {"name": "Ada"}}}) == 2
    await people.update(made["ada"].id, {"books": {"disconnect": made["one"].id}})
    assert [row.title for row in await books.find({"owner": {"name": "Ada"}})] == ["Two"]


@pytest.mark.parametrize(
    ("start", "change", "result"),
    [
        ("10.50", {"increment": Decimal("0.25")}, "10.75"),
        ("10.50", {"decrement": 1}, "9.50"),
        ("10.50", {"divide": 4}, "2.63"),
        ("10.50", {"divide": -4}, "-2.63"),
        ("-10.50", {"divide": 4}, "-2.63"),
        ("10.00", {"divide": 3}, "3.33"),
        ("1.05", {"multiply": Decimal("0.5")}, "0.53"),
        ("-1.05", {"multiply": Decimal("0.5")}, "-0.53"),
        ("1.05", {"set": Decimal(2)}, "2.00"),
    ],
)
async def test_decimal_arithmetic_is_exact(db: Database, start: str, change: dict[str, Any], result: str) -> None:
    book = await db.table(Book).create({"title": "x", "price": Decimal(start)})
    assert (await db.table(Book).update(book.id, {"price": change})).price == Decimal(result)


@pytest.mark.parametrize(
    "change",
    [
        {"increment": Decimal("0.01")},
        {"multiply": 2},
        {"multiply": -2},
        {"divide": Decimal("0.01")},
    ],
)
async def test_arithmetic_stays_within_the_digits(db: Database, change: dict[str, Any]) -> None:
    most = Decimal("99999999.99")
    book = await db.table(Book).create({"title": "x", "price": most})
    with pytest.raises(ConstraintViolated):
        await db.table(Book).update(book.id, {"price": change})
    assert (await db.table(Book).get(book.id)).price == most
    assert (await db.table(Book).update(book.id, {"price": {"multiply": -1}})).price == -most


async def test_many_to_many(db: Database) -> None:
    made = await filled(db)
    books = db.table(Book)

    async def words() -> list[str]:
        book = await books.get(made["one"].id, include={"labels": {"order": ["word"]}})
        return [label.word for label in book.labels]

    await books.update(made["one"].id, {"labels": {"disconnect": [made["old"].id]}})
    assert await words() == ["new"]
    await books.update(made["one"].id, {"labels": {"connect": [{"word": "old"}, made["new"]], "create": {"word": "x"}}})
    assert await words() == ["new", "old", "x"]
    await books.update(made["one"].id, {"labels": {"set": [made["old"].id]}})
    assert await words() == ["old"]


async def test_pairs_are_set_from_either_side(db: Database) -> None:
    made = await filled(db)
    books, labels = db.table(Book), db.table(Label)

    async def pairs() -> set[tuple[str, str]]:
        found = await books.find(include={"labels": True})
        return {(book.title, label.word) for book in found for label in book.labels}

    await books.update(made["one"].id, {"labels": {"set": [made["old"].id]}})
    assert await pairs() == {("One", "old"), ("Two", "new")}
    await labels.update(made["old"].id, {"books": {"set": [made["two"].id, made["three"].id]}})
    assert await pairs() == {("Two", "old"), ("Three", "old"), ("Two", "new")}
    await books.update(made["two"].id, {"labels": {"set": [made["new"].id]}})
    assert await pairs() == {("Three", "old"), ("Two", "new")}


async def test_create_many(db: Database) -> None:
    people = db.table(Person)
    rows: list[dict[str, Any]] = [{"name": "n", "email": str(index), "age": index} for index in range(1201)]
    before = db.statements
    assert await people.create_many(rows) == 1201
    assert db.statements - before == 3
    assert await people.count() == 1201
    with pytest.raises(Duplicate):
        await people.create_many([{"name": "n", "email": "fresh"}, *rows])
    assert await people.create_many([{"name": "n", "email": "fresh"}, *rows], on_conflict="skip") == 1
    [made] = await people.create_many([{"name": "m", "email": "made"}], returning=True)
    assert (await people.get(made.id)).email == "made"
    assert await people.create_many([]) == 0
    with pytest.raises(TypeError, match="cannot be nested here"):
        await people.create_many([{"name": "n", "email": "e", "books": {"create": []}}])


async def test_update_many_and_delete_many_count(db: Database) -> None:
    made = await filled(db)
    people, books = db.table(Person), db.table(Book)
    assert await people.update_many({"age": {"ne": None}}, {"age": {"increment": 1}}) == 2
    assert await people.update_many({"books": {"some": {}}}, {"name": "Owner"}) == 1
    with pytest.raises(Conflict, match="3 rows fit, and 1 were expected"):
        await people.update_many({}, {"age": 0}, expect=1)
    with pytest.raises(Conflict):
        await people.delete_many({"age": {"ne": None}}, expect=1)
    assert [row.age for row in await people.find(order=["email"])] == [37, None, 21]
    assert (await books.update_many({"title": "Two"}, {"edition": 5}, expect=1)) == 1
    assert (await books.get(made["two"].id)).updated_at > made["two"].updated_at
    assert await people.delete_many({"name": "eve"}) == 1
    with pytest.raises(StillReferenced):
        await people.delete_many({})
    assert await books.delete_many({}) == 3
    assert await db.table(Page).count() == 0
    for call in (people.update_many(None, {"age": 1}), people.delete_many(None)):  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match="needs a where"):
            await call


async def test_delete_by_key(db: Database) -> None:
    made = await filled(db)
    people = db.table(Person)
    assert await people.delete({"email": "bob@example.com"})
    assert not await people.delete({"email": "bob@example.com"})
    assert not await people.delete("per_" + "0" * 32)
    with pytest.raises(StillReferenced):
        await people.delete(made["ada"].id)
    with pytest.raises(RuntimeError, match="Page is written with its Book"):
        await db.table(Page).delete_many({})


async def test_upsert_is_one_statement(db: Database) -> None:
    books = db.table(Book)
    for edition in (1, 1, 2):
        row = await books.upsert(
            {"title": "T", "edition": edition},
            create={"rating": 1.0},
            update={"rating": {"increment": 1}, "rare": True},
        )
    assert [(b.edition, b.rating, b.rare) for b in await books.find(order=["edition"])] == [
        (1, 2.0, True),
        (2, 1.0, False),
    ]
    assert row.edition == 2
    found = await asyncio.gather(*(db.table(Label).upsert({"word": "w"}, create={}, update={}) for _ in range(10)))
    assert len({label.id for label in found}) == 1
    with pytest.raises(TypeError, match=r"no unique key of title; it has id or title \+ edition"):
        await books.upsert({"title": "T"}, create={}, update={})


async def test_upsert_adds_no_row_with_another_key(db: Database) -> None:
    books, key = db.table(Book), {"title": "T", "edition": 1}
    await books.upsert(key, create={**key, "rating": 1.0}, update={})
    with pytest.raises(TypeError, match=r"create has another value for Book\.edition than the key"):
        await books.upsert(key, create={"edition": 2}, update={})
    made = await books.first({})
    assert made is not None
    with pytest.raises(TypeError, match=r"another value for Book\.id"):
        await books.upsert(
            made.id, create={"id": made.id[:-1] + ("1" if made.id.endswith("0") else "0"), **key}, update={}
        )
    assert await books.count() == 1


class Badge(Resource, prefix="bad"):
    """Has a number, or none yet."""

    number: int | None = field(unique=True)

    browse = Browse(allow=public)


async def test_upsert_finds_no_row_by_a_missing_value(make_settings: Callable[..., Settings]) -> None:
    """Any number of rows may be without a value, so each call would add another one."""
    async with Sternpost(Contract("badges", resources=[Badge]), settings=make_settings()).data() as db:
        await db.access.model.storage.create_schema()
        badges = db.table(Badge)
        with pytest.raises(TypeError, match=r"Badge\.number is None, and no row is found by that"):
            await badges.upsert({"number": None}, create={}, update={})
        assert await badges.count() == 0


async def test_increments_add_up(db: Database) -> None:
    person = await db.table(Person).create({"name": "n", "email": "e", "age": 0})
    await asyncio.gather(*(db.table(Person).update(person.id, {"age": {"increment": 1}}) for _ in range(50)))
    taken = await asyncio.gather(
        *(
            db.table(Person).update_many({"id": person.id, "age": {"gte": 20}}, {"age": {"decrement": 20}})
            for _ in range(5)
        )
    )
    assert (sum(taken), (await db.table(Person).get(person.id)).age) == (2, 10)


async def test_errors_are_the_clients_own(db: Database) -> None:
    await filled(db)
    with pytest.raises(Duplicate) as duplicate:
        await db.table(Person).create({"name": "x", "email": "ada@example.com"})
    assert [detail.path for detail in duplicate.value.details] == ["email"]
    with pytest.raises(ReferenceNotFound) as missing:
        await db.table(Book).create({"title": "x", "owner_id": "per_" + "0" * 32})
    assert [detail.path for detail in missing.value.details] == ["ownerId"]
    with pytest.raises(ConstraintViolated):
        await db.table(Book).update_many({}, {"edition": -1})
    with pytest.raises(ReferenceNotFound, match="There is no Person with this email"):
        await db.table(Book).create({"title": "x", "owner": {"connect": {"email": "nobody"}}})


async def test_mistakes_in_data(db: Database) -> None:
    made = await filled(db)
    books, people = db.table(Book), db.table(Person)
    for attempt, message in (
        (people.create({"nam": 1}), "Person has no field or relation 'nam'"),
        (people.create({"name": 1, "email": "x"}), "Person.name takes str, not int"),
        (people.create({"name": "x", "email": "x", "age": {"increment": 1}}), "cannot be computed"),
        (people.update(made["ada"].id, {"name": {"increment": 1}}), "is no number"),
        (people.update(made["ada"].id, {"age": {"add": 1}}), "takes a value, or one of set, increment"),
        (
            books.update(made["one"].id, {"labels": {"delete": []}}),
            "takes connect, create, disconnect, set, not 'delete'",
        ),
        (books.update(made["one"].id, {"labels": [1]}), "is a relation"),
        (people.update_many({}, {"books": {"set": []}}), "cannot be nested here"),
        (people.update_many({}, {}), "nothing to change"),
        (people.create([1]), "written from a mapping"),
    ):
        with pytest.raises(TypeError, match=message):
            await attempt
    with pytest.raises(ValueError, match="cannot be divided by 0"):
        await people.update(made["ada"].id, {"age": {"divide": 0}})
    with pytest.raises(ValueError, match='on_conflict is "error" or "skip", not \'ignore\''):
        await people.create_many([{"name": "x", "email": "x"}], on_conflict="ignore")
    with pytest.raises(ValueError, match="has 2 decimal places"):
        await books.create({"title": "x", "price": Decimal("1.001")})


async def test_contradictions_in_nested_data(db: Database) -> None:
    made = await filled(db)
    books, people = db.table(Book), db.table(Person)
    ada, one = made["ada"].id, made["one"].id
    before = [await db.table(kind).count() for kind in (Person, Book, Page)]
    for attempt, message in (
        (
            books.create({"title": "x", "owner": {"connect": ada, "create": {}}}),
            "Book.owner takes one of .*not connect",
        ),
        (books.create({"title": "x", "owner": {}}), "Book.owner takes one of .*, not nothing"),
        (books.create({"title": "x", "owner": {"connect": ada}, "owner_id": ada}), "Book.owner and owner_id both say"),
        (books.update(one, {"owner": {"disconnect": True}, "owner_id": ada}), "Book.owner and owner_id both say"),
        (books.update(one, {"pages": {"create": [], "set": [{"text": "x"}]}}), "pages takes create or set, not both"),
        (people.update(ada, {"age": {"increment": None}}), "Person.age: 'increment' needs a number"),
        (
            people.create_many([{"name": "x", "email": "x", "age": {"increment": 1}}]),
            "age cannot be computed from what",
        ),
    ):
        with pytest.raises(TypeError, match=message):
            await attempt
    assert [await db.table(kind).count() for kind in (Person, Book, Page)] == before


async def test_transactions_with_limits_that_are_none(db: Database) -> None:
    async def work(db: Database) -> int:
        return await db.table(Label).count()

    for timeout in (0, -1):
        with pytest.raises(ValueError, match=f"timeout is a number of seconds above 0, not {timeout}"):
            async with db.transaction(timeout=timeout):
                pytest.fail("it has no time")
    with pytest.raises(ValueError, match="retries is 0 or more, not -1"):
        await db.run(work, retries=-1)
    assert await db.run(work, retries=0, timeout=5) == 0


async def test_transactions_and_savepoints(db: Database, other: Database) -> None:
    labels = db.table(Label)
    with pytest.raises(LookupError):
        async with db.transaction():
            await labels.create({"word": "undone"})
            raise LookupError
    assert await labels.count() == 0
    async with db.transaction():
        await labels.create({"word": "outer"})
        with pytest.raises(Duplicate):
            async with db.transaction():
                await labels.create({"word": "inner"})
                await labels.create({"word": "outer"})
        async with db.transaction():
            await labels.create({"word": "second"})
        assert await labels.count() == 2
        assert await other.table(Label).count() == 0
    assert [label.word for label in await labels.find(order=["word"])] == ["outer", "second"]
    with pytest.raises(TypeError, match="not for a savepoint"):
        async with db.transaction():
            async with db.transaction(isolation="serializable"):
                pass


async def test_what_outlives_its_transaction_is_part_of_no_other(db: Database) -> None:
    labels, begun = db.table(Label), asyncio.Event()

    async def late(call: Callable[[], Awaitable[Any]]) -> Any:
        await begun.wait()
        return await call()

    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: labels.create({"word": "late"}),
        labels.find,
        lambda: labels.update_many({}, {"word": "late"}),
        lambda: db.execute("delete from labels"),
        lambda: db.sql("select word from labels"),
    ]
    async with db.transaction():
        await labels.create({"word": "first"})
        tasks = [asyncio.create_task(late(call)) for call in calls]
    async with db.transaction():
        await labels.create({"word": "second"})
        begun.set()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, RuntimeError), result
            assert "has ended" in str(result)
    assert [label.word for label in await labels.find(order=["word"])] == ["first", "second"]


async def test_parts_of_a_transaction_do_not_overlap(db: Database) -> None:
    """What would be undone with one of them, and what kept, nobody could say."""
    labels = db.table(Label)

    async def part(number: int) -> None:
        async with db.transaction():
            await labels.create({"word": f"{number}"})
            await asyncio.sleep(0.01 * (3 - number))
            await labels.create({"word": f"{number} again"})
            if number == 1:
                raise LookupError

    async with db.transaction():
        results = await asyncio.gather(*(part(number) for number in range(3)), return_exceptions=True)
        assert results[0] is None
        assert all(isinstance(result, RuntimeError) for result in results[1:]), results
    assert [label.word for label in await labels.find(order=["word"])] == ["0", "0 again"]
    async with db.transaction():
        with pytest.raises(LookupError):
            await part(1)
        async with db.transaction():
            await asyncio.wait_for(part(2), 5)  # in a task of its own, which is waited for
    assert await labels.count() == 4


@pytest.mark.parametrize("text", ["commit", " -- now\n/* so */ ROLLBACK", "begin", "End;", "savepoint a", "; commit"])
async def test_sql_neither_begins_nor_ends_a_transaction(db: Database, text: Any) -> None:
    labels = db.table(Label)
    with pytest.raises(LookupError):
        async with db.transaction():
            await labels.create({"word": "undone"})
            for call in (db.execute, db.sql):
                with pytest.raises(TypeError, match="cannot be sent as a statement"):
                    await call(text)
            raise LookupError
    assert await labels.count() == 0


async def test_an_isolation_that_no_database_has(db: Database) -> None:
    wrong: Any = "serialisable"
    with pytest.raises(ValueError, match="isolation is read committed, repeatable read, serializable"):
        async with db.transaction(isolation=wrong):
            pass


async def test_what_is_cancelled_is_undone_and_gives_its_connection_back(db: Database) -> None:
    started = asyncio.Event()

    async def work() -> None:
        async with db.transaction():
            await db.table(Label).create({"word": "x"})
            started.set()
            await asyncio.Event().wait()

    for _ in range(12):  # more than the pool has
        started.clear()
        task = asyncio.create_task(work())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await db.table(Label).count() == 0
    await db.table(Label).create({"word": "x"})


async def test_a_transaction_that_takes_too_long_is_undone(db: Database) -> None:
    with pytest.raises(Timeout):
        async with db.transaction(timeout=0.05):
            await db.table(Label).create({"word": "late"})
            await asyncio.Event().wait()
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) as i from n where i < 0"
    with pytest.raises(Timeout):
        async with db.transaction(timeout=0.2):
            await db.table(Label).create({"word": "late"})
            await db.sql(endless)
    assert await db.table(Label).count() == 0


async def test_a_part_of_a_transaction_that_takes_too_long_is_undone_alone(db: Database) -> None:
    labels = db.table(Label)
    async with db.transaction():
        await labels.create({"word": "before"})
        with pytest.raises(Timeout):
            async with db.transaction(timeout=0.05):
                await labels.create({"word": "late"})
                await asyncio.Event().wait()
        await labels.create({"word": "behind"})
    assert [row.word for row in await labels.find(order=["word"])] == ["before", "behind"]


@pytest.mark.parametrize("outer", [True, False])
async def test_nothing_is_kept_of_a_transaction_that_was_ended_in_the_middle(db: Database, outer: bool) -> None:
    """SQLite rolls back as a whole what it interrupts: nothing may be written behind that, whoever catches the error."""
    counted = (
        "(with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000000) select max(i) from n)"
    )
    await db.table(Label).create({"word": "first"})
    with pytest.raises((Timeout, RuntimeError)):
        async with db.transaction(timeout=0.3 if outer else None):
            await db.table(Label).create({"word": "before"})
            with suppress(Timeout):
                async with db.transaction(timeout=None if outer else 0.3):
                    await db.execute(f"update labels set word = {counted}")
            await db.table(Label).create({"word": "behind"})
            assert outer or (await db.table(Label).count() == 3), "a savepoint of PostgreSQL was undone alone"
            raise RuntimeError
    assert [row.word for row in await db.table(Label).find()] == ["first"]
    await db.table(Label).create({"word": "next"})


COUNT = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000000) select max(i) as i from n"


async def test_a_transaction_runs_one_statement_at_a_time(db: Database) -> None:
    """A second one while the first is under way is refused, and nothing waits for ever."""

    async def later() -> None:
        await asyncio.sleep(0.05)
        await db.table(Label).create({"word": "second"})

    with pytest.raises(RuntimeError, match="one statement at a time"):
        async with asyncio.timeout(30), db.transaction():
            await asyncio.gather(db.sql(COUNT), later())
    assert await db.table(Label).count() == 0
    await db.table(Label).create({"word": "next"})


async def test_a_long_statement_is_ended_however_often_it_is_cancelled(db: Database) -> None:
    async def work() -> None:
        async with db.transaction():
            await db.table(Label).create({"word": "lost"})
            await db.sql(COUNT.replace("3000000", "300000000"))

    for wait in (0.01, 0.05, 0.1):
        task = asyncio.create_task(work())
        await asyncio.sleep(wait)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            with pytest.raises(asyncio.CancelledError):
                await task
        await db.table(Label).create({"word": f"next {wait}"})
    assert await db.table(Label).count() == 3


async def test_what_takes_too_long_in_a_savepoint_says_so(db: Database) -> None:
    for _ in range(3):  # the server ends the idle connection at about the same time
        with pytest.raises(Timeout):
            async with db.transaction(timeout=0.1):
                async with db.transaction():
                    await db.table(Label).create({"word": "late"})
                    time.sleep(0.15)  # so that the server is the first
                    await asyncio.sleep(0.1)
    assert await db.table(Label).count() == 0


@pytest.mark.parametrize("database", ["postgresql"])
async def test_what_postgresql_has_undone_is_not_taken_for_kept(db: Database) -> None:
    labels = db.table(Label)
    await labels.create({"word": "taken"})
    with pytest.raises(RuntimeError, match="rolls all of it back"):
        async with db.transaction():
            await labels.create({"word": "lost"})
            with pytest.raises(Duplicate):
                await labels.create({"word": "taken"})
    with pytest.raises(RuntimeError, match="rolls all of it back"):
        async with db.transaction():
            with pytest.raises(Duplicate):
                await labels.create({"word": "taken"})
            await labels.create({"word": "lost"})
    async with db.transaction():
        with pytest.raises(RuntimeError, match="rolls all of it back"):
            async with db.transaction():
                with pytest.raises(Duplicate):
                    await labels.create({"word": "taken"})
        await labels.create({"word": "kept"})  # what was caught in a savepoint ends no more than that
    assert [label.word for label in await labels.find(order=["word"])] == ["kept", "taken"]


async def test_numbers_that_become_too_large_are_refused(db: Database) -> None:
    ada = await db.table(Person).create({"name": "Ada", "email": "ada@example.com", "age": 2**63 - 1})
    for change in ({"increment": 1}, {"multiply": 2}):
        with pytest.raises(ConstraintViolated):
            await db.table(Person).update(ada.id, {"age": change})
        with pytest.raises(ConstraintViolated):
            await db.table(Person).update_many({}, {"age": change})
    assert (await db.table(Person).get(ada.id)).age == 2**63 - 1


async def test_fractions_that_become_too_large_are_refused(db: Database) -> None:
    books = db.table(Book)
    book = await books.create({"title": "x", "rating": 1e308})
    for change in ({"multiply": 10}, {"increment": 1e308}, {"divide": 1e-9}):
        with pytest.raises(ConstraintViolated):
            await books.update(book.id, {"rating": change})
        with pytest.raises(ConstraintViolated):
            await books.update_many({}, {"rating": change})
    assert (await books.get(book.id)).rating == 1e308
    assert (await books.update(book.id, {"rating": {"divide": 1e300}})).rating == 1e8


async def test_sums_are_exact_or_refused(db: Database) -> None:
    people, books = db.table(Person), db.table(Book)
    for number, age in enumerate((2**63 - 1, 2**63 - 1, -5, None)):
        await people.create({"name": "x", "email": str(number), "age": age})
    [found] = await people.aggregate(sum=["age"], avg=["age"])
    assert (found.sum["age"], found.avg["age"]) == (2**64 - 7, Decimal(2**64 - 7) / 3)
    await books.create_many([{"title": title, "rating": 1e308} for title in "abc"])
    for measures in ({"sum": ["rating"]}, {"avg": ["rating"]}):
        with pytest.raises(ConstraintViolated):
            await books.aggregate(**measures)


@pytest.mark.parametrize("database", ["postgresql"])
async def test_two_statements_at_once_in_a_transaction_are_told_apart_from_a_lost_database(db: Database) -> None:
    async with db.transaction():
        results = await asyncio.gather(*(db.table(Label).count() for _ in range(2)), return_exceptions=True)
    assert results[0] == 0
    assert isinstance(results[1], RuntimeError)
    assert "one after the other" in str(results[1])
    assert await db.table(Label).count() == 0


async def test_locks_need_a_transaction(db: Database) -> None:
    made = await filled(db)
    with pytest.raises(RuntimeError, match="A lock ends with its transaction"):
        await db.table(Person).get(made["ada"].id, lock=True)
    async with db.transaction():
        assert (await db.table(Person).get(made["ada"].id, lock=True)).name == "Ada"


@pytest.mark.parametrize("database", ["postgresql"])
async def test_items_that_are_added_at_the_same_time_are_all_counted(db: Database, other: Database) -> None:
    """Who adds one waits until the other is there."""
    book = await db.table(Book).create({"title": "t", "pages": {"create": {"text": "1", "words": 1}}})

    async def add(to: Database, text: str, words: int) -> None:
        await to.table(Book).update(book.id, {"pages": {"create": {"text": text, "words": words}}})

    async with db.transaction():
        await add(db, "2", 10)
        adding = asyncio.create_task(add(other, "3", 100))
        async with asyncio.timeout(10):
            while not await db.sql("select 1 from pg_locks where pg_backend_pid() = any(pg_blocking_pids(pid))"):
                await asyncio.sleep(0.01)
    await adding
    found = await db.table(Book).get(book.id)
    assert ([page.text for page in found.pages], found.words) == (["1", "2", "3"], 111)


async def test_run_tries_again_after_a_conflict(db: Database) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    patient = Database(DataAccess(db.access.model, backoff=Backoff(sleep, lambda: 0.5)))
    tries = 0

    async def work(tx: Database) -> int:
        nonlocal tries
        tries += 1
        await tx.table(Label).create({"word": f"w{tries}"})
        if tries < 3:
            raise WriteConflict
        return tries

    assert await patient.run(work) == 3
    assert waits == [0.01, 0.02]
    assert [label.word for label in await db.table(Label).find()] == ["w3"]
    with pytest.raises(WriteConflict):
        tries = -10
        await patient.run(work, retries=1)
    with pytest.raises(RuntimeError, match="call run outside it"):
        async with patient.transaction():
            await patient.run(work)


@pytest.mark.parametrize("database", ["postgresql"])
async def test_two_serializable_transactions_both_happen(db: Database, other: Database) -> None:
    person = await db.table(Person).create({"name": "n", "email": "e", "age": 0})
    both = asyncio.Barrier(2)
    tries = 0

    async def add(tx: Database) -> None:
        nonlocal tries
        tries += 1
        found = await tx.table(Person).get(person.id)
        if tries <= 2:
            await both.wait()
        await tx.table(Person).update(person.id, {"age": (found.age or 0) + 1})

    await asyncio.gather(db.run(add, isolation="serializable"), other.run(add, isolation="serializable"))
    assert (await db.table(Person).get(person.id)).age == 2
    assert tries == 3


async def test_raw_sql(db: Database) -> None:
    await filled(db)

    @dataclass
    class Line:
        title: str
        bought_on: date | None

    await db.table(Book).update_many({"title": "One"}, {"bought_on": date(2024, 2, 29)})
    rows = await db.sql(
        """select title /* :no, 'it''s */, ':text' as t, "edition" as e from books -- :comment
        where edition >= :edition and title <> :title and (:edition > 0 or title = ':title') order by title""",
        edition=1,
        title="Two",
    )
    assert rows == [{"title": "One", "t": ":text", "e": 1}, {"title": "Three", "t": ":text", "e": 1}]
    found = await db.sql("select title, bought_on from books where title = :t", into=Line, t="One")
    assert found == [Line("One", date(2024, 2, 29))]
    [book] = await db.sql("select id, price, created_at from books where title = 'One'", into=Book)
    assert (book.price, book.created_at.tzinfo is not None) == (Decimal("10.50"), True)
    assert (await db.table(Book).get(book.id)).title == "One"
    assert await db.execute("update books set edition = 2 where id = :id", id=db.key(book.id)) == 1
    assert await db.execute("update books set edition = 2 where title = '''; drop table books'") == 0
    with pytest.raises(Duplicate):
        await db.execute("update labels set word = :word", word="same")
    with pytest.raises(RuntimeError, match="only reads are allowed"):
        await db.sql("delete from books returning id")
    assert await db.table(Book).count() == 3
    async with db.transaction():
        assert len(await db.sql("delete from book_labels returning book_id")) == 3


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("select :a", {}, "names :a, but no value was given"),
        ("select 1", {"a": 1}, "does not name :a"),
        ("select %s", {}, "is not a supported parameter"),
        ("select $1", {}, "is not a supported parameter"),
        ("select {total}", {"total": 1}, "is not a supported parameter"),
        ("select %(a)s", {"a": 1}, "is not a supported parameter"),
    ],
)
async def test_mistakes_in_raw_sql(db: Database, text: Any, values: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        await db.sql(text, **values)


async def test_in_services(db: Database) -> None:
    async with Client(app) as client:
        answer = await client.get("/api/v1/books/look")
        assert answer.data["said"] == "RuntimeError RuntimeError OnlyReads 0"
        assert (await client.post("/api/v1/books/write", json={})).data["said"] == "kept"
        async with app.data() as shared:
            assert await shared.table(Label).count() == 1


async def test_what_was_not_expected_is_undone_where_it_is_caught(db: Database) -> None:
    labels = db.table(Label)
    await labels.create_many([{"word": "a"}, {"word": "b"}])
    async with db.transaction():
        with pytest.raises(Conflict):
            await labels.delete_many({}, expect=1)
        with pytest.raises(Conflict):
            await labels.update_many({"word": "a"}, {"word": "c"}, expect=2)
        assert [label.word for label in await labels.find(order=["word"])] == ["a", "b"]
    assert [label.word for label in await labels.find(order=["word"])] == ["a", "b"]
