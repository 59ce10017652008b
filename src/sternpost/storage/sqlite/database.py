"""SQLite behind the storage port: one writer, readers beside it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sternpost.deadline import Alarms, Deadline
from sternpost.errors import OutcomeUnknown, StartupError, Unavailable
from sternpost.plan.model import Plan
from sternpost.plan.query import Select
from sternpost.ports.audit import AuditTrail
from sternpost.ports.idempotency import AnswerStore
from sternpost.ports.keys import KeyStore
from sternpost.ports.outbox import NO_EVENTS, Events, Outbox
from sternpost.ports.own_tables import SCHEMA_TABLE, VERSION_TABLE
from sternpost.ports.pools import PoolUse
from sternpost.ports.storage import (
    NO_TENANT,
    Arguments,
    Document,
    Reader,
    Session,
    Statistics,
    TransactionOptions,
    Values,
    Visibility,
)
from sternpost.storage.sql.api_keys import SqlKeys
from sternpost.storage.sql.audit import SqlAuditTrail
from sternpost.storage.sql.committing import COMMIT_SECONDS, to_the_end
from sternpost.storage.sql.external import Columns, named_tables, refuse_external, refuse_misfit
from sternpost.storage.sql.failures import OTHER_SCHEMA, OnlyReads, behind
from sternpost.storage.sql.hints import Hints
from sternpost.storage.sql.idempotency import SqlAnswers
from sternpost.storage.sql.outbox import SqlOutbox
from sternpost.storage.sql.reader import SqlReader
from sternpost.storage.sql.session import SqlSession
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sql.tenants import of_tenant
from sternpost.storage.sql.timed import noted
from sternpost.storage.sql.waits import CountedLock, Waits
from sternpost.storage.sqlite.connections import INLINE_TURNS, Connections
from sternpost.storage.sqlite.dialect import SqliteDialect
from sternpost.storage.sqlite.failures import guarded, not_committed, translated
from sternpost.storage.sqlite.grouped import GroupedInserts
from sternpost.storage.sqlite.outbox import SqliteTail
from sternpost.storage.sqlite.running import (
    LongStatements,
    PatientReads,
    Reads,
    Snapshot,
    ThreadRead,
    Writes,
    records_of,
)
from sternpost.storage.sqlite.search import asking

VERSION_MIN = (3, 37, 0)
"""The first with STRICT tables."""

READER_THREADS = 4
_BUSY = {"reason": "the SQLite writer was busy for too long"}

T = TypeVar("T")


class SqliteStorage:
    """A SQLite file.

    Reads by key run in the event loop (they take microseconds), lists in reader threads. Writes are serialised: one
    transaction at a time, its short statements in the loop, its long ones and its commit (which waits for the disk) in
    the writer's thread.
    """

    def __init__(self, path: str, *, timeout_seconds: float = 5.0, key_secret: bytes | None = None) -> None:
        if sqlite3.sqlite_version_info < VERSION_MIN:
            raise StartupError(
                f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed. Use a newer Python "
                "build, or PostgreSQL."
            )
        if path in ("", ":memory:"):
            raise StartupError(
                "An in-memory SQLite database cannot be shared by connections. Use a file: sqlite:///path.sqlite"
            )
        self.path = Path(path)
        self.timeout_seconds = timeout_seconds
        self.key_secret = key_secret
        self.dialect = SqliteDialect()
        self.statements: Statements = None  # pyright: ignore[reportAttributeAccessIssue]  (set by open, before any use)
        self.connections: Connections = None  # pyright: ignore[reportAttributeAccessIssue]  (set by open, too)
        self._reads = Reads(self)
        self._snapshot: dict[tuple[str, tuple[Any, ...]], list[Any]] = {}
        """What equal lists have found in this turn of the event loop: in one state of the file they find the same."""
        self._long = LongStatements()
        self._fits: tuple[int, int] | None = None
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="sqlite-reader")
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._write_lock = CountedLock()
        self._alarms = Alarms()
        self._exports = asyncio.Semaphore(READER_THREADS // 2)
        self._inserts = GroupedInserts(self.transaction, self._alarms)
        self._hints = Hints()
        self._reading = Waits()
        self.events_written = 0

    async def open(self, plan: Plan) -> None:
        self.statements = Statements(plan, self.dialect, self.key_secret)
        self.connections = Connections(self.path, plan, timeout_seconds=self.timeout_seconds)
        self._long = LongStatements(asking(plan))
        self._reads = PatientReads(self) if plan.external else Reads(self)
        try:
            self.connections.connect()
        except sqlite3.DatabaseError:  # reported by check(), and tried again by each use
            self.connections.disconnect()

    async def close(self) -> None:
        self._inserts.grouping.close()
        self._alarms.close()
        await asyncio.get_running_loop().run_in_executor(None, self._stop_threads)
        self.connections.close()

    async def check(self) -> None:
        self.connections.reconnect_if_replaced(writing=self._write_lock.locked())
        if self.statements.plan.external:
            await self._check_tables()
            return
        found = await self.read_in_thread(_FINGERPRINT, ())
        serves = [row[0] for row in found]
        if self.statements.schema.fingerprint not in serves:
            known = await self.read_in_thread(_HAS_MIGRATIONS, ())
            revision = (
                (await self.read_in_thread(f"SELECT version_num FROM {VERSION_TABLE}", ()))[0][0] if known else None
            )
            raise Unavailable(log={"reason": behind(serves, self.statements.schema.fingerprint, revision)})

    async def _check_tables(self) -> None:
        """Checks the tables of an external database: again only after the file was replaced."""
        if self._fits == self.connections.file:
            await self.read_in_thread("SELECT 1", ())
            return
        found: Columns = {}
        for schema, table, _ in named_tables(self.statements.plan):
            columns = await self.read_in_thread("SELECT name, type FROM pragma_table_xinfo(?)", (table,))
            if columns:
                found[schema, table] = dict(columns)
        refuse_misfit(self.statements.plan, self.statements.dialect, found, {})
        self._fits = self.connections.file

    def replicas(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {}

    def pools(self) -> Sequence[PoolUse]:
        writers, reading = self._write_lock.waits, self._reading.waiting
        return (
            PoolUse("writer", 1, int(self._write_lock.locked()), writers.waiting, writers.count, writers.seconds),
            PoolUse("readers", READER_THREADS, min(reading, READER_THREADS), max(reading - READER_THREADS, 0)),
        )

    async def create_schema(self) -> bool:
        refuse_external(self.statements.plan)
        self.connections.reconnect_if_replaced(writing=self._write_lock.locked())
        async with self._begin() as connection:
            existing = connection.execute(_HAS_SCHEMA).fetchall()
            if existing:
                if (self.statements.schema.fingerprint,) not in connection.execute(_FINGERPRINT).fetchall():
                    raise StartupError(OTHER_SCHEMA.format(where=self.path))
                return False
            for statement in self.ddl():
                connection.execute(statement)
            now = datetime.now(UTC).isoformat()
            connection.execute(f"INSERT INTO {SCHEMA_TABLE} VALUES (?, ?)", (self.statements.schema.fingerprint, now))
            return True

    def ddl(self) -> list[str]:
        return self.statements.schema.ddl()

    def keys(self) -> KeyStore:
        return SqlKeys(self.dialect, self._read_once, self._write_once)

    def audit_trail(self) -> AuditTrail:
        return SqlAuditTrail(self.statements.plan, self.dialect, self._read_once)

    def answers(self) -> AnswerStore:
        return SqlAnswers(self.dialect, self._read_once)

    def outbox(self) -> Outbox:
        tail = SqliteTail(self, self._write_once, self.dialect)
        return SqlOutbox(tail, self._hints, timedelta(seconds=self.statements.plan.events_kept_seconds))

    async def _read_once(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        return self.read_inline(text, arguments)

    async def _write_once(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        async with self._begin() as connection:
            return guarded(lambda: connection.execute(text, arguments).fetchall())

    def reader(self, statistics: Statistics | None = None, visibility: Visibility = NO_TENANT) -> Reader:
        return SqlReader(self._reads, self.statements, statistics, visibility)

    def insert(
        self,
        resource: str,
        values: Values,
        statistics: Statistics,
        visibility: Visibility = NO_TENANT,
        deadline: Deadline | None = None,
        events: Events = NO_EVENTS,
    ) -> Awaitable[Document]:
        statistics.statements += 1
        plan = self.statements.plan
        values = of_tenant(plan, plan.by_name[resource], values, visibility)
        inserted = self._inserts.insert(resource, values, deadline, events)
        return noted(inserted, self.statements, resource, values, statistics)

    @asynccontextmanager
    async def transaction(
        self,
        statistics: Statistics,
        options: TransactionOptions | None = None,
        visibility: Visibility = NO_TENANT,
        deadline: Deadline | None = None,
    ) -> AsyncGenerator[Session]:
        limit = options.timeout_seconds if options else None
        if limit is None and deadline is not None:
            limit = deadline.seconds
        async with self._begin(deadline) as connection:
            end = None if limit is None else time.monotonic() + limit
            writes = Writes(connection, end, self._long, self._writer_thread)
            session = SqlSession(writes, self.statements, statistics, visibility)
            try:
                yield session
                await writes.settle()
                await writes.end()
            finally:
                await writes.settle()
                writes.close()
                connection.set_progress_handler(None, 0)
        if session.emitted:
            self.events_written += session.emitted
            self._hints.give()

    async def export(
        self, query: Select, arguments: Arguments, statistics: Statistics, visibility: Visibility = NO_TENANT
    ) -> AsyncGenerator[list[Document]]:
        async with self._export_snapshot() as snapshot:
            reader = SqlReader(snapshot, self.statements, statistics, visibility)
            async with aclosing(reader.export(snapshot, query, arguments)) as parts:
                async for part in parts:
                    yield part

    @asynccontextmanager
    async def _export_snapshot(self) -> AsyncGenerator[Snapshot]:
        """A connection of its own, which sees what was committed before it. Exports take half of the threads
        at most."""
        if self._exports.locked():
            raise Unavailable(
                "Too many exports are running", log={"reason": "exports use at most half of the reader threads"}
            )
        async with self._exports:
            connection = guarded(
                lambda: self.connections.new(busy_ms=int(self.timeout_seconds * 1000), reads_only=True)
            )
            snapshot = Snapshot(connection, self._readers)
            try:
                # Sorting a whole list in memory would take as much of it as the list is long.
                await snapshot.run(lambda: connection.execute("PRAGMA temp_store = FILE"))
                await snapshot.run(lambda: connection.execute("BEGIN"))
                yield snapshot
            finally:
                await snapshot.close()

    # -- the writer

    @asynccontextmanager
    async def _begin(self, deadline: Deadline | None = None) -> AsyncGenerator[sqlite3.Connection]:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await self._write_lock.acquire()
        except TimeoutError:
            raise Unavailable("Too many writes are waiting", log=_BUSY) from None
        committing: asyncio.Future[None] | None = None
        try:
            connection = self.connections.connected(self.connections.writer)
            await self._begin_immediate(connection)
            late = _Late()
            try:
                yield connection
                if deadline is not None:
                    deadline.committing(late.begin)
            except BaseException:
                guarded(connection.rollback)
                raise
            committing = self._commit(connection)
            await late.wait(committing)
        finally:
            if committing is None or committing.done():
                self._write_lock.release()
            else:  # nobody waits any more, but the writer is at work
                committing.add_done_callback(self._written)

    def _written(self, committing: asyncio.Future[None]) -> None:
        """The end of a commit whose outcome was given up."""
        committing.exception()
        self._write_lock.release()

    async def _begin_immediate(self, connection: sqlite3.Connection) -> None:
        """Takes the file's write lock; another process may hold it, so this waits without blocking the loop."""
        deadline = asyncio.get_running_loop().time() + self.timeout_seconds
        pause = 0.001
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or asyncio.get_running_loop().time() > deadline:
                    raise translated(error) from error
            await self._write_lock.waits.during(asyncio.sleep(pause))
            pause = min(pause * 2, 0.05)

    def _commit(self, connection: sqlite3.Connection) -> asyncio.Future[None]:
        """Commits in the writer's thread, to the end, even when the caller is cancelled meanwhile: half a commit is not
        a state to leave. What fails is rolled back there."""
        commit = (
            connection.commit
            if not self.statements.plan.external
            else lambda: _commit_patiently(connection, self.timeout_seconds)
        )

        def run() -> None:
            try:
                commit()
            except sqlite3.Error as error:
                guarded(connection.rollback)
                raise not_committed(error) from error

        return asyncio.get_running_loop().run_in_executor(self._writer_thread, run)

    def _stop_threads(self) -> None:
        self._readers.shutdown(wait=True)
        self._writer_thread.shutdown(wait=True)

    # -- running statements

    def read_inline(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A read by key, in the event loop."""
        connection = self.connections.connected(self.connections.inline)
        self.connections.budget.turns = -1
        try:
            self._share_snapshot(connection)
            return connection.execute(text, arguments).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error

    def _share_snapshot(self, connection: sqlite3.Connection) -> None:
        """The reads of one turn of the event loop lock the file once, and see one state of it.

        What was committed before a request arrived was committed before the turn that reads for it began.
        """
        if not connection.in_transaction:
            connection.execute("BEGIN")
            asyncio.get_running_loop().call_soon(self._end_snapshot, connection)

    def _end_snapshot(self, connection: sqlite3.Connection) -> None:
        self._snapshot.clear()
        if connection is self.connections.inline and connection.in_transaction:
            connection.execute("COMMIT")

    async def read_list(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A read of unknown length: in the event loop while it is short, else once more in a reader thread.

        Handing a read to a thread costs more than most lists take; a long one must not hold up everybody else.
        """
        if text in self._long or self.connections.inline is None:
            return await self.read_in_thread(text, arguments)
        try:
            self._share_snapshot(self.connections.inline)
            rows = self._snapshot.get((text, arguments))
            if rows is None:
                self.connections.budget.turns = INLINE_TURNS
                rows = self._snapshot[text, arguments] = self.connections.inline.execute(text, arguments).fetchall()
            return rows
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise translated(error) from error
        except sqlite3.Error as error:
            raise translated(error) from error
        self._long.add(text)
        return await self.read_in_thread(text, arguments)

    async def read_in_thread(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A longer read, in a reader thread."""
        return await self._in_thread(lambda connection: guarded(lambda: connection.execute(text, arguments).fetchall()))

    async def records_in_thread(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        """An author's own statement, on a connection that cannot write."""

        def run(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            try:
                return records_of(connection.execute(text, arguments))
            except sqlite3.OperationalError as error:
                if "readonly" in str(error):
                    raise OnlyReads from error
                raise translated(error) from error
            except sqlite3.Error as error:
                raise translated(error) from error

        return await self._in_thread(run)

    async def _in_thread(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Reads in a thread; what nobody waits for any more is interrupted there."""
        read = ThreadRead(self.connections, work)
        try:
            return await self._reading.during(asyncio.get_running_loop().run_in_executor(self._readers, read.run))
        except asyncio.CancelledError:
            read.abandon()
            raise


class _Late:
    """What is done about a commit when its time is up: it cannot be taken back, so it is waited for, for a while."""

    __slots__ = ("_given_up", "_timer")

    def __init__(self) -> None:
        self._given_up: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The time is up."""
        self._timer = asyncio.get_running_loop().call_later(COMMIT_SECONDS, self._give_up)

    async def wait(self, committing: asyncio.Future[None]) -> None:
        """Waits for the end of a commit. Raises what made it fail, or `OutcomeUnknown`."""
        ended = self._given_up = asyncio.get_running_loop().create_future()
        committing.add_done_callback(lambda _: ended.done() or ended.set_result(None))
        try:
            await to_the_end(ended)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._given_up = None
            if committing.done():
                committing.result()

    def _give_up(self) -> None:
        if self._given_up is not None and not self._given_up.done():
            self._given_up.set_exception(OutcomeUnknown(log={"reason": "the disk has not confirmed a commit in time"}))


def _commit_patiently(connection: sqlite3.Connection, seconds: float) -> None:
    """Without a write-ahead log a commit has to wait until there are no readers."""
    connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    try:
        connection.commit()
    finally:
        connection.execute("PRAGMA busy_timeout = 0")


_HAS_SCHEMA = f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{SCHEMA_TABLE}'"
_HAS_MIGRATIONS = f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{VERSION_TABLE}'"
_FINGERPRINT = f"SELECT fingerprint FROM {SCHEMA_TABLE}"
