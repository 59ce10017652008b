"""PostgreSQL behind the storage port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg

from sternpost.errors import StartupError, Timeout, Unavailable, WriteConflict
from sternpost.plan.model import Plan
from sternpost.ports.storage import Reader, Session, Statistics
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sql.failures import OTHER_SCHEMA, SCHEMA_MISSING, ConstraintFailed
from sternpost.storage.sql.schema import SCHEMA_TABLE
from sternpost.storage.sql.session import SqlReader, SqlSession
from sternpost.storage.sql.statements import Statements

T = TypeVar("T")

_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection that was cut while idle may raise when it is used
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError)
_LOCK_SCHEMA = "SELECT pg_advisory_xact_lock(hashtext('sternpost schema'))"


class ConnectionLost(Unavailable):
    """The server is away, or has cut a connection."""


class PostgresqlStorage:
    """A PostgreSQL database through a pool of held connections.

    A single read takes a connection, sends one prepared statement and gives it back: there is no BEGIN and no reset.
    """

    def __init__(self, url: str, *, pool_size: int = 10, timeout_seconds: float = 5.0) -> None:
        self.url = url
        self.pool_size = pool_size
        self.timeout_seconds = timeout_seconds
        self.dialect = PostgresqlDialect()
        self.statements: Statements = None  # pyright: ignore[reportAttributeAccessIssue]  (set by open, before any use)
        self.constraints: dict[str, tuple[str, ...]] = {}
        self._pool: Any = None
        self._pool_lock = asyncio.Lock()

    async def open(self, plan: Plan) -> None:
        self.statements = Statements(plan, self.dialect)
        self.constraints = self.statements.schema.constraint_columns()

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await pool.close()
        except (TimeoutError, *_AWAY):
            pool.terminate()

    async def check(self) -> None:
        async with self.connection() as connection:
            found = await self.guarded(lambda: connection.fetchval(f"SELECT fingerprint FROM {SCHEMA_TABLE}"))
            if found != self.statements.plan.storage_fingerprint:
                raise Unavailable(log={"reason": SCHEMA_MISSING})

    async def create_schema(self) -> bool:
        async with self.connection() as connection:
            return await self.guarded(lambda: self._create_schema(connection))

    async def _create_schema(self, connection: Any) -> bool:
        async with connection.transaction():
            await connection.execute(_LOCK_SCHEMA)
            if await connection.fetchval("SELECT to_regclass($1)", SCHEMA_TABLE) is not None:
                found = await connection.fetchval(f"SELECT fingerprint FROM {SCHEMA_TABLE}")
                if found != self.statements.plan.storage_fingerprint:
                    raise StartupError(OTHER_SCHEMA.format(where="The database"))
                return False
            for statement in self.ddl():
                await connection.execute(statement)
            await connection.execute(
                f"INSERT INTO {SCHEMA_TABLE} VALUES ($1, $2)",
                self.statements.plan.storage_fingerprint,
                datetime.now(UTC).isoformat(),
            )
            return True

    def ddl(self) -> list[str]:
        return self.statements.schema.ddl()

    def reader(self, statistics: Statistics | None = None) -> Reader:
        return SqlReader(_Reads(self), self.statements, statistics)

    @asynccontextmanager
    async def transaction(self, statistics: Statistics) -> AsyncGenerator[Session]:
        async with self.connection() as connection:
            transaction = connection.transaction()
            await self.guarded(transaction.start)
            try:
                yield SqlSession(_Statements(self, connection), self.statements, statistics)
            except BaseException:
                await self._roll_back(transaction)
                raise
            await self.guarded(transaction.commit)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Any]:
        """A connection of the pool, which is made on first use, so that a database may be away at start."""
        pool = self._pool or await self._make_pool()
        connection: Any = await self.guarded(lambda: pool.acquire(timeout=self.timeout_seconds))
        try:
            yield connection
        except ConnectionLost:
            # What cut this connection has cut the others too: each is replaced before it is used again.
            with contextlib.suppress(*_AWAY):  # it may be gone already
                connection.terminate()
            await pool.expire_connections()
            raise
        finally:
            with contextlib.suppress(*_AWAY):
                await pool.release(connection)

    async def _make_pool(self) -> Any:
        create_pool: Any = getattr(asyncpg, "create_pool")  # noqa: B009  (its own annotations are incomplete)
        async with self._pool_lock:
            if self._pool is None:
                self._pool = await self.guarded(
                    lambda: create_pool(
                        self.url,
                        min_size=0,
                        max_size=self.pool_size,
                        timeout=self.timeout_seconds,
                        reset=_no_reset,
                        statement_cache_size=1000,
                        max_inactive_connection_lifetime=0,
                        server_settings={"application_name": self.statements.plan.name},
                    )
                )
            return self._pool

    async def _roll_back(self, transaction: Any) -> None:
        """Rolls back; a connection that is gone has done so itself."""
        try:
            await transaction.rollback()
        except _AWAY:
            return

    async def guarded(self, run: Callable[[], Awaitable[T]]) -> T:
        """Runs something on a connection; PostgreSQL's errors come out as those of the storage port."""
        try:
            return await run()
        except TimeoutError as error:
            raise Unavailable(log={"reason": "no database connection within the time limit"}) from error
        except _SCHEMA as error:
            raise Unavailable(log={"reason": SCHEMA_MISSING, "database": str(error)}) from error
        except asyncpg.IntegrityConstraintViolationError as error:
            raise self._constraint(error) from error
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
            raise WriteConflict(log={"database": str(error)}) from error
        except asyncpg.QueryCanceledError as error:
            raise Timeout(log={"database": str(error)}) from error
        except _AWAY as error:
            raise ConnectionLost(log={"reason": f"the database is away: {type(error).__name__}"}) from error

    def _constraint(self, error: asyncpg.IntegrityConstraintViolationError) -> ConstraintFailed:
        name = getattr(error, "constraint_name", None) or ""
        text = f"{type(error).__name__} {name}"  # its own text would quote values of the row
        columns = self.constraints.get(name, ())
        if isinstance(error, asyncpg.UniqueViolationError):
            return ConstraintFailed("unique", columns, text)
        if isinstance(error, asyncpg.ForeignKeyViolationError | asyncpg.RestrictViolationError):
            return ConstraintFailed("foreign key", columns, text)
        if isinstance(error, asyncpg.NotNullViolationError):
            return ConstraintFailed("not null", (str(getattr(error, "column_name", "")),), text)
        return ConstraintFailed("check", columns, text)


class _Reads:
    """Reads outside a transaction: each takes a connection for one statement."""

    def __init__(self, storage: PostgresqlStorage) -> None:
        self.storage = storage

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        async with self.storage.connection() as connection:
            return await self.storage.guarded(lambda: connection.fetch(text, *arguments))


class _Statements:
    """Statements of one transaction."""

    def __init__(self, storage: PostgresqlStorage, connection: Any) -> None:
        self.storage = storage
        self.connection = connection

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return await self.storage.guarded(lambda: self.connection.fetch(text, *arguments))

    async def execute(self, text: str, arguments: tuple[Any, ...]) -> int:
        status: str = await self.storage.guarded(lambda: self.connection.execute(text, *arguments))
        return int(status.rpartition(" ")[2])


async def _no_reset(connection: Any) -> None:
    """Nothing in Sternpost changes a session's state, so there is nothing to reset: it would cost a round trip a request."""
