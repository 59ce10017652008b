"""Rows that are kept when they are deleted: nothing finds them, until they are restored. On each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Many,
    One,
    Owned,
    Payload,
    Read,
    Replace,
    Resource,
    Restore,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    many,
    one,
    public,
    scope,
    this,
)
from sternpost.errors import Duplicate, NotFound, ReferenceNotFound, StillReferenced
from sternpost.testing import Client
from sternpost.testing.client import Response
from tests.conftest import SECRET, LogLines

V1 = "/api/v1"


class Asked(Payload):
    """A row to delete or restore by a repository."""

    what: str
    row: str


class Shelf(Resource, prefix="shf", plural="shelves", soft_delete=True):
    name: str = field(unique=True, filter=True)
    floor: int = field(default=0, filter=True)
    version: int = field(auto="version")
    books: Many[Book]

    browse = Browse(allow=public, sort=["name"], export=True)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=scope("shelves:admin"))
    data = Custom(allow=public, on="collection", input=Asked, output=None)


class Topic(Resource, prefix="top", soft_delete=True):
    name: str

    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Book(Resource, prefix="bok", soft_delete=True, unique=[("title", "floor")]):
    """On a shelf, and gone with it."""

    title: str = field(filter=True)
    floor: int = field(default=0)
    shelf: One[Shelf] = one(on_delete="cascade", filter=True)
    editor: One[Person] | None = one(on_delete="set_null")
    topics: Many[Topic] = many(through="book_topics", write="always")
    chapters: Owned[Chapter]
    updated_at: datetime = field(auto="updated")

    browse = Browse(allow=public, sort=["title"], export=True)
    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=this.shelf.floor.eq(0))
    restore = Restore(allow=public)


class Chapter(Resource, prefix="cha"):
    book: One[Book]
    title: str
    about: One[Topic] | None


class Person(Resource, prefix="per", plural="people", soft_delete=True):
    name: str

    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Loan(Resource, prefix="loa", soft_delete=True):
    """Holds on to its book, and is no longer there once it is deleted."""

    book: One[Book]
    reader: str = field(default="")
    lender: One[Person] | None

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Note(Resource, prefix="not"):
    """Not kept itself; about a chapter's book, or a topic."""

    text: str
    loan: One[Loan] | None = one(filter=True)
    version: int = field(auto="version")
    person: One[Person] | None = one(on_delete="set_null")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)


contract = Contract("library", resources=[Shelf, Topic, Book, Chapter, Person, Loan, Note])
restored: list[tuple[str, bool]] = []


@implements(Shelf.data)
async def data(ctx: Context, asked: Asked) -> None:
    shelves = ctx.repository(Shelf)
    if asked.what == "delete":
        assert await shelves.delete(asked.row)
        assert await shelves.first({"id": asked.row}) is None
        assert not await shelves.delete(asked.row)
    else:
        assert (await shelves.restore(asked.row)).id == asked.row


@implements(Shelf.restore)
async def after_restoring(ctx: Context, shelf: Shelf) -> None:
    restored.append((shelf.name, await ctx.repository(Shelf).first({"id": shelf.id}) is not None))


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(contract, services=[data, after_restoring], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


async def made(client: Client, what: str, **values: Any) -> str:
    answer = await client.post(f"{V1}/{what}", json=values)
    assert answer.status == 201, answer.content
    return answer.data["id"]


async def deleted(client: Client, what: str, row: str) -> None:
    answer = await client.delete(f"{V1}/{what}/{row}")
    assert (answer.status, answer.content) == (204, b"")


async def restore(client: Client, what: str, row: str) -> Response:
    return await client.post(f"{V1}/{what}/{row}/restore", token=client.token("librarian", "shelves:admin"))


async def ids(client: Client, url: str) -> list[str]:
    answer = await client.get(f"{V1}/{url}")
    assert answer.status == 200, answer.content
    if "totalCount" in answer.json()["meta"]:
        assert answer.json()["meta"]["totalCount"] == len(answer.data)
    return [row["id"] for row in answer.data]


async def rows(client: Client, table: str) -> int:
    async with client.app.data() as db:
        return (await db.sql(f"select count(*) as n from {table}"))[0]["n"]  # pyright: ignore[reportArgumentType]


async def test_nothing_finds_a_deleted_row(client: Client) -> None:
    shelf, other = await made(client, "shelves", name="A", floor=1), await made(client, "shelves", name="B")
    await deleted(client, "shelves", shelf)
    assert await rows(client, "shelves") == 2, "it is kept"
    url = f"{V1}/shelves/{shelf}"
    assert [
        (await client.get(url)).status,
        (await client.request("HEAD", url)).status,
        (await client.patch(url, json={"name": "C"})).status,
        (await client.delete(url)).status,
        (await client.get(f"{url}/books")).status,
    ] == [404] * 5
    for query in ("", "?name=A", "?floor=1", "?sort=-name", "?cursor=", "?name[in]=A,B", "?fields=id&pageSize=1"):
        assert shelf not in await ids(client, f"shelves{query}")
    assert await ids(client, "shelves") == [other]
    exported = await client.get(f"{V1}/shelves", headers={"Accept": "application/x-ndjson"})
    assert exported.content.count(b"\n") == 1
    batch = await client.post(f"{V1}/$batch", json={"operations": [{"operation": "shelves.read", "id": shelf}]})
    assert batch.status == 404
    assert "deletedAt" not in (await client.get(f"{V1}/shelves/{other}")).data
    assert (await client.get(f"{V1}/shelves?fields=deletedAt")).status == 400
    refused = await client.patch(f"{V1}/shelves/{other}", json={"deletedAt": None})
    assert (refused.status, refused.error["details"][0]["code"]) == (400, "unknown_field")


async def test_no_relation_leads_to_a_deleted_row(client: Client) -> None:
    shelf = await made(client, "shelves", name="A")
    topic, kept = await made(client, "topics", name="Stars"), await made(client, "topics", name="Moons")
    book = await made(client, "books", title="One", shelfId=shelf, topicIds=[topic, kept])
    gone = await made(client, "books", title="Two", shelfId=shelf)
    await deleted(client, "books", gone)
    await deleted(client, "topics", topic)
    assert await ids(client, f"shelves/{shelf}/books") == [book]
    included = await client.get(f"{V1}/shelves/{shelf}?include=books,books.topics")
    assert [(row["id"], [t["id"] for t in row["topics"]]) for row in included.data["books"]] == [(book, [kept])]
    one = await client.get(f"{V1}/books?include=topics,shelf&topics.limit=5")
    assert [[t["id"] for t in row["topics"]] for row in one.data] == [[kept]]
    async with client.app.data() as db:
        books, shelves = db.table(Book), db.table(Shelf)
        assert await shelves.count({"books": {"some": {"title": "Two"}}}) == 0
        assert await shelves.count({"books": {"every": {"title": "One"}}}) == 1
        assert await books.count({"topics": {"some": {"name": "Stars"}}}) == 0
        (found,) = await shelves.find(include={"books": {}})
        assert [row.id for row in found.books] == [book]
        assert [group.count for group in await books.aggregate()] == [1]
        assert not await books.exists({"id": gone})
        assert await books.update_many({}, {"floor": 3}) == 1
        assert await books.delete_many({"id": gone}) == 0


async def test_a_policy_sees_no_deleted_row(client: Client) -> None:
    shelf = await made(client, "shelves", name="A")
    book = await made(client, "books", title="One", shelfId=shelf)
    async with client.app.data() as db:  # behind the back of the references
        await db.execute("update shelves set deleted_at = :at", at=datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    assert (await client.delete(f"{V1}/books/{book}")).status in (403, 401)


async def test_a_deleted_row_cannot_be_referred_to(client: Client) -> None:
    shelf, other = await made(client, "shelves", name="A"), await made(client, "shelves", name="B")
    topic = await made(client, "topics", name="Stars")
    book = await made(client, "books", title="One", shelfId=other)
    await deleted(client, "shelves", shelf)
    await deleted(client, "topics", topic)
    refused = [
        await client.post(f"{V1}/books", json={"title": "Two", "shelfId": shelf}),
        await client.put(f"{V1}/books/{book}", json={"title": "Two", "shelfId": shelf}),
        await client.patch(f"{V1}/books/{book}", json={"shelfId": shelf}),
        await client.patch(f"{V1}/books/{book}", json={"topicIds": [topic]}),
        await client.patch(f"{V1}/books/{book}", json={"chapters": [{"title": "I", "aboutId": topic}]}),
        await client.post(
            f"{V1}/books", json={"title": "Two", "shelfId": other, "chapters": [{"title": "I", "aboutId": topic}]}
        ),
    ]
    for answer in refused:
        assert (answer.status, answer.error["code"]) == (422, "REFERENCE_NOT_FOUND")
    assert refused[0].error["details"][0]["path"] == "shelfId"
    async with client.app.data() as db:
        books = db.table(Book)
        for write in (
            lambda: books.create({"title": "x", "shelf_id": shelf}),
            lambda: books.create_many([{"title": "x", "shelf_id": shelf}]),
            lambda: books.update(book, {"shelf_id": shelf}),
            lambda: books.update_many({}, {"shelf_id": shelf}),
            lambda: books.update(book, {"topics": {"connect": topic}}),
            lambda: books.update(book, {"topics": {"set": [topic]}}),
            lambda: books.update(book, {"chapters": {"create": {"title": "x", "about_id": topic}}}),
        ):
            with pytest.raises(ReferenceNotFound):
                await write()
    assert await ids(client, "books") == [book]


async def test_unique_values_of_deleted_rows_are_free(client: Client) -> None:
    first = await made(client, "shelves", name="A")
    taken = await client.post(f"{V1}/shelves", json={"name": "A"})
    assert (taken.status, taken.error["details"][0]["path"]) == (409, "name")
    await deleted(client, "shelves", first)
    second = await made(client, "shelves", name="A")
    back = await restore(client, "shelves", first)
    assert (back.status, back.error["code"], back.error["details"][0]["path"]) == (409, "DUPLICATE", "name")
    await deleted(client, "shelves", second)
    third = await made(client, "shelves", name="A")
    await deleted(client, "shelves", third)
    assert (await restore(client, "shelves", second)).status == 200
    book = await made(client, "books", title="One", shelfId=second)
    again = await client.post(f"{V1}/books", json={"title": "One", "shelfId": second})
    assert {detail["path"] for detail in again.error["details"]} == {"title", "floor"}
    await deleted(client, "books", book)
    await made(client, "books", title="One", shelfId=second)
    async with client.app.data() as db:
        shelves = db.table(Shelf)
        changed = await shelves.upsert({"name": "A"}, create={}, update={"floor": 7})
        assert (changed.id, changed.floor) == (second, 7)
        await shelves.delete(second)
        made_new = await shelves.upsert({"name": "A"}, create={}, update={"floor": 8})
        assert (made_new.id not in (first, second, third), made_new.floor) == (True, 0)
        assert await shelves.create_many([{"name": "A"}, {"name": "B"}], on_conflict="skip") == 1
        with pytest.raises(Duplicate):
            await shelves.upsert(first, create={"name": "Z"}, update={"floor": 9})


async def test_what_refers_to_a_row_is_asked(client: Client) -> None:
    shelf, person = await made(client, "shelves", name="A"), await made(client, "people", name="Ada")
    book = await made(client, "books", title="One", shelfId=shelf, editorId=person)
    note = await made(client, "notes", text="x", personId=person)
    loan = await made(client, "loans", bookId=book)
    for what, row in (("books", book), ("shelves", shelf)):
        refused = await client.delete(f"{V1}/{what}/{row}")
        assert (refused.status, refused.error["code"]) == (409, "STILL_REFERENCED"), what
    assert (await client.get(f"{V1}/books/{book}")).data["shelfId"] == shelf, "nothing of it has happened"
    before = (await client.get(f"{V1}/books/{book}")).data["updatedAt"]
    await deleted(client, "people", person)
    after = (await client.get(f"{V1}/books/{book}")).data
    assert after["editorId"] is None
    assert after["updatedAt"] >= before
    told = await client.get(f"{V1}/notes/{note}")
    assert (told.data["personId"], told.data["version"]) == (None, 2)
    await deleted(client, "loans", loan)
    await deleted(client, "shelves", shelf)
    assert await ids(client, "books") == []
    assert (await client.get(f"{V1}/books/{book}")).status == 404
    assert (await rows(client, "books"), await rows(client, "loans")) == (1, 1)


async def test_a_row_comes_back_with_what_went_with_it(client: Client) -> None:
    restored.clear()
    shelf = await made(client, "shelves", name="A")
    topic = await made(client, "topics", name="Stars")
    chapters = [{"title": "I", "aboutId": topic}, {"title": "II", "aboutId": None}]
    book = await made(client, "books", title="One", shelfId=shelf, topicIds=[topic], chapters=chapters)
    earlier = await made(client, "books", title="Two", shelfId=shelf)
    await deleted(client, "books", earlier)
    before = (await client.get(f"{V1}/books/{book}?include=topics")).data
    refused = await client.delete(f"{V1}/topics/{topic}")
    assert refused.status == 409, "a chapter is about it"
    await deleted(client, "shelves", shelf)
    async with client.app.data() as db:
        assert await db.table(Chapter).count() == 0, "an item is there as long as its owner is"
    assert (await client.post(f"{V1}/shelves/{shelf}/restore")).status == 401
    refused = await client.post(f"{V1}/shelves/{shelf}/restore", token=client.token("reader"))
    assert refused.status == 404, "nobody sees a deleted row, so that who may not restore it is not told of it"
    back = await restore(client, "shelves", shelf)
    assert (back.status, back.data["id"], back.data["version"]) == (200, shelf, 3)
    assert back.headers["etag"] == (await client.get(f"{V1}/shelves/{shelf}")).headers["etag"]
    assert restored == [("A", True)]
    assert await ids(client, "books") == [book], "what was deleted before stays so"
    assert (await client.get(f"{V1}/books/{book}?include=topics")).data == before
    twice = await restore(client, "shelves", shelf)
    assert (twice.status, twice.error["code"]) == (409, "STATE_CONFLICT")
    missing = await restore(client, "shelves", f"shf_{'0' * 32}")
    assert missing.status == 404
    # once nothing visible refers to it, it may go: and then what does cannot come back before it
    await deleted(client, "books", book)
    await deleted(client, "topics", topic)
    assert (await restore(client, "books", book)).status == 200
    assert (await client.get(f"{V1}/books/{book}?include=topics")).data["topics"] == []


async def test_what_refers_to_a_deleted_row_cannot_come_back_before_it(client: Client) -> None:
    shelf = await made(client, "shelves", name="A")
    book = await made(client, "books", title="One", shelfId=shelf)
    loan = await made(client, "loans", bookId=book)
    await deleted(client, "loans", loan)
    await deleted(client, "books", book)
    refused = await restore(client, "loans", loan)
    assert (refused.status, refused.error["details"][0]["path"]) == (422, "bookId")
    assert (await restore(client, "books", book)).status == 200
    assert (await restore(client, "loans", loan)).status == 200


async def test_services_delete_and_restore(client: Client) -> None:
    shelf, other = await made(client, "shelves", name="A"), await made(client, "shelves", name="B")
    book = await made(client, "books", title="One", shelfId=shelf)
    assert (await client.post(f"{V1}/shelves/data", json={"what": "delete", "row": shelf})).status == 204
    assert await ids(client, "books") == []
    assert (await client.post(f"{V1}/shelves/data", json={"what": "restore", "row": shelf})).status == 204
    assert (await client.post(f"{V1}/shelves/data", json={"what": "restore", "row": shelf})).status == 404
    assert await ids(client, "books") == [book]
    async with client.app.data() as db:
        shelves = db.table(Shelf)
        assert await shelves.delete_many({"name": {"in": ["A", "B", "C"]}}) == 2
        assert await shelves.count() == 0
        everything = shelves.with_deleted()
        assert await everything.count() == 2
        found = await everything.find({"deleted_at": {"isNull": False}}, order=["name"], include={"books": {}})
        assert [(row.id, [b.id for b in row.books]) for row in found] == [(shelf, [book]), (other, [])]
        assert found[0].__dict__["deleted_at"].tzinfo is not None
        assert (await everything.get(shelf)).id == shelf
        with pytest.raises(NotFound):
            await shelves.get(shelf)
        with pytest.raises(RuntimeError, match="for reading"):
            await everything.update(shelf, {"floor": 1})
        assert (await shelves.restore(shelf)).version == 5
        with pytest.raises(NotFound):
            await shelves.restore(shelf)
        for write in (
            lambda: shelves.create({"name": "x", "deleted_at": None}),
            lambda: shelves.update(shelf, {"deleted_at": None}),
        ):
            with pytest.raises(TypeError, match="restore"):
                await write()
        loan = (await db.table(Loan).create({"book_id": book})).id
        async with db.transaction():
            with pytest.raises(StillReferenced):
                await shelves.delete(shelf)
            assert [await shelves.count(), await db.table(Book).count()] == [1, 1]
        # gone for good: by SQL, from what refers inwards
        await db.execute("delete from loans")
        await db.execute("delete from book_topics")
        await db.execute("delete from books")
        assert await db.execute("delete from shelves where deleted_at is not null") == 1
    assert await ids(client, "loans") == []
    assert loan


async def test_what_was_begun_of_a_deletion_is_undone_within_a_transaction(client: Client) -> None:
    """What refers to the person would be set to null before it is found that a loan keeps them."""
    shelf, person = await made(client, "shelves", name="A"), await made(client, "people", name="Ada")
    book = await made(client, "books", title="One", shelfId=shelf, editorId=person)
    note = await made(client, "notes", text="x", personId=person)
    other = await made(client, "books", title="Two", shelfId=shelf)
    loan = await made(client, "loans", bookId=other, lenderId=person)
    before = (await client.get(f"{V1}/books/{book}")).data
    async with client.app.data() as db, db.transaction():
        for delete in (lambda: db.table(Person).delete(person), lambda: db.table(Person).delete_many({})):
            with pytest.raises(StillReferenced):
                await delete()
        assert (await db.table(Book).get(book)).editor_id == person
        await db.table(Shelf).update(shelf, {"floor": 5})
    assert (await client.get(f"{V1}/shelves/{shelf}")).data["floor"] == 5, "and the rest of it is kept"
    assert (await client.get(f"{V1}/books/{book}")).data == before
    told = (await client.get(f"{V1}/notes/{note}")).data
    assert (told["personId"], told["version"]) == (person, 1)
    assert (await client.get(f"{V1}/people/{person}")).status == 200
    await deleted(client, "loans", loan)
    await deleted(client, "people", person)
    assert (await client.get(f"{V1}/books/{book}")).data["editorId"] is None


async def test_a_reference_and_a_deletion_at_once(client: Client) -> None:
    """Whichever comes first: never does a row that is there refer to one that is not."""
    for _ in range(6):
        shelf = await made(client, "shelves", name="A")
        book = await made(client, "books", title="One", shelfId=shelf)
        lent, gone = await asyncio.gather(
            client.post(f"{V1}/loans", json={"bookId": book}), client.delete(f"{V1}/books/{book}")
        )
        assert (lent.status, gone.status) in ((201, 409), (422, 204)), (lent.content, gone.content)
        await clear(client)


async def waiting(url: str, task: asyncio.Task[Any]) -> None:
    """Until a transaction of the database waits for another, or the task that should has not."""
    connection = await asyncpg.connect(url)
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    try:
        async with asyncio.timeout(20):
            while not task.done() and not await connection.fetchval(waits):
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


@pytest.mark.parametrize("first", ["deletion", "reference"])
async def test_a_deletion_and_a_reference_wait_for_each_other(postgres_database: str, first: str) -> None:
    """In PostgreSQL, where both are under way at once; SQLite has one writer at a time."""
    settings = Settings(env="test", database_url=postgres_database, jwt_secret=SECRET)  # pyright: ignore[reportArgumentType]
    app = Sternpost(contract, services=[data, after_restoring], settings=settings, write_log=LogLines())
    async with Client(app) as client:
        shelf = await made(client, "shelves", name="A")
        book = await made(client, "books", title="One", shelfId=shelf)
        async with client.app.data() as db, db.transaction():
            if first == "deletion":
                assert await db.table(Book).delete(book)
                other = asyncio.create_task(client.post(f"{V1}/loans", json={"bookId": book}))
            else:
                await db.table(Loan).create({"book_id": book})
                other = asyncio.create_task(client.delete(f"{V1}/books/{book}"))
            await waiting(postgres_database, other)
            assert not other.done(), (await other).content
        told = await other
        assert (told.status, told.error["code"]) == (
            (422, "REFERENCE_NOT_FOUND") if first == "deletion" else (409, "STILL_REFERENCED")
        )
        assert (len(await ids(client, "books")), len(await ids(client, "loans"))) == (
            (0, 0) if first == "deletion" else (1, 1)
        )


async def clear(client: Client) -> None:
    async with client.app.data() as db:
        await db.execute("delete from loans")
        await db.execute("delete from books")
        await db.execute("delete from shelves")


async def test_it_is_described(client: Client) -> None:
    document = (await client.get("/openapi.json")).json()
    restoring = document["paths"][f"{V1}/shelves/{{id}}/restore"]["post"]
    assert restoring["responses"]["200"]["headers"]["ETag"]
    assert "deletedAt" not in str(document)
