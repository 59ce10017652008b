"""PostgreSQL passes the storage suite, and keeps its own promises."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest

from sternpost.errors import OutcomeUnknown, StartupError, Timeout, Unavailable
from sternpost.plan.query import Select
from sternpost.ports.storage import NO_ARGUMENTS, Arguments, Statistics, TransactionOptions
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.testing.storage import StorageSuite, shelf, storage_plan
from sternpost.testing.storage.contract import LABELS
from tests.support.contracts import contract_text, plan_of


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

    async def test_a_connection_that_is_cut_in_a_commit_has_the_others_replaced(
        self, opened: PostgresqlStorage
    ) -> None:
        """What has cut it has cut the others, too; and nobody knows what became of the commit."""
        await asyncio.gather(*(self._add(opened, shelf(f"row {number}")) for number in range(4)))
        admin = await asyncpg.connect(opened.url)
        await admin.execute(_SLOW_COMMIT)
        before = await self._pids(admin)
        assert len(before) > 1
        adding = asyncio.create_task(self._add(opened, shelf("unknown")))
        while not await admin.fetchval(_CUT_COMMITS):
            await asyncio.sleep(0.01)
        with pytest.raises(OutcomeUnknown):
            await adding
        await admin.execute("DROP TRIGGER slow ON shelfs")
        await self._labels(opened)
        assert not before & await self._pids(admin)
        await admin.close()

    async def _pids(self, admin: Any) -> set[int]:
        rows = await admin.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        return {row["pid"] for row in rows}

    @pytest.mark.parametrize(
        "error",
        [
            asyncpg.CrashShutdownError("terminating connection because of crash of another server process"),
            asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
            ConnectionResetError(),
        ],
    )
    async def test_a_commit_that_is_not_answered_may_have_happened(
        self, opened: PostgresqlStorage, error: Exception
    ) -> None:
        async def fail() -> None:
            raise error

        for writes, expected in ((True, OutcomeUnknown), (False, Unavailable)):
            with pytest.raises((OutcomeUnknown, Unavailable)) as found:
                await opened.guarded(None, fail, writes=writes)
            assert isinstance(found.value, expected)

    async def test_the_server_ends_a_transaction_whose_process_hangs(self, opened: PostgresqlStorage) -> None:
        """Nobody is there to end it, and it would keep what it has locked."""
        still_open: list[int] = []

        async def look() -> None:
            admin = await asyncpg.connect(opened.url)
            still_open.append(await admin.fetchval(_IDLE_IN_TRANSACTION))
            async with asyncio.timeout(10):
                while await admin.fetchval(_IDLE_IN_TRANSACTION):
                    await asyncio.sleep(0.02)
            still_open.append(0)
            await admin.close()

        async def hang() -> None:
            async with opened.transaction(Statistics(), TransactionOptions(timeout_seconds=0.5)) as session:
                await session.insert("Shelf", shelf("locked"))
                looking = threading.Thread(target=lambda: asyncio.run(look()))
                looking.start()
                looking.join(15)  # which holds this thread, and with it the event loop
                await session.insert("Shelf", shelf("late"))

        with pytest.raises((Timeout, Unavailable)):
            await hang()
        assert still_open == [1, 0]
        assert await self._labels(opened) == []

    async def test_a_part_of_an_export_may_take_longer_than_a_statement(
        self, postgres_database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sternpost.storage.postgresql.pool.SILENT_SECONDS", 0.0)
        storage = PostgresqlStorage(postgres_database, statement_seconds=0.2)
        await storage.open(storage_plan())
        await storage.create_schema()
        await self._add(storage, shelf("late"))
        admin = await asyncpg.connect(postgres_database)
        lock = admin.transaction()
        await lock.start()
        await admin.execute("LOCK TABLE shelfs IN ACCESS EXCLUSIVE MODE")
        query = Select("Shelf", ("label",))
        reading = asyncio.ensure_future(anext(storage.export(query, Arguments(), Statistics())))
        await asyncio.sleep(1.2)
        await lock.rollback()
        assert [row["label"] for row in await reading] == ["late"]
        await admin.close()
        await storage.close()

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


async def small(url: str) -> PostgresqlStorage:
    """A service with four connections: three for writes at most, two for exports."""
    storage = PostgresqlStorage(url, pool_size=4, timeout_seconds=0.3)
    await storage.open(storage_plan())
    await storage.create_schema()
    return storage


async def test_writes_that_wait_too_long_for_others_are_503_and_reads_are_not(postgres_database: str) -> None:
    storage = await small(postgres_database)
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(storage.transaction(Statistics()))
        with pytest.raises(Unavailable, match="Too many writes are waiting"):
            async with storage.transaction(Statistics()):
                pytest.fail("there is no place for a fourth")
        with pytest.raises(Unavailable, match="Too many writes are waiting"):
            await storage.insert("Shelf", shelf("late"), Statistics())
        assert (await storage.reader().select(LABELS)).documents == []
    for number in range(5):
        await storage.insert("Shelf", shelf(f"{number}"), Statistics())
    assert len((await storage.reader().select(LABELS)).documents) == 5
    await storage.close()


async def test_exports_take_half_of_the_connections(postgres_database: str) -> None:
    storage = await small(postgres_database)
    await storage.insert("Shelf", shelf("row"), Statistics())
    running = [storage.export(LABELS, NO_ARGUMENTS, Statistics()) for _ in range(2)]
    for export in running:
        await anext(export)
    with pytest.raises(Unavailable, match="Too many exports are running"):
        await anext(storage.export(LABELS, NO_ARGUMENTS, Statistics()))
    await storage.insert("Shelf", shelf("meanwhile"), Statistics())
    await running.pop().aclose()
    assert [len(part) async for part in storage.export(LABELS, NO_ARGUMENTS, Statistics())] == [2]
    await running.pop().aclose()
    await storage.close()


async def test_a_schema_of_another_contract_is_refused(postgres_database: str) -> None:
    storage, other = PostgresqlStorage(postgres_database), PostgresqlStorage(postgres_database)
    await storage.open(storage_plan())
    await other.open(plan_of(contract_text({"Other": {"label": "str"}})))
    assert await other.create_schema()
    with pytest.raises(StartupError, match="the schema of another contract"):
        await storage.create_schema()
    with pytest.raises(Unavailable) as error:
        await storage.check()
    assert storage.statements.schema.fingerprint[:16] in error.value.log["reason"]
    await other.check()
    assert not await other.create_schema()
    for each in (storage, other):
        await each.close()


async def test_a_server_that_is_away_is_unavailable_at_once() -> None:
    storage = PostgresqlStorage("postgresql://postgres@127.0.0.1:1/none", timeout_seconds=2)
    await storage.open(storage_plan())
    with pytest.raises(Unavailable):
        await storage.check()
    await storage.close()


_IDLE_IN_TRANSACTION = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'"""

_SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON shelfs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION slow();
"""
_CUT_COMMITS = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND query = 'COMMIT' AND state = 'active'"""
