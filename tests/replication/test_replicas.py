"""Reads on a real streaming replica: they see every acknowledged write, and no failure of the replica fails one."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import pytest
from shop import services
from shop.contract import contract

from sternpost import Settings, Sternpost
from sternpost.app.drivers import check_database_url
from sternpost.errors import StartupError, Unavailable
from sternpost.ports.storage import Statistics
from sternpost.storage.postgresql import replicas
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.storage.postgresql.pool import Pool
from sternpost.testing import Client
from sternpost.testing.storage import LABELS, StorageSuite, paged, shelf, storage_plan
from tests.conftest import SECRET, LogLines
from tests.replication.conftest import Pair
from tests.support.postgres import PrivateServer
from tests.support.proxy import Proxy


class Watched(PostgresqlStorage):
    """Notes where reads went."""

    def __init__(self, *args: Any, **more: Any) -> None:
        self.on_primary = self.on_replica = 0
        super().__init__(*args, **more)

    async def fetch(
        self, text: str, arguments: tuple[Any, ...], pool: Pool | None = None, **more: Any
    ) -> Sequence[Any]:
        rows = await super().fetch(text, arguments, pool, **more)
        if text.startswith("SELECT shelfs.") or "FROM shelfs" in text or "FROM shelves" in text:
            if pool is None:
                self.on_primary += 1
            else:
                self.on_replica += 1
        return rows


@pytest.fixture
async def storage(pair: Pair) -> AsyncIterator[Watched]:
    storage = Watched(pair.url, replica_urls=[pair.replica_url], timeout_seconds=2)
    await storage.open(storage_plan())
    await storage.create_schema()
    await until(lambda: in_use(storage))
    yield storage
    await storage.close()


async def in_use(storage: PostgresqlStorage) -> bool:
    try:
        await storage.replicas()["replica_1"]()
    except Unavailable:
        return False
    return True


async def until(condition: Callable[[], Any], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


async def reason(storage: PostgresqlStorage) -> str:
    with pytest.raises(Unavailable) as error:
        await storage.replicas()["replica_1"]()
    return error.value.log["reason"]


async def add(storage: PostgresqlStorage, label: str) -> str:
    row = shelf(label)
    async with storage.transaction(Statistics()) as session:
        await session.insert("Shelf", row)
    return row["id"]


async def seen(storage: PostgresqlStorage, key: str) -> str | None:
    row = await storage.reader().get(LABELS, key)
    return row.document["label"] if row else None


async def test_reads_go_to_the_replica_and_see_what_another_process_has_just_written(
    storage: Watched, pair: Pair
) -> None:
    other = Watched(pair.url, replica_urls=[pair.replica_url])
    await other.open(storage_plan())
    await until(lambda: in_use(other))
    for number in range(200):
        key = await add(storage, f"row {number}")
        assert await seen(other, key) == f"row {number}"
    assert other.on_replica > 100
    rows = await other.reader().select(*paged(LABELS, limit=500), count=True)
    assert rows.total == 200
    await other.close()


async def test_many_writers_and_readers_at_once_each_see_their_own_writes(storage: Watched) -> None:
    async def work(worker: int) -> None:
        for number in range(25):
            key = await add(storage, f"{worker} {number}")
            assert await seen(storage, key) == f"{worker} {number}"

    await asyncio.gather(*(work(worker) for worker in range(16)))
    assert storage.on_replica > storage.on_primary


async def test_a_replica_that_is_behind_is_not_read_and_is_taken_back_later(
    storage: Watched, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await add(storage, "first")
    await until(lambda: in_use(storage))
    await pair.on_replica("SELECT pg_wal_replay_pause()")
    try:
        second = await add(storage, "second")
        storage.on_primary = storage.on_replica = 0
        assert await seen(storage, second) == "second"
        assert await seen(storage, first) == "first"
        assert (storage.on_primary, storage.on_replica) == (2, 0)
        assert "bytes of WAL behind the primary" in await reason(storage)
        monkeypatch.setattr(replicas, "PATIENCE_SECONDS", 30)
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(20):
            assert await seen(storage, second) == "second"
        assert loop.time() - started < replicas.PATIENCE_SECONDS, "nobody waits for a replica that is known to be late"
        assert storage.on_replica == 0
    finally:
        await pair.on_replica("SELECT pg_wal_replay_resume()")
    await until(lambda: in_use(storage))
    assert await seen(storage, second) == "second"
    assert storage.on_replica == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGINT])
async def test_a_replica_that_dies_or_hangs_under_load_fails_no_read_and_is_used_again(
    storage: Watched, pair: Pair, number: signal.Signals
) -> None:
    key = await add(storage, "kept")
    stopped = False
    answers = 0

    async def work() -> None:
        nonlocal answers
        while not stopped:
            assert await seen(storage, key) == "kept"
            answers += 1

    clients = [asyncio.create_task(work()) for _ in range(16)]

    async def goes_on() -> None:
        before = answers
        await until(lambda: _true(answers > before + 50 or any(client.done() for client in clients)))

    await goes_on()
    process = pair.replica.process
    assert process is not None
    backends = _backends(process.pid) if number == signal.SIGSTOP else []
    for pid in [*backends, process.pid]:
        os.kill(pid, number)
    await until(lambda: _false(in_use(storage)))
    await goes_on()
    if number == signal.SIGSTOP:
        for pid in [process.pid, *backends]:
            os.kill(pid, signal.SIGCONT)
    else:
        await asyncio.to_thread(process.wait, 20)
        await asyncio.to_thread(_gone, pair.replica)
        await asyncio.to_thread(pair.replica.start)
    await until(lambda: in_use(storage), 30)
    storage.on_replica = 0
    await goes_on()
    assert storage.on_replica > 0
    stopped = True
    await asyncio.gather(*clients)
    await until(lambda: _true(storage.pool.in_use == 0))
    assert storage.replicated is not None
    await until(lambda: _true(storage.replicated.replicas[0].pool.in_use == 0))


async def ahead_of(pair: Pair, server: PrivateServer, replica: PrivateServer) -> None:
    """Writes WAL on another server until its position is far ahead of the primary's, and waits for its replica."""
    primary, other, follows = [await asyncpg.connect(url) for url in (pair.url, server.url, replica.url)]
    try:
        while True:
            await other.execute("SELECT pg_logical_emit_message(true, 'x', 'y')")
            await other.execute("SELECT pg_switch_wal()")
            wanted = await primary.fetchval("SELECT pg_current_wal_lsn() + 2::numeric ^ 26")
            if await other.fetchval("SELECT pg_current_wal_lsn() > $1::pg_lsn", wanted):
                break
        position = await other.fetchval("SELECT pg_current_wal_insert_lsn()")

        async def replayed() -> bool:
            return await follows.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", position)

        await until(replayed, 60)
    finally:
        for connection in (primary, other, follows):
            await connection.close()


@pytest.mark.slow
async def test_a_server_that_is_no_replica_of_this_primary_is_never_read(storage: Watched, pair: Pair) -> None:
    """Though it has a row of the same key, and its position is one that the primary has not reached."""
    key = await add(storage, "here")
    with PrivateServer() as other, PrivateServer(other) as its_replica:
        elsewhere = PostgresqlStorage(other.url)
        await elsewhere.open(storage_plan())
        await elsewhere.create_schema()
        async with elsewhere.transaction(Statistics()) as session:
            await session.insert("Shelf", {**shelf("elsewhere"), "id": key})
        assert await seen(elsewhere, key) == "elsewhere"
        await elsewhere.close()
        await ahead_of(pair, other, its_replica)
        for server, said in ((other, "not a replica"), (its_replica, "replica of a different server")):
            stranger = Watched(pair.url, replica_urls=[server.url], timeout_seconds=2)
            await stranger.open(storage_plan())
            await until(lambda stranger=stranger, said=said: _says(stranger, said))
            for _ in range(5):
                assert await seen(stranger, key) == "here"
            assert (stranger.on_primary, stranger.on_replica) == (5, 0)
            await stranger.close()


async def test_a_replica_that_is_promoted_is_read_no_more(servers: Pair, storage: Watched, pair: Pair) -> None:
    key = await add(storage, "before")
    with PrivateServer(pair.primary) as promoted:
        url = pair.url.replace(f":{pair.primary.port}/", f":{promoted.port}/")
        both = Watched(pair.url, replica_urls=[url])
        await both.open(storage_plan())
        await until(lambda: in_use(both))
        assert await seen(both, key) == "before"
        assert both.on_replica == 1
        admin = Pair(pair.primary, promoted)
        await admin.on_replica("SELECT pg_promote()")
        await until(lambda: _says(both, "promoted"))
        assert await seen(both, await add(both, "after")) == "after"
        assert both.on_replica == 1
        await both.close()


async def test_a_primary_that_was_demoted_is_unavailable_and_no_internal_error(storage: Watched, pair: Pair) -> None:
    key = await add(storage, "kept")
    await until(lambda: in_use(storage))
    demoted = PostgresqlStorage(pair.replica_url, replica_urls=[pair.replica_url])
    await demoted.open(storage_plan())
    with pytest.raises(Unavailable) as error:
        await add(demoted, "lost")
    assert "not a primary" in error.value.log["reason"]
    replicated = demoted.replicated
    assert replicated is not None
    await until(lambda: _true(replicated.replicas[0].reason is None))
    with pytest.raises(Unavailable) as error:
        await seen(demoted, key)
    assert "not a primary" in error.value.log["reason"]
    assert demoted.pool.in_use == 0
    await demoted.close()


@pytest.mark.parametrize(
    "more",
    [
        {"database_url": "sqlite:///x.sqlite", "database_replica_urls": "postgresql://a@b/c"},
        {"database_url": "postgresql://a@b/c", "database_replica_urls": "postgresql://a@b/c mysql://a@b/c"},
        {"database_url": "postgresql://a@b/c", "database_replica_urls": "postgresql://a@b"},
    ],
)
def test_addresses_that_cannot_be_replicas_are_refused_at_start(more: dict[str, str]) -> None:
    with pytest.raises(StartupError, match="STERNPOST_DATABASE_REPLICA_URLS"):
        check_database_url(Settings.model_validate(more))


async def test_a_service_with_a_sick_replica_stays_ready_and_shows_it(pair: Pair) -> None:
    settings = Settings.model_validate(
        {"env": "test", "database_url": pair.url, "database_replica_urls": pair.replica_url, "jwt_secret": SECRET}
    )
    app = Sternpost(contract, services=[services], settings=settings, write_log=LogLines())
    async with Client(app) as client:
        user = {"name": "A", "email": "a@shop.example"}

        async def shown(status: str) -> bool:
            answer = await client.get("/health/ready")
            assert (answer.status, answer.json()["status"]) == (200, "healthy")
            return answer.json()["checks"]["replica_1"]["status"] == status

        await until(lambda: shown("healthy"))
        await pair.on_replica("SELECT pg_wal_replay_pause()")
        try:
            created = await client.post("/api/v1/users", json=user)
            assert created.status == 201
            await until(lambda: shown("degraded"))
            token = client.token(created.data["id"])
            assert (await client.get(f"/api/v1/users/{created.data['id']}", token=token)).status == 200
        finally:
            await pair.on_replica("SELECT pg_wal_replay_resume()")
        await until(lambda: shown("healthy"))


@pytest.mark.slow
class TestReplicated(StorageSuite):
    """Whatever holds on one server holds with a replica."""

    @pytest.fixture
    def storage(self, pair: Pair) -> PostgresqlStorage:
        return PostgresqlStorage(pair.url, replica_urls=[pair.replica_url])


async def _true(value: bool) -> bool:
    return value


async def _false(condition: Any) -> bool:
    return not await condition


async def _says(storage: PostgresqlStorage, text: str) -> bool:
    try:
        await storage.replicas()["replica_1"]()
    except Unavailable as error:
        return text in error.log["reason"]
    return False


def _backends(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(child) for child in file.read().split()]


def _gone(server: PrivateServer) -> None:
    server.process = None


async def test_reads_go_round_a_replica_that_falls_silent(pair: Pair) -> None:
    """Nothing answers on its connections, and nothing says that they have ended."""
    async with Proxy(pair.replica_url) as proxy:
        storage = Watched(pair.url, replica_urls=[proxy.url], timeout_seconds=2)
        await storage.open(storage_plan())
        await storage.create_schema()
        await until(lambda: in_use(storage))
        key = await add(storage, "here")
        assert await seen(storage, key) == "here"
        assert storage.on_replica > 0
        proxy.silent = True
        assert proxy.silence() > 0
        begin, before = time.monotonic(), storage.on_primary
        assert await asyncio.gather(*(seen(storage, key) for _ in range(20))) == ["here"] * 20
        assert storage.on_primary > before
        assert time.monotonic() - begin < 2 * replicas.ANSWER_SECONDS + 1
        assert "unavailable" in await reason(storage)
        proxy.silent = False
        await until(lambda: in_use(storage), 5)
        before = storage.on_replica
        assert await seen(storage, key) == "here"
        assert storage.on_replica > before
        await storage.close()
