"""Who may not see a row learns nothing from what the service does with it: neither of its relations, nor of its lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
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
    Email,
    Many,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Update,
    authenticated,
    field,
    implements,
    many,
    one,
    public,
    scope,
    this,
)
from sternpost.data.backoff import RETRIES, Backoff
from sternpost.pipeline import runtime
from sternpost.storage.postgresql import database as postgresql
from sternpost.testing import Client

V1 = "/api/v1"
MISSING = "0" * 32


class Place(Resource, prefix="pla"):
    name: str
    posts: Many[Post]

    read = Read(allow=public)
    create = Create(allow=public)


class Post(Resource, prefix="pos"):
    place: One[Place]
    title: str = field(filter=True)

    browse = Browse(allow=public, sort=["title"])
    create = Create(allow=public)


class Secret(Resource, prefix="sec", owner="by"):
    by: str = field(default="ann", write="never", max_length=50)
    place: One[Place]
    notes: Owned[Note]
    more: Owned[Remark]

    read = Read(allow=this.is_owner)
    create = Create(allow=public)
    update = Update(allow=this.is_owner)
    delete = Delete(allow=this.is_owner)


class Note(Resource, prefix="not"):
    secret: One[Secret]
    text: str = field(max_length=10_000)


class Remark(Resource, prefix="rem"):
    secret: One[Secret]
    text: str = field(max_length=10_000)


class Person(Resource, prefix="per", owner="id", plural="people"):
    name: str

    read = Read(allow=this.is_owner)
    create = Create(allow=public)


class Case(Resource, prefix="cas"):
    title: str
    patient: One[Person] | None = one(read="hr", write="always")

    read = Read(allow=public)
    create = Create(allow=scope("hr"))
    update = Update(allow=authenticated)


class Tag(Resource, prefix="tag", owner="by"):
    by: str = field(default="", max_length=50)
    name: str
    tasks: Many[Task] = many(through="task_tags", write="never")

    read = Read(allow=this.is_owner)
    create = Create(allow=public)


class Task(Resource, prefix="tsk"):
    title: str = field(default="")
    tags: Many[Tag] = many(through="task_tags", link=public, max_length=3)

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=authenticated)


class Form(Resource, prefix="frm"):
    title: str
    lines: Owned[Line]

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=authenticated)
    replace = Replace(allow=authenticated)
    approve = Custom(allow=scope("hr"))


class Line(Resource, prefix="lin"):
    form: One[Form]
    name: str
    note: str = field(default="", read="hr")
    approved: bool = field(default=False, read="hr", write="never")
    counted: int = field(default=0, write="never")


class User(Resource, prefix="usr"):
    email: Email = field(unique=True)

    create = Create(allow=public)
    read = Read(allow=public)
    browse = Browse(allow=public)


@implements(Form.approve)
async def approve(ctx: Context, form: Form) -> None:
    lines = [{"name": line.name, "note": "secret", "approved": True, "counted": 7} for line in form.lines]
    await ctx.repository(Form).update(form.id, {"lines": {"set": lines}})


CONTRACT = Contract("order", resources=[Place, Post, Secret, Note, Remark, Person, Case, Tag, Task, Form, Line, User])
Opened = Callable[..., Any]


@pytest.fixture
def opened(make_settings: Callable[..., Settings]) -> Opened:
    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Client]:
        async with Client(
            Sternpost(CONTRACT, services=[approve], settings=make_settings(**settings), write_log=lambda line: None)
        ) as client:
            yield client

    return opened


@pytest.fixture
async def client(opened: Opened) -> AsyncIterator[Client]:
    async with opened() as client:
        yield client


async def made(client: Client, path: str, body: dict[str, Any], token: str | None = None) -> str:
    answer = await client.post(f"{V1}/{path}", json=body, token=token)
    assert answer.status == 201, answer.json()
    return answer.data["id"]


async def test_the_relations_of_a_hidden_row_are_not_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    place = await made(client, "places", {"name": "here"})
    for number in range(5):
        await made(client, "posts", {"placeId": place, "title": f"{number}"})
    secret = await made(client, "secrets", {"placeId": place})
    monkeypatch.setattr(runtime, "ANSWER_ROWS_MAX", 4)
    query = "?include=place.posts"
    for caller, status in (("ann", 400), ("eve", 404)):
        told = await client.get(f"{V1}/secrets/{secret}{query}", token=client.token(caller))
        assert told.status == status
    missing = await client.get(f"{V1}/secrets/sec_{MISSING}{query}", token=client.token("eve"))
    assert {**told.error, "requestId": ""} == {**missing.error, "requestId": ""}


async def test_a_row_that_could_not_be_answered_is_not_written(opened: Opened) -> None:
    async with opened(answer_bytes_max=100_000) as client:
        ann = client.token("ann")
        place = await made(client, "places", {"name": "here"})
        secret = await made(client, "secrets", {"placeId": place}, ann)
        large = [{"text": "x" * 10_000}] * 6
        assert (await client.patch(f"{V1}/secrets/{secret}", json={"notes": large}, token=ann)).status == 200
        refused = await client.patch(f"{V1}/secrets/{secret}", json={"more": large}, token=ann)
        assert (refused.status, refused.error["details"][0]["code"]) == (400, "answer_too_large")
        assert (await client.get(f"{V1}/secrets/{secret}", token=ann)).data["more"] == []


async def test_a_row_that_is_too_large_for_an_answer_can_be_changed_and_deleted(opened: Opened) -> None:
    async with opened() as client:
        place = await made(client, "places", {"name": "here"})
        large = {"notes": [{"text": "x" * 10_000}] * 12}
        secrets = [await made(client, "secrets", {"placeId": place, **large}) for _ in range(2)]
    async with opened(answer_bytes_max=100_000) as client:
        ann, eve = client.token("ann"), client.token("eve")
        for method, body in (("GET", None), ("PATCH", {"notes": []}), ("DELETE", None)):
            hidden = await client.request(method, f"{V1}/secrets/{secrets[0]}", json=body, token=eve)
            assert (hidden.status, hidden.error["code"]) == (404, "NOT_FOUND")
        assert (await client.get(f"{V1}/secrets/{secrets[0]}", token=ann)).status == 400
        assert (await client.patch(f"{V1}/secrets/{secrets[0]}", json={"notes": []}, token=ann)).status == 200
        assert (await client.get(f"{V1}/secrets/{secrets[0]}", token=ann)).status == 200
        assert (await client.delete(f"{V1}/secrets/{secrets[1]}", token=ann)).status == 204


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_nobody_waits_for_the_lock_of_a_row_that_is_hidden(
    client: Client, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = await made(client, "places", {"name": "here"})
    secret = await made(client, "secrets", {"placeId": place})
    other = await asyncpg.connect(database_url)
    async with asyncio.timeout(2), other.transaction():
        await other.execute("SELECT * FROM secrets FOR UPDATE")
        for method in ("PATCH", "DELETE"):
            body = {} if method == "PATCH" else None
            answer = await client.request(method, f"{V1}/secrets/{secret}", json=body, token=client.token("eve"))
            assert answer.status == 404
    await other.close()


class Counting(Backoff):
    """Counts how often something is tried again."""

    waits = 0

    async def wait(self, number: int) -> None:
        self.waits += 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_lock_is_waited_for_once(opened: Opened, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert RETRIES > 0
    monkeypatch.setattr(postgresql, "LOCK_WAIT_MS", 200)
    async with opened() as client:
        task = await made(client, "tasks", {})
        client.app.running.runtime.backoff = counting = Counting()
        other = await asyncpg.connect(database_url)
        async with other.transaction():
            await other.execute("SELECT * FROM tasks FOR UPDATE")
            answer = await client.patch(f"{V1}/tasks/{task}", json={"title": "x"}, token=client.token("ann"))
        await other.close()
        assert (answer.status, answer.error["code"], counting.waits) == (409, "WRITE_CONFLICT", 0)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_new_rows_that_wait_for_another_transaction_leave_connections_to_reads(
    opened: Opened, database_url: str
) -> None:
    async with opened(database_pool_size=4) as client:
        await made(client, "users", {"email": "first@example.com"})
        other = await asyncpg.connect(database_url)
        async with other.transaction():
            await other.execute("INSERT INTO users (id, email) VALUES (gen_random_uuid(), 'taken@example.com')")
            creating = [
                asyncio.create_task(client.post(f"{V1}/users", json={"email": "taken@example.com"})) for _ in range(8)
            ]
            pool = client.app.running.runtime.storage.pool  # pyright: ignore[reportAttributeAccessIssue]
            while pool.in_use < 3:
                await asyncio.sleep(0.01)
            async with asyncio.timeout(1):
                for number in range(3):
                    assert (await client.get(f"{V1}/users?pageSize=1&page={number + 1}")).status == 200
        await other.close()
        assert {(await task).status for task in creating} <= {201, 409, 503}


async def test_a_batch_that_only_reads_is_no_transaction(client: Client, database: str, database_url: str) -> None:
    user = await made(client, "users", {"email": "first@example.com"})
    steps = [{"operation": "users.read", "id": user, "as": "first"}, {"operation": "users.browse"}]
    storage = client.app.running.runtime.storage
    places = getattr(storage, "_transactions", None)
    if places is None:  # SQLite: another process holds the one writer
        import sqlite3

        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answer = await client.post(f"{V1}/$batch", json={"operations": steps})
    else:
        while not places.locked():
            await places.acquire()
        answer = await client.post(f"{V1}/$batch", json={"operations": steps})
    assert [step["status"] for step in answer.data] == [200, 200]
    assert answer.data[1]["data"] == [answer.data[0]["data"]]


async def test_a_reference_that_a_caller_may_set_and_not_read_tells_nothing(client: Client) -> None:
    people = [await made(client, "people", {"name": "p"}) for _ in range(3)]
    token = client.token(people[1], "hr")
    case = await made(client, "cases", {"title": "x", "patientId": people[1]}, token)
    eve = client.token("eve")
    for person in people:
        answer = await client.patch(f"{V1}/cases/{case}", json={"patientId": person}, token=eve)
        assert (answer.status, answer.error["code"]) == (422, "REFERENCE_NOT_FOUND")
    again = await client.patch(f"{V1}/cases/{case}", json={"patientId": people[1]}, token=client.token("ann", "hr"))
    assert (again.status, again.data["patientId"]) == (200, people[1]), "who was given it can send it back"


async def test_links_with_hidden_rows_are_kept_where_anybody_may_link(client: Client) -> None:
    ann, bob = client.token("ann"), client.token("bob")
    tags = [await made(client, "tags", {"name": by, "by": by}) for by in ("ann", "bob")]
    task = await made(client, "tasks", {"tagIds": tags}, ann)
    assert (await client.patch(f"{V1}/tasks/{task}", json={"tagIds": [tags[1]]}, token=bob)).status == 200

    async def seen(token: str) -> list[str]:
        answer = await client.get(f"{V1}/tasks/{task}?include=tags", token=token)
        return [tag["name"] for tag in answer.data["tags"]]

    assert (await seen(ann), await seen(bob)) == (["ann"], ["bob"])
    assert (await client.patch(f"{V1}/tasks/{task}", json={"tagIds": []}, token=bob)).status == 200
    assert (await seen(ann), await seen(bob)) == (["ann"], [])


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_what_only_the_service_sets_in_items_stays(client: Client, method: str) -> None:
    bob, hr = client.token("bob"), client.token("ann", "hr")
    form = await made(client, "forms", {"title": "x", "lines": [{"name": "a"}, {"name": "b"}]}, bob)
    assert (await client.post(f"{V1}/forms/{form}/approve", token=hr)).status == 200
    sent = {"title": "x", "lines": [{"name": "b"}, {"name": "a"}, {"name": "new"}]}
    assert (await client.request(method, f"{V1}/forms/{form}", json=sent, token=bob)).status == 200
    lines = (await client.get(f"{V1}/forms/{form}", token=hr)).data["lines"]
    kept = [(line["name"], line["note"], line["approved"], line["counted"]) for line in lines]
    assert kept == [("b", "secret", True, 7), ("a", "secret", True, 7), ("new", "", False, 0)]
