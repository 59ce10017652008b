"""Two services on one database: whoever does not have the key looks again now and then, and holds nothing meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from sternpost import Settings, Sternpost, provide
from sternpost.testing import Client
from tests.conftest import SECRET
from tests.idempotency.bank import SERVICES, Gate, contract
from tests.idempotency.conftest import Bank
from tests.support.proxy import Proxy


@asynccontextmanager
async def serving(url: str, *, create_schema: bool = False, **more: Any) -> AsyncIterator[Bank]:
    gate = Gate()
    settings: dict[str, Any] = {"env": "test", "database_url": url, "jwt_secret": SECRET, "database_pool_size": 5}
    app = Sternpost(
        contract,
        services=SERVICES,
        settings=Settings(**{**settings, **more}),
        provide=[provide(Gate, lambda: gate)],
        write_log=lambda line: None,
    )
    async with Client(app, create_schema=create_schema) as client:
        yield Bank(client, gate)


@pytest.fixture
async def one(postgres_database: str) -> AsyncIterator[Bank]:
    async with serving(postgres_database, create_schema=True) as bank:
        yield bank


async def test_who_waits_holds_nothing(one: Bank, postgres_database: str) -> None:
    """100 calls wait at another service with a pool of 5: reads and changes of others go on there, and no session of
    the database is in a transaction but the one that has the key."""
    async with serving(postgres_database, idempotency_wait_seconds=30) as two:
        account = await one.account()
        one.gate.close()
        first = asyncio.create_task(one.pay(account, "k", 5))
        await one.gate.entered.wait()
        waiting = [asyncio.create_task(two.pay(account, "k", 5)) for _ in range(100)]
        await asyncio.sleep(0)
        eve = two.client.token("eve")
        for number in range(10):
            read = await asyncio.wait_for(two.client.get(f"/api/v1/accounts/{account['id']}", token=eve), 5)
            assert read.status == 200
            made = two.client.post("/api/v1/accounts", json={"name": "E"}, token=eve, key=str(number))
            assert (await asyncio.wait_for(made, 5)).status == 201
        locks = await asyncpg.connect(postgres_database)
        try:
            held = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' "
            assert await locks.fetchval(f"{held} AND d.datname = current_database() AND granted") == 1
        finally:
            await locks.close()
        assert not any(task.done() for task in waiting)
        one.gate.open.set()
        answers = await asyncio.gather(*waiting)
        assert {answer.status for answer in answers} == {200}
        assert all(answer.headers["idempotent-replayed"] == "true" for answer in answers)
        assert (await first).status == 200
        assert await one.entries() == 1


async def test_the_next_makes_the_change_where_the_first_keeps_nothing(one: Bank, postgres_database: str) -> None:
    async with serving(postgres_database, idempotency_wait_seconds=30) as two:
        account = await one.account()
        one.gate.close()
        first = asyncio.create_task(one.pay(account, "k", 5))
        await one.gate.entered.wait()
        waiting = asyncio.create_task(two.pay(account, "k", 5))
        while not two.client.app.running.runtime.keys.running:  # type: ignore[union-attr]
            await asyncio.sleep(0.005)
        first.cancel()
        answer = await waiting
        assert answer.status == 200
        assert "idempotent-replayed" not in answer.headers
        assert await one.entries() == 1


async def test_nobody_waits_longer_than_the_call_may_take(one: Bank, postgres_database: str) -> None:
    """With a wait that is longer than the call's own time it is 409, which says why, and not 504."""
    async with serving(postgres_database, idempotency_wait_seconds=60, request_timeout_seconds=0.6) as two:
        account = await one.account()
        one.gate.close()
        first = asyncio.create_task(one.pay(account, "k", 5))
        await one.gate.entered.wait()
        begun = time.monotonic()
        late = await asyncio.gather(*(two.pay(account, "k", 5) for _ in range(3)))
        assert [answer.status for answer in late] == [409] * 3
        assert {answer.error["code"] for answer in late} == {"IDEMPOTENCY_KEY_IN_USE"}
        assert time.monotonic() - begun < 5
        one.gate.open.set()
        assert (await first).status == 200


async def test_the_database_is_away_while_one_waits(one: Bank, postgres_database: str) -> None:
    """Whoever waits is told so, and the key is not lost: asked again, it is a replay."""
    async with Proxy(postgres_database) as proxy:
        more = {"idempotency_wait_seconds": 30, "database_timeout_seconds": 0.5, "request_timeout_seconds": 2}
        async with serving(proxy.url, **more) as two:
            account = await one.account()
            one.gate.close()
            first = asyncio.create_task(one.pay(account, "k", 5))
            await one.gate.entered.wait()
            waiting = [asyncio.create_task(two.pay(account, "k", 5)) for _ in range(5)]
            while not two.client.app.running.runtime.keys.running:  # type: ignore[union-attr]
                await asyncio.sleep(0.005)
            proxy.silent = True
            proxy.silence()
            answers = await asyncio.gather(*waiting)
            assert all(answer.status in (409, 503, 504) for answer in answers), [a.status for a in answers]
            one.gate.open.set()
            assert (await first).status == 200
            assert not two.client.app.running.runtime.keys.running  # type: ignore[union-attr]
    async with serving(postgres_database) as three:
        assert (await three.pay(account, "k", 5)).headers["idempotent-replayed"] == "true"
        assert await one.entries() == 1
