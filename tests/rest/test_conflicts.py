"""Changes that get in each other's way in the database: they are tried again, and nobody else waits with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    Many,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    many,
    public,
)
from sternpost.errors import WriteConflict
from sternpost.testing import Client

V1 = "/api/v1"


class Book(Resource, prefix="boo"):
    title: str = field(default="")
    version: int = field(auto="version")
    tags: Many[Tag] = many(through="book_tags")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


class Tag(Resource, prefix="tag"):
    word: str = field(default="")
    version: int = field(auto="version")
    books: Many[Book] = many(through="book_tags")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    replace = Replace(allow=public)


class Note(Resource, prefix="not"):
    text: str = field(default="")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


tries: list[str] = []


@implements(Note.create, retry_safe=True)
async def create_note(ctx: Context, change: Change[Note]) -> Note:
    return await failing(change)


@implements(Note.update)
async def update_note(ctx: Context, change: Change[Note]) -> Note:
    return await failing(change)


async def failing(change: Change[Note]) -> Note:
    """Fails as the database does, the first two times that it is called for a text."""
    tries.append(change["text"])
    made = await change.apply()
    if tries.count(change["text"]) <= 2:
        raise WriteConflict
    return made


CONTRACT = Contract("library", resources=[Book, Tag, Note])


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(
        CONTRACT,
        services=[create_note, update_note],
        settings=make_settings(database_pool_size=4),
        write_log=lambda line: None,
    )
    async with Client(app) as client:
        yield client


async def rows(client: Client, path: str, count: int) -> list[str]:
    return [(await client.post(f"{V1}/{path}", json={})).data["id"] for _ in range(count)]


def both(first: str, second: str, title: str) -> dict[str, Any]:
    """A batch that changes two rows, in this order."""
    steps = [{"operation": "books.update", "id": key, "body": {"title": title}} for key in (first, second)]
    return {"operations": steps}


async def test_two_orders_of_two_rows_both_end_well(client: Client) -> None:
    one, two = await rows(client, "books", 2)
    batches = [both(one, two, "a") if number % 2 else both(two, one, "b") for number in range(6)]
    answers = await asyncio.gather(*(client.post(f"{V1}/$batch", json=batch) for batch in batches))
    assert [answer.status for answer in answers] == [200] * 6
    found = [(await client.get(f"{V1}/books/{key}")).data for key in (one, two)]
    assert found[0]["title"] == found[1]["title"]
    assert [row["version"] for row in found] == [7, 7]


async def test_of_many_changes_of_one_version_one_is_made(client: Client) -> None:
    """The row is locked between the look at its version and the change."""
    for _ in range(3):
        made = await client.post(f"{V1}/books", json={"title": "old"})
        key, match = made.data["id"], {"If-Match": made.headers["etag"]}
        asked = [client.patch(f"{V1}/books/{key}", json={"title": f"{n}"}, headers=match) for n in range(8)]
        assert sorted(answer.status for answer in await asyncio.gather(*asked)) == [200] + [412] * 7


@pytest.mark.slow
async def test_reads_do_not_wait_with_changes_that_wait_for_each_other(client: Client) -> None:
    one, two, other = await rows(client, "books", 3)
    batches = [both(one, two, "a") if number % 2 else both(two, one, "b") for number in range(60)]
    writing = [asyncio.create_task(client.post(f"{V1}/$batch", json=batch)) for batch in batches]
    longest = 0.0
    while not all(task.done() for task in writing):
        begin = time.perf_counter()
        assert (await client.get(f"{V1}/books/{other}")).status == 200
        longest = max(longest, time.perf_counter() - begin)
        await asyncio.sleep(0)
    statuses = {(await task).status for task in writing}
    assert statuses <= {200, 409, 503}, statuses
    assert 200 in statuses
    # what a deadlock costs: the database finds one after a second
    assert longest < 0.9, "a read waited as long as a change that was in a deadlock"


@pytest.mark.parametrize("database", ["postgresql"])
async def test_who_waits_too_long_for_a_row_is_told_of_a_conflict(
    make_settings: Callable[..., Settings], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sternpost.storage.postgresql.database.LOCK_WAIT_MS", 50)
    app = Sternpost(
        CONTRACT, services=[create_note, update_note], settings=make_settings(), write_log=lambda line: None
    )
    async with Client(app) as client:
        key = (await rows(client, "books", 1))[0]
        other = await asyncpg.connect(database_url)
        async with other.transaction():
            await other.execute("SELECT * FROM books FOR UPDATE")
            refused = await client.patch(f"{V1}/books/{key}", json={"title": "late"})
            assert (refused.status, refused.error["code"]) == (409, "WRITE_CONFLICT")
        await other.close()
        assert (await client.patch(f"{V1}/books/{key}", json={"title": "in time"})).data["version"] == 2


async def test_pairs_from_both_sides_at_once(client: Client) -> None:
    for _ in range(8):
        (book,), (tag,) = await rows(client, "books", 1), await rows(client, "tags", 1)
        answers = await asyncio.gather(
            client.patch(f"{V1}/books/{book}", json={"tagIds": [tag]}),
            client.patch(f"{V1}/tags/{tag}", json={"bookIds": [book]}),
        )
        assert [answer.status for answer in answers] == [200, 200], [answer.content for answer in answers]
        linked = (await client.get(f"{V1}/books/{book}?include=tags")).data
        assert [row["id"] for row in linked["tags"]] == [tag]
        assert (linked["version"], linked["tags"][0]["version"]) == (2, 2)


async def test_a_function_runs_again_only_where_it_says_that_it_may(client: Client) -> None:
    tries.clear()
    made = await client.post(f"{V1}/notes", json={"text": "safe"})
    assert (made.status, tries) == (201, ["safe"] * 3)
    assert [row["text"] for row in (await client.get(f"{V1}/notes")).data] == ["safe"]
    refused = await client.patch(f"{V1}/notes/{made.data['id']}", json={"text": "unsafe"})
    assert (refused.status, refused.error["code"], tries[3:]) == (409, "WRITE_CONFLICT", ["unsafe"])
    steps = [{"operation": "books.create", "body": {}}, {"operation": "notes.create", "body": {"text": "batch"}}]
    batch = await client.post(f"{V1}/$batch", json={"operations": steps})
    assert (batch.status, tries.count("batch")) == (200, 3)
    assert (await client.get(f"{V1}/books")).json()["meta"]["totalCount"] == 1
    steps[1] = {"operation": "notes.update", "id": made.data["id"], "body": {"text": "no"}}
    assert (await client.post(f"{V1}/$batch", json={"operations": steps})).status == 409
    assert tries.count("no") == 1


async def test_invented_keys_hold_no_connection(make_settings: Callable[..., Settings]) -> None:
    """Who calls is known before a transaction begins, so that looking a key up needs no second connection."""
    contract = Contract("library", resources=[Book, Tag, Note], api_keys=True)
    settings = make_settings(database_pool_size=2)
    app = Sternpost(contract, services=[create_note, update_note], settings=settings, write_log=lambda line: None)
    async with Client(app) as client:
        key = (await rows(client, "books", 1))[0]
        bearer = {"authorization": "Bearer not_a_key"}
        calls = [client.post(f"{V1}/$batch", json=both(key, key, "x"), headers=bearer) for _ in range(20)]
        answers = await asyncio.wait_for(asyncio.gather(*calls), timeout=20)
        assert {answer.status for answer in answers} == {401}


class Counter(Resource, prefix="cou"):
    count: int = field(default=0)

    read = Read(allow=public)
    create = Create(allow=public)
    bump = Custom(allow=public)


@implements(Counter.bump)
async def bump(ctx: Context, counter: Counter) -> None:
    """Looks at the row, does something else, and writes what follows from it."""
    await asyncio.sleep(0.05)
    await ctx.repository(Counter).update(counter.id, {"count": counter.count + 1})


async def test_a_function_has_its_row_to_itself(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(
        Contract("counters", resources=[Counter]),
        services=[bump],
        settings=make_settings(),
        write_log=lambda line: None,
    )
    async with Client(app) as client:
        address = f"{V1}/counters/{(await client.post(f'{V1}/counters', json={})).data['id']}"
        answers = await asyncio.gather(*(client.post(f"{address}/bump") for _ in range(3)))
        assert [answer.status for answer in answers] == [200] * 3
        assert (await client.get(address)).data["count"] == 3
