"""SQLite passes the storage suite, and keeps its own promises."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sternpost.deadline import Deadline
from sternpost.errors import Duplicate, OutcomeUnknown, StartupError, Timeout, Unavailable
from sternpost.plan.query import Order
from sternpost.ports.storage import NO_ARGUMENTS, Statistics, TransactionOptions
from sternpost.storage.sql.failures import ENDED
from sternpost.storage.sqlite import database as sqlite_database
from sternpost.storage.sqlite.database import READER_THREADS, SqliteStorage
from sternpost.testing.storage import StorageSuite, shelf, storage_plan
from sternpost.testing.storage.contract import LABELS
from tests.support.contracts import contract_text, plan_of

_COUNTED = """UPDATE shelfs SET width = 1 + (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0})
SELECT count(*) FROM n) % 2"""
"""A statement that takes as long as it counts."""

_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class TestSqlite(StorageSuite):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> SqliteStorage:
        return SqliteStorage(str(tmp_path / "suite.sqlite"))

    async def test_the_file_is_wal_full_strict_and_with_foreign_keys(self, opened: SqliteStorage) -> None:
        async with opened._begin() as connection:
            settings = {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
            tables = dict(
                connection.execute(
                    "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' "
                    "AND type = 'table'"  # those of FTS5 are its own
                )
            )
        assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        assert set(tables.values()) == {1}

    async def test_200_concurrent_writers_lose_nothing(self, opened: SqliteStorage) -> None:
        async def write(number: int) -> None:
            async with opened.transaction(Statistics()) as session:
                await session.insert("Shelf", shelf(f"row {number}"))

        await asyncio.gather(*(write(number) for number in range(200)))
        assert len(set(await self._labels(opened))) == 200

    async def test_a_list_leaves_its_transaction_the_time_that_it_has(self, opened: SqliteStorage) -> None:
        await self._add(opened, shelf("s"))
        async with opened.transaction(Statistics()) as session:
            await session.select(LABELS, NO_ARGUMENTS)
            assert await session.execute(_COUNTED.format(300_000), {}) == 1, "what the list had left is no limit"
        started = time.monotonic()

        async def work() -> None:
            async with opened.transaction(Statistics(), TransactionOptions(timeout_seconds=0.2)) as session:
                await session.select(LABELS, NO_ARGUMENTS)
                await session.execute(_COUNTED.format(10**9), {})

        with pytest.raises(Timeout):
            await work()
        assert 0.1 < time.monotonic() - started < 10

    async def test_a_new_row_that_has_waited_has_the_rest_of_its_time(
        self, opened: SqliteStorage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        commit, free = opened._commit, asyncio.Event()

        async def slowly(connection: sqlite3.Connection) -> None:
            await free.wait()
            await commit(connection)

        async def ask() -> None:
            with Deadline(1.0, opened._alarms) as deadline:
                await opened.insert("Shelf", shelf("late"), Statistics(), deadline=deadline)

        monkeypatch.setattr(sqlite_database, "COMMIT_SECONDS", 0.1)
        monkeypatch.setattr(opened, "_commit", lambda connection: asyncio.ensure_future(slowly(connection)))
        started = time.monotonic()
        async with opened._write_lock:
            asking = asyncio.create_task(ask())
            await asyncio.sleep(0.5)
        with pytest.raises(OutcomeUnknown):
            await asking
        assert time.monotonic() - started < 1.5, "its time began when it was asked for"
        free.set()
        async with opened._write_lock:
            assert await self._labels(opened) == ["late"]

    async def test_a_long_list_of_a_transaction_has_its_own_rows_too(self, opened: SqliteStorage) -> None:
        """It is begun in the event loop, and read once more in a thread; the next time it goes to the thread at once."""
        labels = [f"{number:05d}" for number in range(6000)]
        ordered = replace(LABELS, order=(Order(("label",)),))
        async with opened.transaction(Statistics()) as session:
            await session.insert_rows("Shelf", [shelf(label) for label in labels], skip=False)
            for _ in range(2):
                rows = await session.select(ordered, NO_ARGUMENTS)
                assert [document["label"] for document in rows.documents] == labels
            await session.insert("Shelf", shelf("last"))
            assert await session.execute(_COUNTED.format(300_000), {}) == 6001
        for _ in range(2):
            assert await self._labels(opened, ordered) == [*labels, "last"]
        await self._add(opened, shelf("later"))
        assert len(await self._labels(opened, ordered)) == 6002

    async def test_an_own_read_of_a_transaction_ends_with_its_time(self, opened: SqliteStorage) -> None:
        for read in ("SELECT 1 AS one", _ENDLESS):
            started, ended = time.monotonic(), False
            try:
                async with opened.transaction(Statistics(), TransactionOptions(timeout_seconds=0.2)) as session:
                    await session.insert("Shelf", shelf(read[:50]))
                    assert await session.sql(read, {}) == [{"one": 1}]
            except Timeout:
                ended = True
            assert ended is (read is _ENDLESS)
            assert time.monotonic() - started < 10
        assert await self._labels(opened) == ["SELECT 1 AS one"]

    async def test_a_transaction_that_has_ended_says_so_whatever_failed_in_it(self, opened: SqliteStorage) -> None:
        async with opened.transaction(Statistics()) as session:
            await session.insert("Shelf", shelf("a"))
            with pytest.raises(Duplicate):
                async with session.savepoint():
                    await session.insert("Shelf", shelf("a"))
        with pytest.raises(RuntimeError, match=re.escape(ENDED)):
            await session.insert("Shelf", shelf("b"))
        assert await self._labels(opened) == ["a"]

    async def test_what_is_closed_leaves_the_file_alone(self, storage: SqliteStorage) -> None:
        """The last connection that is closed takes the write-ahead log away: so none has stayed open."""
        await storage.open(storage_plan())
        await storage.create_schema()
        await self._add(storage, *(shelf(f"{number:04d}") for number in range(20)))
        for _ in range(3):
            await asyncio.gather(*(storage.read_in_thread("SELECT count(*) FROM shelfs", ()) for _ in range(20)))
        assert len(storage.connections._of_threads) <= READER_THREADS
        assert [len(part) async for part in storage.export(LABELS, NO_ARGUMENTS, Statistics())] == [20]
        export = storage.export(LABELS, NO_ARGUMENTS, Statistics())
        await anext(export)
        await export.aclose()
        assert len(list(storage.path.parent.iterdir())) == 3
        await storage.close()
        assert list(storage.path.parent.iterdir()) == [storage.path]

    async def test_writes_that_wait_too_long_for_others_are_503_and_reads_are_not(self, opened: SqliteStorage) -> None:
        opened.timeout_seconds = 0.2
        async with opened.transaction(Statistics()) as session:
            await session.insert("Shelf", shelf("first"))
            with pytest.raises(Unavailable, match="Too many writes are waiting"):
                await self._add(opened, shelf("second"))
            with pytest.raises(Unavailable, match="Too many writes are waiting"):
                await opened.insert("Shelf", shelf("third"), Statistics())
            assert await self._labels(opened) == []
        await self._add(opened, shelf("fourth"))
        assert sorted(await self._labels(opened)) == ["first", "fourth"]

    async def test_exports_take_half_of_the_threads(self, opened: SqliteStorage) -> None:
        await self._add(opened, shelf("row"))
        running = [opened.export(LABELS, NO_ARGUMENTS, Statistics()) for _ in range(READER_THREADS // 2)]
        for export in running:
            await anext(export)
        with pytest.raises(Unavailable, match="Too many exports are running"):
            await anext(opened.export(LABELS, NO_ARGUMENTS, Statistics()))
        assert await opened.read_in_thread("SELECT 1", ()) == [(1,)]
        await running.pop().aclose()
        assert [len(part) async for part in opened.export(LABELS, NO_ARGUMENTS, Statistics())] == [1]
        await running.pop().aclose()

    async def test_reads_that_nobody_waits_for_keep_no_thread(self, opened: SqliteStorage) -> None:
        """There are four: as many are given up while they read, and as many before they begin."""
        for given_up in (0.05, 0.0):
            reads = [asyncio.create_task(opened.read_in_thread(_ENDLESS, ())) for _ in range(8)]
            await asyncio.sleep(given_up)
            for read in reads:
                read.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
            async with asyncio.timeout(5):
                assert await opened.read_in_thread("SELECT 1", ()) == [(1,)]

    async def test_another_process_that_writes_is_waited_for_then_503(self, opened: SqliteStorage) -> None:
        opened.timeout_seconds = 0.2
        other = sqlite3.connect(opened.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await self._add(opened, shelf("late"))
        other.rollback()
        other.close()
        await self._add(opened, shelf("now"))
        assert await self._labels(opened) == ["now"]

    async def test_a_file_that_is_gone_is_noticed_and_so_is_its_return(self, opened: SqliteStorage) -> None:
        await self._add(opened, shelf("kept"))
        away = opened.path.with_suffix(".away")
        opened.path.rename(away)
        with pytest.raises(Unavailable):
            await opened.check()
        with pytest.raises(Unavailable):
            await self._add(opened, shelf("lost"))
        away.rename(opened.path)
        await opened.check()
        assert await self._labels(opened) == ["kept"]

    async def test_a_file_that_is_replaced_during_a_write_is_kept_until_its_end(self, opened: SqliteStorage) -> None:
        async with opened.transaction(Statistics()) as session:
            await session.insert("Shelf", shelf("first"))
            for end in ("", "-wal", "-shm"):
                opened.path.with_name(opened.path.name + end).rename(opened.path.with_name("away" + end))
            opened.path.touch()
            with pytest.raises(Unavailable):
                await opened.check()
            await session.insert("Shelf", shelf("second"))

    async def test_every_connection_leaves_a_file_that_was_replaced(self, opened: SqliteStorage) -> None:
        async def found() -> tuple[list[str], int]:
            rows = await opened.read_in_thread("SELECT count(*) FROM shelfs", ())
            return await self._labels(opened), rows[0][0]

        await self._add(opened, shelf("first"))
        other = opened.path.with_name("other.sqlite")
        await opened.read_in_thread("SELECT 1", ())
        with closing(sqlite3.connect(opened.path)) as connection:
            connection.execute("VACUUM INTO ?", (str(other),))
        await self._add(opened, shelf("second"))
        assert await found() == (["first", "second"], 2)
        for end in ("", "-wal", "-shm"):
            opened.path.with_name(opened.path.name + end).rename(opened.path.with_name("away" + end))
        other.rename(opened.path)
        await opened.check()
        assert await found() == (["first"], 1)


async def test_a_database_without_schema_is_not_ready(tmp_path: Path) -> None:
    storage = SqliteStorage(str(tmp_path / "empty.sqlite"))
    await storage.open(storage_plan())
    with pytest.raises(Unavailable) as error:
        await storage.check()
    assert "sternpost migrate apply" in error.value.log["reason"]
    await storage.close()


async def test_a_schema_of_another_contract_is_refused(tmp_path: Path) -> None:
    storage, other = (SqliteStorage(str(tmp_path / "one.sqlite")) for _ in range(2))
    await storage.open(storage_plan())
    await other.open(plan_of(contract_text({"Other": {"label": "str"}})))
    assert await other.create_schema()
    with pytest.raises(StartupError, match=r"one\.sqlite"):
        await storage.create_schema()
    with pytest.raises(Unavailable) as error:
        await storage.check()
    assert storage.statements.schema.fingerprint[:16] in error.value.log["reason"]
    await other.check()
    assert not await other.create_schema()
    for each in (storage, other):
        await each.close()


async def test_a_folder_that_does_not_exist_is_reported_not_raised(tmp_path: Path) -> None:
    storage = SqliteStorage(str(tmp_path / "missing" / "x.sqlite"))
    await storage.open(storage_plan())
    uses = (
        storage.check,
        storage.create_schema,
        lambda: storage.reader().select(LABELS),
        lambda: storage.reader().get(LABELS, "0" * 32),
        lambda: storage.reader().sql("SELECT 1 AS one", {}),
        lambda: storage.insert("Shelf", shelf("a"), Statistics()),
        lambda: anext(storage.export(LABELS, NO_ARGUMENTS, Statistics())),
    )
    for use in uses:
        with pytest.raises(Unavailable) as error:
            await use()
        assert "cannot be opened" in error.value.log["reason"] or "unable to open" in error.value.log["reason"]
    storage.path.parent.mkdir()
    assert await storage.create_schema()
    await storage.insert("Shelf", shelf("a"), Statistics())
    assert len((await storage.reader().select(LABELS)).documents) == 1
    assert await storage.reader().sql("SELECT 1 AS one", {}) == [{"one": 1}]
    await storage.close()


def test_in_memory_databases_are_refused() -> None:
    with pytest.raises(StartupError, match="Use a file"):
        SqliteStorage(":memory:")
