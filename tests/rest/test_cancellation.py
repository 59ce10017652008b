"""A call that is cancelled at any of its awaits gives its connection back, usable and with no transaction open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from sternpost.ports.storage import Storage
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.storage.sqlite.database import SqliteStorage
from sternpost.testing import Client
from sternpost.testing.storage import cancelled_at
from tests.support.shop import Shop

AWAITS_MAX = 400
KINDS = ("get", "browse", "create", "create_with_parts", "update", "transition", "batch", "export", "delete")


def storage_of(client: Client) -> Storage:
    return client.app.running.runtime.storage


async def at_rest(storage: Any) -> None:
    """Waits until nobody uses the database, and looks whether a transaction was left open."""
    async with asyncio.timeout(10):
        if isinstance(storage, PostgresqlStorage):
            while storage.pool.in_use or storage.pool._settling:
                await asyncio.sleep(0)
            assert len(storage.pool._open) <= storage.pool_size
            assert not any(connection.is_in_transaction() for connection in storage.pool._open)
        else:
            assert isinstance(storage, SqliteStorage)
            async with storage._write_lock:
                assert storage.connections.writer is None or not storage.connections.writer.in_transaction


Work = Callable[[], Coroutine[Any, Any, Any]]


async def operations(shop: Shop) -> dict[str, Callable[[], Awaitable[Work]]]:
    """What is tried: each prepares what it needs, and gives the request to cancel."""
    client = shop.client
    user, product = await shop.user(), await shop.product(stock=10_000)
    token = shop.token(user)
    item = {"items": [{"productId": product["id"], "quantity": 1}]}
    numbers = iter(range(100_000))

    async def get() -> Work:
        return lambda: client.get(f"/api/v1/products/{product['id']}", token=shop.admin)

    async def browse() -> Work:
        return lambda: client.get("/api/v1/orders?include=items&sort=-createdAt", token=token)

    async def create() -> Work:
        number = next(numbers)
        return lambda: client.post("/api/v1/users", json={"name": "C", "email": f"c{number}@shop.example"})

    async def create_with_parts() -> Work:
        return lambda: client.post("/api/v1/orders", json=item, token=token)

    async def update() -> Work:
        number = next(numbers)
        url = f"/api/v1/products/{product['id']}"
        return lambda: client.patch(url, json={"name": f"P{number}"}, token=shop.admin)

    async def transition() -> Work:
        order = await shop.order(user, (product, 1))
        return lambda: client.post(f"/api/v1/orders/{order['id']}/cancel", token=token)

    async def batch() -> Work:
        operations = [
            {"as": "order", "operation": "orders.create", "body": {**item, "userId": user["id"]}},
            {"operation": "orders.cancel", "id": {"$ref": "order.id"}},
        ]
        return lambda: client.post("/api/v1/$batch", json={"operations": operations}, token=shop.admin)

    async def export() -> Work:
        await shop.order(user, (product, 1))
        return lambda: client.get("/api/v1/orders", token=token, headers={"Accept": "application/x-ndjson"})

    async def delete() -> Work:
        product = await shop.product(stock=1)
        return lambda: client.delete(f"/api/v1/products/{product['id']}", token=shop.admin)

    found = (get, browse, create, create_with_parts, update, transition, batch, export, delete)
    return {function.__name__: function for function in found}


@pytest.mark.parametrize("late", [False, True], ids=["while waiting", "as it comes"])
@pytest.mark.parametrize("name", list(KINDS))
async def test_cancelled_at_every_await(client: Client, shop: Shop, name: str, late: bool) -> None:
    prepare = (await operations(shop))[name]
    storage = storage_of(client)
    cancelled = 0
    for at in range(1, AWAITS_MAX):
        work = await prepare()
        await at_rest(storage)
        if not await cancelled_at(work(), at, late=late):
            break
        cancelled += 1
        await at_rest(storage)
    else:
        pytest.fail("the operation has no end")
    # a short read of SQLite is done in one go
    assert cancelled > 0 or (name in ("get", "browse") and isinstance(storage, SqliteStorage))
    answer = await (await prepare())()
    assert answer.status in (200, 201, 204), answer.content
    await at_rest(storage)
    if isinstance(storage, PostgresqlStorage):
        await _no_session_is_left_in_a_transaction(storage)


async def test_many_cancelled_at_once_leave_the_pool_whole(client: Client, shop: Shop) -> None:
    """More calls than connections, cancelled in every turn of the event loop: those that wait for a connection too."""
    storage = storage_of(client)
    user, product = await shop.user(), await shop.product(stock=10_000)
    token = shop.token(user)
    item = {"items": [{"productId": product["id"], "quantity": 1}]}
    acknowledged: set[str] = set()
    for turns in range(25):
        tasks = [asyncio.create_task(client.post("/api/v1/orders", json=item, token=token)) for _ in range(30)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks[turns % 2 :: 2]:
            task.cancel()
        answers = [answer for answer in await asyncio.gather(*tasks, return_exceptions=True) if not _cancelled(answer)]
        assert {answer.status for answer in answers} <= {201}
        acknowledged |= {answer.data["id"] for answer in answers}
        await at_rest(storage)
    found: dict[str, int] = {}
    page = 1
    while rows := (await client.get(f"/api/v1/orders?include=items&pageSize=100&page={page}", token=token)).data:
        found |= {row["id"]: len(row["items"]) for row in rows}
        page += 1
    assert acknowledged <= set(found)
    assert len(acknowledged) > 200
    assert set(found.values()) == {1}, "no order is half written"


def _cancelled(answer: Any) -> bool:
    return isinstance(answer, asyncio.CancelledError)


async def _no_session_is_left_in_a_transaction(storage: PostgresqlStorage) -> None:
    admin = await asyncpg.connect(storage.url)
    states = await admin.fetch(
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()
    assert {row["state"] for row in states} <= {"idle"}
    assert len(states) <= storage.pool_size
