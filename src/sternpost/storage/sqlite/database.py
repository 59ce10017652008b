"""SQLite behind the storage port: one writer, readers beside it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sternpost.errors import Internal, StartupError, SternpostError, Timeout, Unavailable
from sternpost.plan.model import Plan
from sternpost.plan.query import Select
from sternpost.ports.audit import AuditTrail
from sternpost.ports.keys import KeyStore
from sternpost.ports.storage import (
    EVERY_TENANT,
    NO_TENANT,
    Arguments,
    Document,
    Origin,
    Reader,
    Session,
    Statistics,
    TransactionOptions,
    Values,
    Visibility,
)
from sternpost.storage.sql.api_keys import SqlKeys
from sternpost.storage.sql.audit import AUDIT_TABLE, SqlAuditTrail
from sternpost.storage.sql.external import Columns, named_tables, refuse_external, refuse_misfit
from sternpost.storage.sql.failures import OTHER_SCHEMA, SCHEMA_MISSING, ConstraintFailed, OnlyReads, behind
from sternpost.storage.sql.grouping import Grouping
from sternpost.storage.sql.reader import SqlReader
from sternpost.storage.sql.reads import PointStatement
from sternpost.storage.sql.schema import SCHEMA_TABLE, VERSION_TABLE
from sternpost.storage.sql.session import SqlSession
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sql.tenants import of_tenant
from sternpost.storage.sqlite.dialect import SqliteDialect

VERSION_MIN = (3, 37, 0)
"""The first with STRICT tables."""

READER_THREADS = 4
INSERTS_MAX = 64
"""New rows in one transaction."""

LONG_MAX = 1000
INLINE_STEPS = 5_000
INLINE_TURNS = 8
"""A list is read in the event loop as long as that takes SQLite fewer than about 40,000 steps: a millisecond or two."""

_AWAY = (
    "unable to open database file",
    "disk I/O error",
    "database or disk is full",
    "readonly database",
    "file is not a database",
)
_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",  # NORMAL loses acknowledged writes when the power fails
    "PRAGMA trusted_schema = OFF",
    "PRAGMA temp_store = MEMORY",
)

_NEWEST_ENTRY = f"SELECT coalesce(max(id), 0) FROM {AUDIT_TABLE}"
_SIGN_ENTRIES = f"UPDATE {AUDIT_TABLE} SET actor = ?, operation = ?, request_id = ? WHERE id > ?"

T = TypeVar("T")


class FileLocked(Unavailable):
    """Another connection holds the file just now."""


class SqliteStorage:
    """A SQLite file.

    Reads by key run in the event loop (they take microseconds), lists in reader threads. Writes are serialised: one
    transaction at a time, its statements in the loop, its commit (which waits for the disk) in the writer's thread.
    """

    def __init__(self, path: str, *, timeout_seconds: float = 5.0, key_secret: bytes | None = None) -> None:
        if sqlite3.sqlite_version_info < VERSION_MIN:
            raise StartupError(
                f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed. Use a newer Python build, or PostgreSQL."
            )
        if path in ("", ":memory:"):
            raise StartupError(
                "An in-memory SQLite database cannot be shared by readers and the writer. Use a file: sqlite:///path.sqlite"
            )
        self.path = Path(path)
        self.timeout_seconds = timeout_seconds
        self.key_secret = key_secret
        self.dialect = SqliteDialect()
        self.statements: Statements = None  # pyright: ignore[reportAttributeAccessIssue]  (set by open, before any use)
        self._writer: sqlite3.Connection | None = None
        self._inline: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._snapshot: dict[tuple[str, tuple[Any, ...]], list[Any]] = {}
        """What equal lists have found in this turn of the event loop: in one state of the file they find the same."""
        self._long: set[str] = set()
        """Statements that took too long for the event loop."""
        self._fits: tuple[int, int] | None = None
        self._local = threading.local()
        self._thread_connections: list[sqlite3.Connection] = []
        self._readers = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="sqlite-reader")
        self._writer_thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-writer")
        self._write_lock = asyncio.Lock()
        self._exports = asyncio.Semaphore(READER_THREADS // 2)
        self._inserts: Grouping[str, Values, Document] = Grouping(
            self._insert_all, size_max=INSERTS_MAX, in_flight_max=1
        )
        self._budget = _Budget()

    async def open(self, plan: Plan) -> None:
        self.statements = Statements(plan, self.dialect, self.key_secret)
        try:
            self._connect_all()
        except sqlite3.DatabaseError:  # reported by check(), and tried again by each use
            self._disconnect()

    async def close(self) -> None:
        self._inserts.close()
        await asyncio.get_running_loop().run_in_executor(None, self._stop_threads)
        self._disconnect()

    async def check(self) -> None:
        self._reconnect_if_replaced()
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
        """The tables of a database that was there before: looked at again only after the file was replaced."""
        if self._fits == self._file:
            await self.read_in_thread("SELECT 1", ())
            return
        found: Columns = {}
        for schema, table, _ in named_tables(self.statements.plan):
            columns = await self.read_in_thread("SELECT name, type FROM pragma_table_xinfo(?)", (table,))
            if columns:
                found[schema, table] = dict(columns)
        refuse_misfit(self.statements.plan, self.statements.dialect, found)
        self._fits = self._file

    def replicas(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        return {}

    async def create_schema(self) -> bool:
        refuse_external(self.statements.plan)
        self._reconnect_if_replaced()
        async with self._begin() as connection:
            existing = connection.execute(_HAS_SCHEMA).fetchall()
            if existing:
                self._refuse_other_schema(connection.execute(_FINGERPRINT).fetchall())
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

    async def _read_once(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        return self.read_inline(text, arguments)

    async def _write_once(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        async with self._begin() as connection:
            return self.guarded(lambda: connection.execute(text, arguments).fetchall())

    def reader(self, statistics: Statistics | None = None, visibility: Visibility = NO_TENANT) -> Reader:
        reads = _PatientReads(self) if self.statements.plan.external else _Reads(self)
        return SqlReader(reads, self.statements, statistics, visibility)

    async def insert(
        self, resource: str, values: Values, statistics: Statistics, visibility: Visibility = NO_TENANT
    ) -> Document:
        statistics.statements += 1
        plan = self.statements.plan
        values = of_tenant(plan, plan.by_name[resource], values, visibility)
        return await self._inserts.join(resource, values)

    async def _insert_all(self, resource: str, rows: list[Values]) -> Sequence[Document | Exception]:
        """Rows of many requests with one commit, which is what a write costs. A refused row leaves the others alone."""
        results: list[Document | Exception] = []
        async with self.transaction(Statistics(), visibility=EVERY_TENANT) as session:  # each row says whose it is
            for row in rows:
                try:
                    results.append(await session.insert(resource, row))
                except SternpostError as error:
                    if error.http_status >= 500:
                        raise
                    results.append(error)
        return results

    @asynccontextmanager
    async def transaction(
        self, statistics: Statistics, options: TransactionOptions | None = None, visibility: Visibility = NO_TENANT
    ) -> AsyncGenerator[Session]:
        async with self._begin() as connection:
            deadline = options.timeout_seconds if options else None
            if deadline is not None:
                _end_after(connection, deadline)
            try:
                writes = _Writes(self, connection)
                yield SqlSession(writes, self.statements, statistics, visibility)
                writes.sign()
            finally:
                if deadline is not None:
                    connection.set_progress_handler(None, 0)

    async def export(
        self, query: Select, arguments: Arguments, statistics: Statistics, visibility: Visibility = NO_TENANT
    ) -> AsyncGenerator[list[Document]]:
        async with self._export_snapshot() as snapshot:
            reader = SqlReader(snapshot, self.statements, statistics, visibility)
            async with aclosing(reader.export(snapshot, query, arguments)) as parts:
                async for part in parts:
                    yield part

    @asynccontextmanager
    async def _export_snapshot(self) -> AsyncGenerator[_Snapshot]:
        """A connection of its own, which sees what was committed before it. Exports take half of the threads at most."""
        if self._exports.locked():
            raise Unavailable(
                "Too many exports are under way", log={"reason": "exports take half of the readers at most"}
            )
        async with self._exports:
            connection = self.guarded(lambda: self._connect(busy_ms=int(self.timeout_seconds * 1000), reads_only=True))
            snapshot = _Snapshot(connection, self._readers, self.guarded)
            try:
                # Sorting a whole list in memory would take as much of it as the list is long.
                await snapshot.run(lambda: connection.execute("PRAGMA temp_store = FILE"))
                await snapshot.run(lambda: connection.execute("BEGIN"))
                yield snapshot
            finally:
                await snapshot.close()

    # -- the writer

    @asynccontextmanager
    async def _begin(self) -> AsyncGenerator[sqlite3.Connection]:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await self._write_lock.acquire()
        except TimeoutError:
            raise Unavailable(
                "Too many writes are waiting", log={"reason": "the SQLite writer was busy for too long"}
            ) from None
        try:
            connection = self._connected(self._writer)
            await self._begin_immediate(connection)
            try:
                yield connection
            except BaseException:
                self.guarded(connection.rollback)
                raise
            await self._commit(connection)
        finally:
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
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.05)

    async def _commit(self, connection: sqlite3.Connection) -> None:
        """Commits to the end, even when the caller is cancelled meanwhile: half a commit is not a state to leave."""
        commit = connection.commit if not self.statements.plan.external else lambda: self._commit_patiently(connection)
        future = asyncio.get_running_loop().run_in_executor(self._writer_thread, commit)
        cancelled: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.shield(future)
            except asyncio.CancelledError as error:
                cancelled = error
            except sqlite3.Error:
                break
        failure = future.exception()
        if isinstance(failure, sqlite3.Error):
            self.guarded(connection.rollback)
            raise translated(failure) from failure
        if cancelled is not None:
            raise cancelled

    def _commit_patiently(self, connection: sqlite3.Connection) -> None:
        """Without a write-ahead log a commit has to wait until nobody reads."""
        connection.execute(f"PRAGMA busy_timeout = {int(self.timeout_seconds * 1000)}")
        try:
            connection.commit()
        finally:
            connection.execute("PRAGMA busy_timeout = 0")

    # -- connections

    def _connect_all(self) -> None:
        if self.statements.plan.external:  # how its journal is kept is a matter of whoever made the file
            self._writer = None if self.statements.plan.only_reads else self._connect(busy_ms=0)
        else:
            self._writer = self._connect(busy_ms=0)
            self._writer.execute("PRAGMA journal_mode = WAL")
        self._inline = self._connect(busy_ms=0, reads_only=True)
        self._inline.set_progress_handler(self._budget.spent, INLINE_STEPS)
        self._file = self._identity()

    def _connect(self, *, busy_ms: int, reads_only: bool = False) -> sqlite3.Connection:
        if not self.path.parent.is_dir():
            raise sqlite3.OperationalError("unable to open database file")
        connection = self._open(reads_only=reads_only)
        connection.execute(f"PRAGMA busy_timeout = {busy_ms}")
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        if not (reads_only or self.statements.plan.external):
            # The audit trail's triggers, which a newer version of the service may have made, call JSON functions. SQLite
            # up to 3.40 takes those for unsafe.
            connection.execute("PRAGMA trusted_schema = ON")
        connection.execute(f"PRAGMA query_only = {int(reads_only)}")
        return connection

    def _open(self, *, reads_only: bool) -> sqlite3.Connection:
        external = self.statements.plan.external
        mode = "?mode=ro" if external and reads_only else "?mode=rw" if external else ""
        return sqlite3.connect(
            self.path.absolute().as_uri() + mode if external else self.path,
            uri=external,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )

    def _connected(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            raise Unavailable(log={"reason": f"the SQLite file cannot be opened: {self.path}"})
        return connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def _reconnect_if_replaced(self) -> None:
        """Notices a file that was moved away or replaced: writing on would go into a file that nobody sees."""
        identity = self._identity()
        if identity is not None and identity == self._file:
            return
        if self._write_lock.locked():
            raise Unavailable(log={"reason": "the SQLite file was replaced while a write is under way"})
        if identity is None and self._file is not None:
            self._disconnect()
            raise Unavailable(log={"reason": f"the SQLite file is gone: {self.path}"})
        self._disconnect()
        self.guarded(self._connect_all)

    def _disconnect(self) -> None:
        for connection in (self._writer, self._inline):
            if connection is not None:
                connection.close()
        self._writer = self._inline = None
        self._local = threading.local()  # reader threads open new ones
        # One of them may be reading just now: they are closed with the storage.

    def _stop_threads(self) -> None:
        self._readers.shutdown(wait=True)
        self._writer_thread.shutdown(wait=True)
        for connection in self._thread_connections:
            connection.close()

    def _thread_connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._file is None:
                raise Unavailable(log={"reason": f"the SQLite file cannot be opened: {self.path}"})
            connection = self._local.connection = self._connect(
                busy_ms=int(self.timeout_seconds * 1000), reads_only=True
            )
            self._thread_connections.append(connection)
        return connection

    # -- running statements

    def _read(self, connection: sqlite3.Connection, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        return self.guarded(lambda: connection.execute(text, arguments).fetchall())

    def read_inline(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A read by key, in the event loop."""
        connection = self._connected(self._inline)
        self._budget.turns = -1
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
        if connection is self._inline and connection.in_transaction:
            connection.execute("COMMIT")

    async def read_list(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A read of unknown length: in the event loop while it is short, else once more in a reader thread.

        Handing a read to a thread costs more than most lists take; a long one must not hold up everybody else.
        """
        if text in self._long or self._inline is None:
            return await self.read_in_thread(text, arguments)
        try:
            self._share_snapshot(self._inline)
            rows = self._snapshot.get((text, arguments))
            if rows is None:
                self._budget.turns = INLINE_TURNS
                rows = self._snapshot[text, arguments] = self._inline.execute(text, arguments).fetchall()
            return rows
        except sqlite3.OperationalError as error:
            if str(error) != "interrupted":
                raise translated(error) from error
        except sqlite3.Error as error:
            raise translated(error) from error
        if len(self._long) >= LONG_MAX:
            self._long.clear()
        self._long.add(text)
        return await self.read_in_thread(text, arguments)

    async def read_in_thread(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A longer read, in a reader thread."""
        return await _in_thread(self._readers, lambda: self._read(self._thread_connection(), text, arguments))

    async def records_in_thread(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        """An author's own statement, on a connection that cannot write."""

        def run() -> list[dict[str, Any]]:
            try:
                return _records(self._thread_connection().execute(text, arguments))
            except sqlite3.OperationalError as error:
                if "readonly" in str(error):
                    raise OnlyReads from error
                raise translated(error) from error
            except sqlite3.Error as error:
                raise translated(error) from error

        return await _in_thread(self._readers, run)

    def guarded(self, run: Callable[[], T]) -> T:
        """Runs something on a connection; SQLite's errors come out as those of the storage port."""
        try:
            return run()
        except sqlite3.Error as error:
            raise translated(error) from error

    def _refuse_other_schema(self, found: list[Any]) -> None:
        if (self.statements.schema.fingerprint,) not in found:
            raise StartupError(OTHER_SCHEMA.format(where=self.path))


class _Budget:
    """How long a statement may hold the event loop; SQLite asks now and then."""

    __slots__ = ("turns",)

    def __init__(self) -> None:
        self.turns = -1
        """How often it may ask; a negative number sets no limit."""

    def spent(self) -> bool:
        """Whether to interrupt the statement."""
        self.turns -= 1
        return self.turns == 0


def _records(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _changed(cursor: sqlite3.Cursor) -> int:
    cursor.fetchall()  # with RETURNING the count is known at the end
    return max(cursor.rowcount, 0)


def _end_after(connection: sqlite3.Connection, seconds: float) -> None:
    """Ends a statement that goes on beyond the time limit. It runs in the event loop, whose own timers then wait too."""
    end = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > end, 10_000)


class _Reads:
    """Reads outside a transaction."""

    def __init__(self, storage: SqliteStorage) -> None:
        self.storage = storage

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return self.storage.read_inline(text, arguments) if short else await self.storage.read_list(text, arguments)

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self.storage.records_in_thread(text, arguments)

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = self.storage.read_inline(statement.one.text, statement.one.bind(named))
        return rows[0] if rows else None


class _PatientReads(_Reads):
    """Reads of a file that was there before: without a write-ahead log a commit, or another program, may hold it.

    Such a read is done once more in a thread, which can wait.
    """

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        try:
            return await super().fetch(text, arguments, short=short)
        except FileLocked:
            return await self.storage.read_in_thread(text, arguments)

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.fetch(statement.one.text, statement.one.bind(named), short=True)
        return rows[0] if rows else None


class _Writes:
    """Statements of one transaction."""

    def __init__(self, storage: SqliteStorage, connection: sqlite3.Connection) -> None:
        self.storage = storage
        self.connection = connection
        self._origin: Origin | None = None
        self._signed = 0
        """The newest entry of the audit trail that says for whom it is, or was there before."""

    async def attribute(self, origin: Origin) -> None:
        self.sign()
        self._signed = self.storage.guarded(lambda: self.connection.execute(_NEWEST_ENTRY).fetchone()[0])
        self._origin = origin

    def sign(self) -> None:
        """Writes into the entries that the triggers have made since for whom they are: a trigger knows only its row."""
        if self._origin is not None:
            values = (*astuple(self._origin), self._signed)
            self.storage.guarded(lambda: self.connection.execute(_SIGN_ENTRIES, values))

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return self.storage.guarded(lambda: self.connection.execute(text, arguments).fetchall())

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.fetch(statement.one.text, statement.one.bind(named), short=True)
        return rows[0] if rows else None

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return self.storage.guarded(lambda: _records(self.connection.execute(text, arguments)))

    async def execute(self, text: str, arguments: tuple[Any, ...]) -> int:
        return self.storage.guarded(lambda: self.connection.execute(text, arguments).rowcount)

    async def changed(self, text: str, arguments: tuple[Any, ...]) -> int:
        return self.storage.guarded(lambda: _changed(self.connection.execute(text, arguments)))

    async def command(self, text: str) -> None:
        self.storage.guarded(lambda: self.connection.execute(text))


class _Snapshot:
    """Reads of one connection, in threads, one after the other."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        threads: ThreadPoolExecutor,
        guarded: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self._connection = connection
        self._threads = threads
        self._guarded = guarded
        self._running: Future[Any] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        self._running = self._threads.submit(self._guarded, work)
        return await asyncio.wrap_future(self._running)

    async def close(self) -> None:
        """Ends the connection; what a caller that is gone has left running in a thread is interrupted first."""
        if self._running is not None and not self._running.done():
            self._connection.interrupt()
            await asyncio.wait([asyncio.wrap_future(self._running)])
        self._connection.close()

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return await self.run(lambda: self._connection.execute(text, arguments).fetchall())

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self.run(lambda: _records(self._connection.execute(text, arguments)))

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.fetch(statement.one.text, statement.one.bind(named), short=True)
        return rows[0] if rows else None

    async def parts(self, text: str, arguments: tuple[Any, ...], size: int) -> AsyncGenerator[Sequence[Any]]:
        cursor = await self.run(lambda: self._connection.execute(text, arguments))
        while rows := await self.run(lambda: cursor.fetchmany(size)):
            yield rows


_HAS_SCHEMA = f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{SCHEMA_TABLE}'"
_HAS_MIGRATIONS = f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{VERSION_TABLE}'"
_FINGERPRINT = f"SELECT fingerprint FROM {SCHEMA_TABLE}"


async def _in_thread(threads: ThreadPoolExecutor, run: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(threads, run)


def translated(error: sqlite3.Error) -> Exception:
    """SQLite's error as one of the storage port; an unknown one becomes a 500 with its cause in the log."""
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        return _constraint(text)
    if text == "interrupted":
        return Timeout(log={"reason": "the transaction's time limit ran out during a statement"})
    if "locked" in text or "busy" in text:
        return FileLocked(log={"reason": text})
    if "no such table" in text or "no such column" in text:
        return Unavailable(log={"reason": SCHEMA_MISSING, "database": text})
    if any(sign in text for sign in _AWAY):
        return Unavailable(log={"reason": text})
    return Internal(log={"database": type(error).__name__})


def _constraint(text: str) -> ConstraintFailed:
    what, _, names = text.partition(" constraint failed: ")
    columns = tuple(name.strip().rpartition(".")[2] for name in names.split(",") if name.strip())
    if text.startswith("UNIQUE"):
        return ConstraintFailed("unique", columns, text)
    if text.startswith("FOREIGN KEY"):
        return ConstraintFailed("foreign key", (), text)
    if what == "NOT NULL":
        return ConstraintFailed("not null", columns, text)
    return ConstraintFailed("check", (names,), text)
