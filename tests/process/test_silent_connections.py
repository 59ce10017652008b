"""Connections to PostgreSQL that die without a sign: nothing answers on them, and nothing says that they have ended."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from shop import services
from shop.contract import contract

from sternpost import Settings, Sternpost
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.testing import Client
from sternpost.testing.client import Response
from tests.conftest import SECRET
from tests.support.proxy import Proxy
from tests.support.shop import Shop

RECOVERY_SECONDS = 5
"""After so long, once new connections work, everything succeeds."""

POOL_SIZE = 4
EXPORT = {"accept": "application/x-ndjson"}

Ask = Callable[[], Awaitable[Response]]


@asynccontextmanager
async def serving(url: str, **more: Any) -> AsyncIterator[Shop]:
    settings = Settings(env="test", database_url=url, jwt_secret=SECRET, database_pool_size=POOL_SIZE, **more)
    async with Client(
        Sternpost(contract, services=[services], settings=settings, write_log=lambda line: None)
    ) as client:
        yield Shop(client)


@pytest.fixture
async def proxy(postgres_database: str) -> AsyncIterator[Proxy]:
    async with Proxy(postgres_database) as proxy:
        yield proxy


@pytest.fixture
async def shop(proxy: Proxy) -> AsyncIterator[Shop]:
    async with serving(proxy.url) as shop:
        yield shop


def storage_of(shop: Shop) -> PostgresqlStorage:
    storage = shop.client.app.running.runtime.storage
    assert isinstance(storage, PostgresqlStorage)
    return storage


class Everything:
    """One request of each kind, of which each may be sent again and again."""

    def __init__(self, shop: Shop, user: Any, product: Any) -> None:
        client, token = shop.client, shop.token(user)
        numbers = iter(range(1_000_000))
        item = {"items": [{"productId": product["id"], "quantity": 1}]}
        url = f"/api/v1/products/{product['id']}"

        def new_user() -> Awaitable[Response]:
            return client.post("/api/v1/users", json={"name": "N", "email": f"n{next(numbers)}@shop.example"})

        def batch() -> Awaitable[Response]:
            steps = [{"operation": "orders.create", "body": {**item, "userId": user["id"]}}]
            return client.post("/api/v1/$batch", json={"operations": steps}, token=shop.admin)

        self.kinds: dict[str, Ask] = {
            "get": lambda: client.get(url, token=shop.admin),
            "list": lambda: client.get(f"/api/v1/products?page={next(numbers) % 50 + 1}", token=shop.admin),
            "grouped insert": new_user,
            "transaction": lambda: client.post("/api/v1/orders", json=item, token=token),
            "change": lambda: client.patch(url, json={"name": f"P{next(numbers)}"}, token=shop.admin),
            "batch": batch,
            "export": lambda: client.get("/api/v1/products", token=shop.admin, headers=EXPORT),
            "readiness": lambda: client.get("/health/ready"),
        }

    async def ask(self) -> dict[str, Response]:
        """All of them at once."""
        answers = await asyncio.gather(*(ask() for ask in self.kinds.values()))
        return dict(zip(self.kinds, answers, strict=True))

    async def soon_well(self, since: float) -> None:
        """Asks until everything succeeds; that has to be before the limit, counted from `since`."""
        while True:
            answers = await self.ask()
            wrong = {kind: (answer.status, answer.content) for kind, answer in answers.items() if answer.status >= 300}
            if not wrong:
                break
            assert time.monotonic() - since < RECOVERY_SECONDS, wrong
            assert {status for status, _ in wrong.values()} <= {503, 504}, wrong
        for _ in range(3):
            assert {answer.status for answer in (await self.ask()).values()} <= {200, 201}, "and it stays well"


@pytest.fixture
async def everything(shop: Shop) -> Everything:
    everything = Everything(shop, await shop.user(), await shop.product(stock=1_000_000))
    assert {answer.status for answer in (await everything.ask()).values()} <= {200, 201}
    return everything


async def test_idle_connections_that_have_died_are_replaced(proxy: Proxy, everything: Everything) -> None:
    assert proxy.silence() > 1
    await everything.soon_well(time.monotonic())


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["get", "list", "grouped insert", "transaction", "change", "batch", "export", "readiness"]
)
async def test_each_kind_alone_recovers(proxy: Proxy, everything: Everything, kind: str) -> None:
    """No kind depends on another one to find out."""
    everything.kinds = {kind: everything.kinds[kind]}
    proxy.silence()
    await everything.soon_well(time.monotonic())


@pytest.mark.slow
async def test_busy_connections_that_have_died_are_replaced(
    proxy: Proxy, everything: Everything, shop: Shop, postgres_database: str
) -> None:
    """Statements wait for a lock when their connections die; the server is at work on them, and its answers are
    lost."""
    admin = await asyncpg.connect(postgres_database)
    lock = admin.transaction()
    await lock.start()
    await admin.execute("LOCK TABLE products, users, orders IN ACCESS EXCLUSIVE MODE")
    names = ("get", "grouped insert", "transaction", "change")
    waiting = [asyncio.ensure_future(everything.kinds[name]()) for name in names]
    await _at_work(admin, 1)
    proxy.silence()
    await lock.rollback()
    await admin.close()
    await everything.soon_well(time.monotonic())
    answers = dict(zip(names, await asyncio.gather(*waiting), strict=True))
    assert answers["get"].status == 503
    assert {answer.status for answer in answers.values()} <= {200, 201, 503, 504}
    assert {answer.error["code"] for answer in answers.values() if answer.status == 504} <= {"OUTCOME_UNKNOWN"}


@pytest.mark.slow
async def test_new_connections_hang_for_a_while(proxy: Proxy, everything: Everything) -> None:
    proxy.silent = True
    proxy.silence()
    waiting = asyncio.gather(*(everything.ask() for _ in range(4)))
    accepted = proxy.accepted
    while proxy.accepted < accepted + 4:  # new ones have been tried, and were in vain
        await asyncio.sleep(0.01)
    proxy.silent = False
    since = time.monotonic()
    await everything.soon_well(since)
    for answers in await waiting:
        assert {answer.status for answer in answers.values()} <= {200, 201, 503, 504}
    assert time.monotonic() - since < 2 * RECOVERY_SECONDS, "nothing hangs on"


@pytest.mark.slow
async def test_no_request_waits_past_its_time(proxy: Proxy) -> None:
    async with serving(proxy.url, request_timeout_seconds=2, database_timeout_seconds=60) as shop:
        everything = Everything(shop, await shop.user(), await shop.product(stock=1_000_000))
        assert {answer.status for answer in (await everything.ask()).values()} <= {200, 201}
        del everything.kinds["export"]  # whose parts have a limit of their own
        del everything.kinds["readiness"]  # which tells what was found before, until a check has ended
        proxy.silent = True
        proxy.silence()
        for _ in range(3):
            started = time.monotonic()
            answers = await everything.ask()
            assert time.monotonic() - started < 4
            assert {answer.status for answer in answers.values()} <= {503, 504}, answers
        proxy.silent = False
        await everything.soon_well(time.monotonic())


async def test_a_long_statement_of_a_living_connection_is_left_alone(
    proxy: Proxy, everything: Everything, postgres_database: str
) -> None:
    admin = await asyncpg.connect(postgres_database)
    async with admin.transaction():
        await admin.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
        waiting = asyncio.ensure_future(everything.kinds["get"]())
        await _at_work(admin, 1)
        for _ in range(2):  # what looks after it has a connection of its own, and asks more than once
            before = await _told(admin, _LOOKS)
            while await _told(admin, _LOOKS) == before:
                await asyncio.sleep(0.05)
    await admin.close()
    assert (await waiting).status == 200


async def test_what_was_asked_is_answered_by_the_server_where_it_can_tell(
    proxy: Proxy, everything: Everything, shop: Shop, postgres_database: str
) -> None:
    """The answer to a commit is lost: the change is there, so nobody may be told that it is not."""
    for name, text in (("transaction", b"COMMIT"), ("grouped insert", b"@shop.example")):
        lost, proxy.lose_answer_to = proxy.lost, text
        answer = await everything.kinds[name]()
        proxy.lose_answer_to = None
        assert proxy.lost == lost + 1
        assert (answer.status, answer.error["code"]) == (504, "OUTCOME_UNKNOWN"), answer.content
        await everything.soon_well(time.monotonic())


async def test_scripts_and_services_keep_their_connections_alive(shop: Shop, everything: Everything) -> None:
    connections = list(storage_of(shop).pool._open)
    assert connections
    for connection in connections:
        opened = connection._transport.get_extra_info("socket")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert 0 < opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 10
        assert 0 < opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 10_000


async def test_a_statement_has_a_limit_on_the_server(proxy: Proxy, postgres_database: str) -> None:
    async with serving(proxy.url, database_statement_seconds=0.5) as shop:
        user = await shop.user()
        admin = await asyncpg.connect(postgres_database)
        async with admin.transaction():
            await admin.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            asked: list[Coroutine[Any, Any, Response]] = [
                shop.client.get(f"/api/v1/users/{user['id']}", token=shop.admin),
                shop.client.post("/api/v1/users", json={"name": "L", "email": "late@shop.example"}),
            ]
            for answer in await asyncio.gather(*asked):
                assert (answer.status, answer.error["code"]) == (504, "TIMEOUT")
        assert await admin.fetchval("SELECT count(*) FROM users WHERE email = 'late@shop.example'") == 0
        await admin.close()


async def _at_work(admin: Any, count: int) -> None:
    """Waits until so many statements wait for a lock."""
    async with asyncio.timeout(20):
        while await _told(admin, _WAITING) < count:
            await asyncio.sleep(0.01)


async def _told(admin: Any, text: str) -> Any:
    await admin.execute("SELECT pg_stat_clear_snapshot()")  # in a transaction it would stay what it was
    return await admin.fetchval(text)


_WAITING = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'"""
_LOOKS = """SELECT max(query_start) FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE 'SELECT pid FROM pg_stat_activity%'"""
