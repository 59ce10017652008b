"""An answer has a budget of rows and bytes, which holds while it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Json,
    Many,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    field,
    many,
    one,
    public,
)
from sternpost.pipeline.runtime import ANSWER_ROWS_MAX
from sternpost.storage.sql.reader import SqlReader
from sternpost.testing import Client, Response

V1 = "/api/v1"
LONG = "é" * 5_000  # 10 kB


class Node(Resource, prefix="nod"):
    text: str = field(default="")
    extra: Json = field(default=None)
    parent: One[Node] | None = one(filter=True)
    children: Many[Node] = many(by="parent")
    friends: Many[Friend] = many(through="friendships", max_length=1000)

    browse = Browse(allow=public, max_page_size=1000, sort=["text"])
    read = Read(allow=public)
    create = Create(allow=public)


class Friend(Resource, prefix="fri"):
    name: str = field(default="")
    nodes: Many[Node] = many(through="friendships", max_length=1000)

    browse = Browse(allow=public)
    create = Create(allow=public)


CONTRACT = Contract("nodes", resources=[Node, Friend])
BYTES = 300_000


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(CONTRACT, settings=make_settings(answer_bytes_max=BYTES), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def family(client: Client, children: int, **values: Any) -> str:
    """A row with so many below it."""
    async with client.app.data() as db:
        top = await db.table(Node).create(values)
        await db.table(Node).create_many([{"parent_id": top.id, **values} for _ in range(children)])
    return top.id


def is_too_large(answer: Response) -> bool:
    details = answer.json().get("error", {}).get("details", [])
    return answer.status == 400 and [detail["code"] for detail in details] == ["answer_too_large"]


async def test_a_list_of_long_texts(client: Client) -> None:
    await family(client, 40, text=LONG)
    assert is_too_large(await client.get(f"{V1}/nodes?pageSize=40"))
    answer = await client.get(f"{V1}/nodes?pageSize=25")
    assert (answer.status, len(answer.data)) == (200, 25)
    assert len(answer.content) < BYTES
    assert (await client.get(f"{V1}/nodes?pageSize=41&fields=parentId")).status == 200


async def test_json_counts_too(client: Client) -> None:
    await family(client, 10, extra={"a": [LONG] * 5})
    assert is_too_large(await client.get(f"{V1}/nodes?pageSize=11"))
    assert (await client.get(f"{V1}/nodes?pageSize=4")).status == 200


async def test_what_occurs_often_counts_as_often(client: Client) -> None:
    top = await family(client, 60, text=LONG[:1000])
    assert (await client.get(f"{V1}/nodes/{top}?include=children")).status == 200
    assert is_too_large(await client.get(f"{V1}/nodes/{top}?include=children.parent.children"))
    assert is_too_large(await client.get(f"{V1}/nodes?pageSize=61&include=parent.children.parent"))


async def test_the_steps_of_a_batch_share_it(client: Client) -> None:
    await family(client, 20, text=LONG)
    step = {"operation": "nodes.browse", "query": {"pageSize": "20"}}
    one = await client.post(f"{V1}/$batch", json={"operations": [step]})
    assert one.status == 200, one.content
    assert (await client.post(f"{V1}/$batch", json={"operations": [step] * 2})).status == 400


async def test_no_statement_brings_more_rows_than_an_answer_may_hold(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought: list[int] = []
    fetch: Any = SqlReader._fetch  # pyright: ignore[reportPrivateUsage]

    async def counted(self: SqlReader, *arguments: Any, **more: Any) -> Sequence[Any]:
        rows = await fetch(self, *arguments, **more)
        brought.append(len(rows))
        return rows

    async with client.app.data() as db:
        await db.table(Friend).create_many([{"name": str(number)} for number in range(300)])
        friends = [row.id for row in await db.table(Friend).find()]
        await db.table(Node).create_many([{"text": str(number)} for number in range(300)])
        for row in await db.table(Node).find():
            await db.table(Node).update(row.id, {"friends": {"connect": friends}})
    monkeypatch.setattr(SqlReader, "_fetch", counted)
    refused = await client.get(f"{V1}/nodes?pageSize=300&include=friends")
    assert is_too_large(refused), refused.content
    assert ANSWER_ROWS_MAX < 300 * 300
    assert max(brought) <= ANSWER_ROWS_MAX + 300 + 1
