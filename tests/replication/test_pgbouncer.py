"""Behind PgBouncer in transaction mode: every storage test, and more clients than server connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import pytest

from sternpost.ports.storage import Statistics
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.testing.storage import LABELS, StorageSuite, change, shelf, storage_plan
from tests.conftest import not_run
from tests.support.pgbouncer import SERVER_CONNECTIONS, NoPgbouncer, Pgbouncer, pgbouncer


@pytest.fixture(scope="module")
def bouncer(postgres_url: str) -> Iterator[Pgbouncer]:
    try:
        with pgbouncer(postgres_url) as running:
            yield running
    except NoPgbouncer as error:
        not_run("PgBouncer", str(error))


@pytest.fixture
async def bounced(bouncer: Pgbouncer, postgres_database: str) -> str:
    """The address of a new database, through PgBouncer."""
    return f"{bouncer.address}/{postgres_database.rpartition('/')[2]}"


@pytest.mark.slow
class TestBehindPgbouncer(StorageSuite):
    @pytest.fixture
    def storage(self, bounced: str) -> PostgresqlStorage:
        return PostgresqlStorage(bounced, pgbouncer=True)


async def test_more_clients_than_server_connections_read_and_write(bounced: str, postgres_database: str) -> None:
    processes = [PostgresqlStorage(bounced, pgbouncer=True, pool_size=8) for _ in range(3)]
    for storage in processes:
        await storage.open(storage_plan())
    assert await processes[0].create_schema()

    async def work(storage: PostgresqlStorage, worker: int) -> None:
        for number in range(10):
            row = shelf(f"{worker} {number}")
            if number % 2:
                await storage.insert("Shelf", row, Statistics())
            else:
                async with storage.transaction(Statistics()) as session:
                    await session.insert("Shelf", row)
                    await change(session, "Shelf", row["id"], {"width": number})
            found = await storage.reader().get(LABELS, row["id"])
            assert found is not None
            assert found.document == {"label": row["label"]}

    await asyncio.gather(*(work(processes[worker % 3], worker) for worker in range(24)))
    admin = await asyncpg.connect(postgres_database)
    connections = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert await admin.fetchval("SELECT count(*) FROM shelfs") == 240
    await admin.close()
    assert 0 < connections <= SERVER_CONNECTIONS
    for storage in processes:
        assert storage.pool.in_use == 0
        await storage.close()
