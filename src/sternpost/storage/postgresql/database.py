"""PostgreSQL behind the storage port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import asyncpg
import orjson

from sternpost.deadline import Alarms, Deadline
from sternpost.errors import StartupError, Timeout, Unavailable
from sternpost.plan.model import Plan
from sternpost.plan.query import Select
from sternpost.plan.row_errors import refuse_broken
from sternpost.ports.audit import AuditTrail
from sternpost.ports.idempotency import AnswerStore
from sternpost.ports.keys import KeyStore
from sternpost.ports.outbox import NO_EVENTS, Events, Outbox
from sternpost.ports.own_tables import SCHEMA_TABLE, VERSION_TABLE
from sternpost.ports.pools import PoolUse
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
from sternpost.storage.postgresql.audit import AUDIT_SETTING
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.postgresql.failures import ROLLED_BACK, CommitLost, ConnectionLost, Failures, may_have_committed
from sternpost.storage.postgresql.grouped import EqualReads, Fetch, GroupedInserts, PointReads
from sternpost.storage.postgresql.idempotency import AnswerReads
from sternpost.storage.postgresql.listening import Listening
from sternpost.storage.postgresql.outbox import PostgresqlTail, bind_events, with_events
from sternpost.storage.postgresql.overlaps import EXTENSION_FIX
from sternpost.storage.postgresql.pool import Pool
from sternpost.storage.postgresql.replicas import Replica, ReplicatedReads
from sternpost.storage.postgresql.search_path import CREATE_FIRST_SCHEMA
from sternpost.storage.postgresql.tables import found_columns, unfit_tables
from sternpost.storage.postgresql.values import keep_values
from sternpost.storage.sql.api_keys import SqlKeys
from sternpost.storage.sql.audit import SqlAuditTrail
from sternpost.storage.sql.committing import COMMIT_SECONDS, to_the_end
from sternpost.storage.sql.external import refuse_external, refuse_misfit
from sternpost.storage.sql.failures import (
    ENDED,
    OTHER_SCHEMA,
    ConstraintFailed,
    OnlyReads,
    behind,
    error_at_end,
)
from sternpost.storage.sql.hints import Hints
from sternpost.storage.sql.idempotency import SqlAnswers
from sternpost.storage.sql.outbox import SqlOutbox
from sternpost.storage.sql.reader import SqlReader
from sternpost.storage.sql.reads import KEY, PointStatement
from sternpost.storage.sql.session import SqlSession
from sternpost.storage.sql.statement import Statement
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sql.tenants import of_tenant
from sternpost.storage.sql.timed import noted
from sternpost.storage.sql.waits import CountedSemaphore

T = TypeVar("T")

LOCK_WAIT_MS = 3000
"""How long a statement waits for a row that another transaction holds. The transaction is then tried again, or answered
with 409: a deadlock is found after a second, so what waits longer waits for work, which has an end of its own."""

STATEMENTS_KEPT = 128
"""Prepared statements of a connection. Each takes some 40 kB of the server's process for it, and whoever asks lists for
other fields or filters makes a new one."""

_KEEPALIVE = (
    ("TCP_KEEPIDLE", 5),
    ("TCP_KEEPINTVL", 2),
    ("TCP_KEEPCNT", 3),
    ("TCP_USER_TIMEOUT", 5_000),
)
"""Options of the socket (RFC 1122, 4.2.3.6; RFC 5482), in seconds, the last in milliseconds: a connection whose packets
nobody confirms ends after about 5 s where something was sent on it, and after about 11 s where it is idle."""

_SERVER_KEEPALIVE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
"""The same at the server's end, which keeps the locks of a transaction as long as it does not know."""

_AT_WORK = """SELECT pid FROM pg_stat_activity WHERE pid = ANY($1::int[]) AND datname = current_database()
AND coalesce(state, '') NOT LIKE 'idle%' AND wait_event IS DISTINCT FROM 'ClientRead'"""
"""A session in the middle of a statement's messages is active, too, while it waits for the next of them. A server that
does not track what its sessions do says nothing of their state: they count as busy."""

_END = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY($1::int[])
AND datname = current_database() AND usename = current_user AND application_name = left($2, 63)
AND (state LIKE 'idle%' OR wait_event = 'ClientRead')"""

_SET_ORIGIN = f"SELECT set_config('{AUDIT_SETTING}', $1, true)"
_LOCK_SCHEMA = "SELECT pg_advisory_xact_lock(hashtext('sternpost schema'))"


class _Connected:
    """Statements on connections of a pool, and what their errors mean."""

    url: str
    pgbouncer: bool
    timeout_seconds: float
    statement_seconds: float | None
    statements: Statements
    failures: Failures
    pool: Pool
    _alarms: Alarms

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Any]:
        """A connection for the caller alone. They are made on first use, so that a database may be away at start."""
        connection = await self._acquire(self.pool)
        try:
            yield connection
        except Exception as error:
            self._after_error(self.pool, connection, error)
            raise
        except BaseException:
            self.pool.settle(connection)
            raise
        self.pool.release(connection)

    async def fetch(
        self,
        text: str,
        arguments: tuple[Any, ...],
        pool: Pool | None = None,
        *,
        writes: bool = False,
        until: float | None = None,
    ) -> Sequence[Any]:
        """One statement on a connection of its own: no BEGIN, no reset, so one round trip.

        Args:
            pool: a replica's.
            writes: whether it changes something, and so is a transaction of its own.
            until: a time of the event loop, at which the server is asked to give it up.

        Raises:
            Timeout: it was given up; nothing was written.
            OutcomeUnknown: the connection was lost before the server has said what became of what it writes.
        """
        pool = pool or self.pool
        connection = pool.idle() or await self._acquire(pool, until)
        pool.sent(connection)
        late = None if until is None else _Late(connection)
        alarm = None
        if late is not None and until is not None:
            alarm = self._alarms.set(until - asyncio.get_running_loop().time(), late.give_up)
        try:
            try:
                rows = await connection.fetch(text, *arguments)
            finally:  # before the connection is given back: it may be closed here
                if late is not None and alarm is not None:
                    alarm.cancel()
                    late.end()
        except Exception as error:
            pool.answered(connection)
            known = self._known(error, writes=writes)
            self._after_error(pool, connection, known)
            raise known from error
        except BaseException:
            pool.settle(connection)
            raise
        pool.answered(connection)
        pool.release(connection)
        return rows

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        """An author's own statement, in a transaction that can only read."""
        async with self.connection() as connection:
            await self.guarded(connection, lambda: connection.execute("BEGIN READ ONLY"))
            try:
                rows = await self.guarded(connection, lambda: connection.fetch(text, *arguments))
            except ConnectionLost as error:
                if isinstance(error.__cause__, asyncpg.ReadOnlySQLTransactionError):
                    raise OnlyReads from error
                raise
            # after an error the connection is given back with its transaction, which the pool then ends
            await self.guarded(connection, lambda: connection.execute("ROLLBACK"))
            return [dict(row) for row in rows]

    async def _acquire(self, pool: Pool, until: float | None = None) -> Any:
        try:
            if until is None:
                return await pool.acquire()
            limit = asyncio.timeout_at(until)
            try:
                async with limit:
                    return await pool.acquire()
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise Timeout(log={"reason": "no database connection within the time limit"}) from error
        except Exception as error:
            raise self.failures.translated(error) from error

    def _after_error(self, pool: Pool, connection: Any, error: Exception) -> None:
        if isinstance(error, ConnectionLost | CommitLost):
            pool.lost(connection)
        elif connection.is_closed():
            pool.discard(connection)
        elif connection.is_in_transaction():
            pool.settle(connection)
        else:
            pool.release(connection)

    async def _connect(self, url: str | None = None) -> Any:
        connect: Any = getattr(asyncpg, "connect")  # noqa: B009  (its own annotations are incomplete)
        settings = {"application_name": self.statements.plan.name}
        if not self.pgbouncer:
            settings["lock_timeout"] = str(LOCK_WAIT_MS)
        if self.statement_seconds is not None and not self.pgbouncer:  # which refuses settings that it does not know
            settings["statement_timeout"] = str(max(1, round(self.statement_seconds * 1000)))
            settings |= _SERVER_KEEPALIVE
        connection = await connect(
            url or self.url,
            timeout=self.timeout_seconds,
            # behind PgBouncer in transaction mode the next statement may run on another server connection
            statement_cache_size=0 if self.pgbouncer else STATEMENTS_KEPT,
            max_cached_statement_lifetime=0,
            server_settings=settings,
        )
        _keep_alive(connection)
        await keep_values(connection)
        return connection

    async def _roll_back(self, connection: Any) -> None:
        """Rolls back; a connection that is gone has done so itself."""
        with contextlib.suppress(ConnectionLost):
            await self.guarded(connection, lambda: connection.execute("ROLLBACK"))

    async def guarded(self, connection: Any | None, run: Callable[[], Awaitable[T]], *, writes: bool = False) -> T:
        """Runs something on a connection; PostgreSQL's errors come out as those of the storage port.

        Args:
            connection: which, where it is one statement; None for several.
            writes: whether it commits: where the connection is lost meanwhile, it may have done so.
        """
        if connection is not None:
            self.pool.sent(connection)
        try:
            result = await run()
        except Exception as error:
            self.pool.answered(connection)
            known = self._known(error, writes=writes)
            if known is error:
                raise
            raise known from error
        # where it is cancelled the answer is still to come, and the connection is given back as one to be settled
        self.pool.answered(connection)
        return result

    def _known(self, error: Exception, *, writes: bool) -> Exception:
        known = self.failures.translated(error)
        if writes and isinstance(known, ConnectionLost) and may_have_committed(error):
            return CommitLost(log=known.log)
        return known


class PostgresqlStorage(_Connected):
    """A PostgreSQL database through a pool of held connections.

    A single read takes a connection, sends one prepared statement and gives it back: there is no BEGIN and no reset.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        timeout_seconds: float = 5.0,
        key_secret: bytes | None = None,
        replica_urls: Sequence[str] = (),
        pgbouncer: bool = False,
        statement_seconds: float | None = None,
    ) -> None:
        self.url = url
        self.pgbouncer = pgbouncer
        self.pool_size = pool_size
        self.timeout_seconds = timeout_seconds
        self.statement_seconds = statement_seconds
        self.key_secret = key_secret
        self.dialect = PostgresqlDialect()
        self.statements: Statements = None  # pyright: ignore[reportAttributeAccessIssue]  (set by open, before any use)
        self.failures = Failures(None, {})
        self._exports = asyncio.Semaphore(max(pool_size // 2, 1))
        self._transactions = CountedSemaphore(max(pool_size - max(pool_size // 4, 1), 1))
        self.events_written = 0
        self.pool = self._pool(self._connect)
        self._alarms = Alarms()
        self.replicated = (
            ReplicatedReads([self._replica(url) for url in replica_urls], self.fetch, self.fetch)
            if replica_urls
            else None
        )
        self._reads = _Reads(self, self.replicated.fetch if self.replicated else self.fetch)
        self._answers = AnswerReads(self.fetch)
        self._fits = False
        self._hints = Hints()
        self._listening = Listening(self._connect, self.fetch, self._hints, possible=not pgbouncer)
        self._inserts: GroupedInserts = None  # pyright: ignore[reportAttributeAccessIssue]  (set by open)

    async def open(self, plan: Plan) -> None:
        self.statements = Statements(plan, self.dialect, self.key_secret)
        self.failures = Failures(plan, self.statements.schema.constraint_columns())
        if self.statement_seconds is not None:  # an operation may ask for more than what is usual
            declared = (operation.timeout_seconds or 0 for _, operation in plan.operations.values())
            self.statement_seconds = max(self.statement_seconds, *declared, 0)
            for pool in (
                self.pool,
                *(replica.pool for replica in (self.replicated.replicas if self.replicated else ())),
            ):
                pool.limit_seconds = self.statement_seconds
        self._inserts = GroupedInserts(self.statements, self.write, self._insert_one)
        if self.replicated is not None:
            self.replicated.open()

    async def close(self) -> None:
        reads, answers = self._reads, self._answers
        for grouping in (reads.points.grouping, reads.equal.grouping, answers.grouping, self._inserts.grouping):
            grouping.close()
        if self.replicated is not None:
            await self.replicated.close()
        await self._listening.close()
        await self.pool.close()
        self._alarms.close()

    def replicas(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        if self.replicated is None:
            return {}
        return {
            f"replica_{number + 1}": self.replicated.check(number) for number in range(len(self.replicated.replicas))
        }

    def pools(self) -> Sequence[PoolUse]:
        places, replicas = self._transactions, self.replicated.replicas if self.replicated else ()
        waits = places.waits
        return (
            self.pool.use("primary"),
            PoolUse("transactions", places.size, places.in_use, waits.waiting, waits.count, waits.seconds),
            *(replica.pool.use(f"replica_{number}") for number, replica in enumerate(replicas, 1)),
        )

    def _replica(self, url: str) -> Replica:
        async def connect() -> Any:
            return await self._connect(url)

        return Replica(connect, self._pool(connect))

    def _pool(self, connect: Callable[[], Awaitable[Any]]) -> Pool:
        return Pool(
            connect,
            size=self.pool_size,
            timeout_seconds=self.timeout_seconds,
            sessions=None
            if self.pgbouncer
            else _Sessions(self),  # PgBouncer does not tell which session a statement runs in
            limit_seconds=self.statement_seconds,
        )

    async def check(self) -> None:
        if self.statements.plan.external:
            await self._check_tables()
            return
        async with self.connection() as connection:
            found = await self.guarded(connection, lambda: connection.fetch(f"SELECT fingerprint FROM {SCHEMA_TABLE}"))
            serves = [row[0] for row in found]
            if self.statements.schema.fingerprint not in serves:
                revision = await self.guarded(None, lambda: _revision(connection))
                raise Unavailable(log={"reason": behind(serves, self.statements.schema.fingerprint, revision)})

    async def _check_tables(self) -> None:
        """Checks an external database: its tables until they match, then only whether it answers."""
        async with self.connection() as connection:
            if self._fits:
                await self.guarded(connection, lambda: connection.fetchval("SELECT 1"))
                return
            plan = self.statements.plan
            found = await self.guarded(None, lambda: found_columns(connection, plan))
            unfit = await self.guarded(None, lambda: unfit_tables(connection, plan))
            refuse_misfit(plan, self.statements.dialect, found, unfit)
            self._fits = True

    async def create_schema(self) -> bool:
        refuse_external(self.statements.plan)
        async with self.connection() as connection:
            return await self.guarded(None, lambda: self._create_schema(connection))

    async def _create_schema(self, connection: Any) -> bool:
        async with connection.transaction():
            await connection.execute(_LOCK_SCHEMA)
            await connection.execute(CREATE_FIRST_SCHEMA)
            if await connection.fetchval("SELECT to_regclass($1)", SCHEMA_TABLE) is not None:
                found = [row[0] for row in await connection.fetch(f"SELECT fingerprint FROM {SCHEMA_TABLE}")]
                if self.statements.schema.fingerprint not in found:
                    raise StartupError(OTHER_SCHEMA.format(where="The database"))
                return False
            for statement in self.ddl():
                await _create(connection, statement)
            await connection.execute(
                f"INSERT INTO {SCHEMA_TABLE} VALUES ($1, $2)",
                self.statements.schema.fingerprint,
                datetime.now(UTC).isoformat(),
            )
            return True

    def ddl(self) -> list[str]:
        return self.statements.schema.ddl()

    def keys(self) -> KeyStore:
        return SqlKeys(self.dialect, self.fetch, self.write)

    def audit_trail(self) -> AuditTrail:
        return SqlAuditTrail(self.statements.plan, self.dialect, self.fetch)

    def answers(self) -> AnswerStore:
        return SqlAnswers(self.dialect, self.fetch, self._answers.read)

    def outbox(self) -> Outbox:
        tail = PostgresqlTail(self.fetch, self.write, self._listening.listen)
        return SqlOutbox(tail, self._hints, timedelta(seconds=self.statements.plan.events_kept_seconds))

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
        plan, written = self.statements.plan, self.statements.plan.by_name[resource]
        values = of_tenant(plan, written, values, visibility)
        if written.checks:
            refuse_broken(written, values)  # before it is in one statement with others
        if (
            self.statements.plan.external
        ):  # the database makes the keys, so rows of one statement could not be told apart
            inserted = self._insert_one(resource, values, None if deadline is None else deadline.hand_over())
            return noted(inserted, self.statements, resource, values, statistics, shared=False)
        inserted = self._inserts.insert(resource, values, deadline, events)
        if events:
            inserted.add_done_callback(partial(self._inserted, len(events)))
        return noted(inserted, self.statements, resource, values, statistics)

    def _inserted(self, events: int, inserted: asyncio.Future[Document]) -> None:
        failed = inserted.cancelled() or inserted.exception() is not None
        self._committed(0 if failed else events)  # who is gone does not know whether it was committed

    def _committed(self, events: int) -> None:
        self.events_written += events
        self._listening.committed()

    async def _insert_one(
        self, resource: str, values: Values, until: float | None = None, events: Events = NO_EVENTS
    ) -> Document:
        session = SqlSession(_Single(self, until), self.statements, Statistics(), EVERY_TENANT)
        if not events:
            return await session.insert(resource, values)
        fields = [field.name for field in self.statements.plan.by_name[resource].fields]

        async def write(statement: Statement, named: Mapping[str, Any]) -> Sequence[Any]:
            bound = statement.bind(named)
            text = with_events(statement.text, len(fields), fields.index("id"), len(bound))
            return await self.write(text, (*bound, *bind_events([(named["id"], events)])), until)

        return await session.insert_by(write, resource, values)

    @asynccontextmanager
    async def transaction(
        self,
        statistics: Statistics,
        options: TransactionOptions | None = None,
        visibility: Visibility = NO_TENANT,
        deadline: Deadline | None = None,
    ) -> AsyncGenerator[Session]:
        async with self._writing(), self.connection() as connection:
            if options is not None and options.timeout_seconds is not None:
                self.pool.limit(connection, options.timeout_seconds)
            begin = _begin(options, limits_locks=self.pgbouncer) if options or self.pgbouncer else "BEGIN"
            await self.guarded(connection, lambda: connection.execute(begin))
            own = _Statements(self, connection)
            session = SqlSession(own, self.statements, statistics, visibility)
            try:
                try:
                    yield session
                finally:
                    own.close()
                late = _Late(connection)
                if deadline is not None:
                    deadline.committing(late.give_up)
            except Exception:  # a cancellation is different: the connection is given back as one whose work was cut off
                await self._roll_back(connection)
                raise
            await self._commit(connection, late)
            if session.emitted:
                self._committed(session.emitted)

    async def write(self, text: str, arguments: tuple[Any, ...], until: float | None = None) -> Sequence[Any]:
        """`fetch` for what changes something: a transaction, too, that may wait for a lock."""
        await self._take_place()
        try:
            return await self.fetch(text, arguments, writes=True, until=until)
        finally:
            self._transactions.release()

    @asynccontextmanager
    async def _writing(self) -> AsyncGenerator[None]:
        """A place among the transactions, which leave some connections to the reads: they may wait for each other's
        locks, and nobody else waits with them."""
        await self._take_place()
        try:
            yield
        finally:
            self._transactions.release()

    async def _take_place(self) -> None:
        if not self._transactions.locked():
            await self._transactions.acquire()
            return
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await self._transactions.acquire()
        except TimeoutError:
            reason = "transactions use at most three quarters of the connection pool"
            raise Unavailable("Too many writes are waiting", log={"reason": reason}) from None

    async def _commit(self, connection: Any, late: _Late) -> None:
        """Commits to the end, even when the caller is cancelled meanwhile.

        Raises:
            OutcomeUnknown: the connection was lost before the server has said what became of it.
        """
        try:
            status = await self.guarded(
                connection, lambda: to_the_end(asyncio.ensure_future(connection.execute("COMMIT"))), writes=True
            )
        except ConstraintFailed as failure:  # of a constraint that is deferred to the end
            raise error_at_end(failure, self.statements.plan) from failure
        finally:
            late.end()
        if status == "ROLLBACK":
            raise RuntimeError(ROLLED_BACK)  # the caller must not believe that the changes were stored

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
        """A transaction that only reads, and sees what was committed before it. Exports take half of the pool
        at most."""
        if self._exports.locked():
            raise Unavailable(
                "Too many exports are running", log={"reason": "exports use at most half of the connection pool"}
            )
        async with self._exports, self.connection() as connection:
            # a part may take longer than other statements; whoever asks for it has a limit
            self.pool.limit(connection, None)
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = 0"
            await self.guarded(connection, lambda: connection.execute(begin))
            try:
                yield _Snapshot(self, connection)
            except Exception:  # as in transaction()
                await self._roll_back(connection)
                raise
            await self.guarded(connection, lambda: connection.execute("COMMIT"))


async def _create(connection: Any, statement: str) -> None:
    """Creates a part of the schema. Raises `StartupError` where the server lacks an extension."""
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        if not statement.startswith("CREATE EXTENSION"):
            raise
        raise StartupError(f"The database lacks an extension: {error}. {EXTENSION_FIX}") from error


class _Late:
    """What is done about a commit when its time is up: the server is asked to give it up, and what it then says counts.

    A server that says nothing for `COMMIT_SECONDS` more is not waited for.
    """

    __slots__ = ("_connection", "_task", "_timer")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def give_up(self) -> None:
        """The time is up."""
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(_cancel_statement(self._connection))
        self._timer = loop.call_later(COMMIT_SECONDS, self._connection.terminate)

    def end(self) -> None:
        """The server has answered. The request to give up may reach it only now, so the connection is not used again:
        it would end whatever comes next."""
        if self._timer is not None and self._task is not None:
            self._timer.cancel()
            self._task.cancel()
            self._connection.terminate()


async def _cancel_statement(connection: Any) -> None:
    """Asks the server, on a connection of its own, to end the statement that runs on this one."""
    from asyncpg import connect_utils

    with contextlib.suppress(OSError):  # it cannot be asked: then only its answer tells
        await getattr(connect_utils, "_cancel")(  # noqa: B009  (private; the driver uses it where a task is cancelled)
            loop=asyncio.get_running_loop(),
            addr=connection._addr,
            params=connection._params,
            backend_pid=connection._protocol.backend_pid,
            backend_secret=connection._protocol.backend_secret,
        )


class _Sessions:
    """The server's processes. Only those of this user and this service are ended, and only where they wait for their
    client: the number may be that of another session by now, or on another server."""

    def __init__(self, storage: _Connected) -> None:
        self._storage = storage

    async def at_work(self, asking: Any, connections: Collection[Any]) -> Collection[Any]:
        by_pid = {_pid(connection): connection for connection in connections}
        return [by_pid[row[0]] for row in await asking.fetch(_AT_WORK, list(by_pid))]

    async def end(self, asking: Any, connections: Collection[Any]) -> None:
        name = self._storage.statements.plan.name
        await asking.fetch(_END, [_pid(connection) for connection in connections], name)


def _pid(connection: Any) -> int:
    return connection._protocol.backend_pid  # also of a connection that is closed


def _keep_alive(connection: Any) -> None:
    """Has the system find out by itself that nobody is at the other end any more, on a connection by TCP."""
    opened = connection._transport.get_extra_info("socket")
    if opened is None or opened.family not in (socket.AF_INET, socket.AF_INET6):
        return
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        option = getattr(socket, name, None)  # not every system has each of them
        if option is not None:
            opened.setsockopt(socket.IPPROTO_TCP, option, value)


async def _revision(connection: Any) -> str | None:
    """The last migration of a database that has any."""
    if await connection.fetchval("SELECT to_regclass($1)", VERSION_TABLE) is None:
        return None
    return await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")


def _begin(options: TransactionOptions | None, *, limits_locks: bool) -> str:
    """The start of a transaction; the server ends what takes too long, whatever becomes of this process."""
    begin = f"BEGIN ISOLATION LEVEL {options.isolation.upper()}" if options and options.isolation else "BEGIN"
    if limits_locks:
        begin += f"; SET LOCAL lock_timeout = {LOCK_WAIT_MS}"
    if options is None or options.timeout_seconds is None:
        return begin
    limit = max(1, round(options.timeout_seconds * 1000))
    return f"{begin}; SET LOCAL statement_timeout = {limit}; SET LOCAL idle_in_transaction_session_timeout = {limit}"


class _Reads:
    """Reads outside a transaction: each takes a connection for one statement; those that can go together do."""

    shares = True

    def __init__(self, storage: PostgresqlStorage, fetch: Fetch) -> None:
        self.storage = storage
        self.points = PointReads(fetch)
        self.equal = EqualReads(fetch)

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return await self.equal.read(text, arguments)

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self.storage.records(text, arguments)

    def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Awaitable[Any]:
        return self.points.read(statement, named[KEY], statement.others(named))


class _Single:
    """Statements that are a transaction each."""

    shares = False

    def __init__(self, storage: PostgresqlStorage, until: float | None = None) -> None:
        self.storage = storage
        self.until = until

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return await self.storage.write(text, arguments, self.until)

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self.storage.records(text, arguments)

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.storage.fetch(statement.one.text, statement.one.bind(named))
        return rows[0] if rows else None

    async def execute(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> int:
        async with self.storage.connection() as connection:
            return await _Statements(self.storage, connection).execute(text, arguments, short=short)

    async def attribute(self, origin: Origin) -> None:
        raise TypeError("What is recorded is written in a transaction")

    async def changed(self, text: str, arguments: tuple[Any, ...]) -> int:
        async with self.storage.connection() as connection:
            return await _Statements(self.storage, connection).changed(text, arguments)

    async def command(self, text: str) -> None:
        async with self.storage.connection() as connection:
            await _Statements(self.storage, connection).command(text)


class _Statements:
    """Statements of one transaction."""

    shares = False

    def __init__(self, storage: PostgresqlStorage, connection: Any) -> None:
        self.storage = storage
        self._connection = connection

    @property
    def connection(self) -> Any:
        """Raises `RuntimeError` where the transaction has ended: the connection may be in another one by now."""
        if self._connection is None:
            raise RuntimeError(ENDED)
        return self._connection

    def close(self) -> None:
        """Ends its use."""
        self._connection = None

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return await self.storage.guarded(self.connection, lambda: self.connection.fetch(text, *arguments))

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.fetch(statement.one.text, statement.one.bind(named), short=True)
        return rows[0] if rows else None

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.fetch(text, arguments, short=False)]

    async def execute(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> int:
        status: str = await self.storage.guarded(self.connection, lambda: self.connection.execute(text, *arguments))
        return int(status.rpartition(" ")[2])

    async def attribute(self, origin: Origin) -> None:
        told = orjson.dumps(asdict(origin)).decode()
        await self.storage.guarded(self.connection, lambda: self.connection.execute(_SET_ORIGIN, told))

    async def changed(self, text: str, arguments: tuple[Any, ...]) -> int:
        # prepared, so that it is one statement and nothing behind it
        prepared = await self.storage.guarded(self.connection, lambda: self.connection.prepare(text))
        await self.storage.guarded(self.connection, lambda: prepared.fetch(*arguments))
        count = str(prepared.get_statusmsg() or "").rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def command(self, text: str) -> None:
        await self.storage.guarded(self.connection, lambda: self.connection.execute(text))


class _Snapshot(_Statements):
    """Reads of one transaction, also in parts."""

    async def parts(self, text: str, arguments: tuple[Any, ...], size: int) -> AsyncGenerator[Sequence[Any]]:
        cursor: Any = await self.storage.guarded(self.connection, lambda: self.connection.cursor(text, *arguments))
        while rows := await self.storage.guarded(self.connection, lambda: cursor.fetch(size)):
            yield rows
