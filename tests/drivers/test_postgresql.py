"""PostgreSQL passes the storage suite, and keeps its own promises."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from sternpost.errors import Unavailable
from sternpost.ports.storage import Statistics
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.testing.storage import StorageSuite, shelf, storage_plan


class TestPostgresql(StorageSuite):
    @pytest.fixture
    def storage(self, postgres_database: str) -> PostgresqlStorage:
        return PostgresqlStorage(postgres_database)

    async def test_an_export_is_a_transaction_that_only_reads_one_state(self, opened: PostgresqlStorage) -> None:
        async with opened._export_snapshot() as snapshot:
            found = [
                (await snapshot.fetch(f"SHOW {name}", (), short=True))[0][0]
                for name in ("transaction_read_only", "transaction_isolation")
            ]
        assert found == ["on", "repeatable read"]

    async def test_connections_that_are_cut_are_replaced(self, opened: PostgresqlStorage) -> None:
        await self._add(opened, shelf("kept"))
        admin = await asyncpg.connect(opened.url)
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await admin.close()
        try:
            await opened.check()
        except Unavailable:  # one call may meet the cut connection; the next gets a new one
            await opened.check()
        assert await self._labels(opened) == ["kept"]

    async def test_two_processes_that_create_the_schema_at_once_agree(self, postgres_database: str) -> None:
        both = [PostgresqlStorage(postgres_database), PostgresqlStorage(postgres_database)]
        for storage in both:
            await storage.open(storage_plan())
        assert sorted(await asyncio.gather(*(storage.create_schema() for storage in both))) == [False, True]
        for storage in both:
            await storage.close()

    async def test_more_calls_than_connections_wait_their_turn(self, postgres_database: str) -> None:
        storage = PostgresqlStorage(postgres_database, pool_size=2)
        await storage.open(storage_plan())
        await storage.create_schema()

        async def write(number: int) -> None:
            async with storage.transaction(Statistics()) as session:
                await session.insert("Shelf", shelf(f"row {number}"))

        await asyncio.gather(*(write(number) for number in range(50)))
        assert len(await self._labels(storage)) == 50
        await storage.close()


async def test_a_server_that_is_away_is_unavailable_at_once() -> None:
    storage = PostgresqlStorage("postgresql://postgres@127.0.0.1:1/none", timeout_seconds=2)
    await storage.open(storage_plan())
    with pytest.raises(Unavailable):
        await storage.check()
    await storage.close()
