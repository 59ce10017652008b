"""The databases: one loaded once, a copy of it for each stack. Same tables, same indexes, same pages for everybody."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from benchmarks.cpu import parent_of
from benchmarks.workloads import order_row, user_row
from tests.support.postgres import NoPostgres, PrivateServer, postgres_server

ROOT = Path(__file__).parents[1]
TEMPLATE = "sternpost_bench_template"
CHUNK = 10_000
USER_COLUMNS = ("id", "name", "email", "status", "created_at", "updated_at")
ORDER_COLUMNS = ("id", "user_id", "status", "total_cents", "created_at", "updated_at")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Size:
    """How many rows there are."""

    users: int
    orders: int


class Database(Protocol):
    """Databases of one kind.

    Attributes:
        name: `postgresql` or `sqlite`.
        version: what its server or library says.
        pid: root of the server's process tree; None where there is none, or it runs elsewhere.
    """

    name: str
    version: str
    pid: int | None

    def load(self, size: Size, progress: Progress) -> None:
        """Makes the template. Takes a while."""
        ...

    def fresh(self, stack: str) -> str:
        """A new copy of the template for a stack, in place of its last one; its URL."""
        ...

    def settle(self) -> None:
        """Writes out what is pending, so that it does not fall into the next measurement."""
        ...

    def close(self) -> None:
        """Removes what was made."""
        ...


def rows(size: Size, key: Callable[[str], Any], moment: Callable[[datetime], Any]) -> Iterator[tuple[str, Any, Any]]:
    """(table, columns, chunk of rows), users first. `key` and `moment` give a database's form of ids and times."""

    def users() -> Iterator[tuple[Any, ...]]:
        for number in range(size.users):
            digits, name, email, status, made, changed = user_row(number)
            yield key(digits), name, email, status, moment(made), moment(changed)

    def orders() -> Iterator[tuple[Any, ...]]:
        for number in range(size.orders):
            digits, user, status, cents, made, changed = order_row(number, size.users)
            yield key(digits), key(user), status, cents, moment(made), moment(changed)

    for table, columns, source in (("users", USER_COLUMNS, users()), ("orders", ORDER_COLUMNS, orders())):
        for chunk in chunks(source):
            yield table, columns, chunk


def chunks(source: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    """A few thousand rows at a time."""
    iterator = iter(source)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def create_schema(url: str) -> None:
    """The tables, as Sternpost derives them from the shop's contract: every stack gets these."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "examples/shop"),
        "STERNPOST_DATABASE_URL": url,
    }
    command = [sys.executable, "-m", "sternpost", "migrate", "apply", "shop.app:app"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"the schema was not created: {done.stderr or done.stdout}")


class Postgresql:
    """A PostgreSQL server: of its own if it can be, so that nobody else's queries are counted."""

    name = "postgresql"

    def __init__(self, url: str) -> None:
        self.server = url.rpartition("/")[0]
        self.maintenance = url
        self.made: set[str] = set()
        self.version, self.pid = asyncio.run(self._describe())

    async def _describe(self) -> tuple[str, int | None]:
        connection = await asyncpg.connect(self.maintenance)
        try:
            backend = await connection.fetchval("SELECT pg_backend_pid()")
            version = await connection.fetchval("SHOW server_version")
            return version, parent_of(backend, "postgres")
        finally:
            await connection.close()

    def url(self, database: str) -> str:
        return f"{self.server}/{database}"

    def run(self, *statements: str) -> None:
        """Runs statements on the maintenance database, one by one."""
        asyncio.run(self._run(statements))

    async def _run(self, statements: Iterable[str]) -> None:
        connection = await asyncpg.connect(self.maintenance)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def load(self, size: Size, progress: Progress) -> None:
        self._make(TEMPLATE, "")
        create_schema(self.url(TEMPLATE))
        asyncio.run(self._fill(size, progress))

    async def _fill(self, size: Size, progress: Progress) -> None:
        connection = await asyncpg.connect(self.url(TEMPLATE))
        done = 0
        try:
            for table, columns, chunk in rows(size, lambda digits: UUID(hex=digits), lambda moment: moment):
                await connection.copy_records_to_table(table, columns=columns, records=chunk)
                done += len(chunk)
                progress(done, size.users + size.orders)
            for table in ("users", "orders"):
                # nothing starts by itself in the middle of a measurement
                await connection.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
                await connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}")
        finally:
            await connection.close()

    def fresh(self, stack: str) -> str:
        name = f"sternpost_bench_{stack.replace('-', '_')}"
        # copying files takes a second; the default would write all of it into the log as well
        self._make(name, f" TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
        return self.url(name)

    def _make(self, name: str, how: str) -> None:
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"{how}')
        self.made.add(name)

    def settle(self) -> None:
        self.run("CHECKPOINT")

    def close(self) -> None:
        self.run(*(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in sorted(self.made)))


class Sqlite:
    """Files, each opened by one server process: the database's CPU is the server's."""

    name = "sqlite"
    pid = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = sqlite3.sqlite_version
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    @property
    def template(self) -> Path:
        return self.folder / f"{TEMPLATE}.sqlite"

    def load(self, size: Size, progress: Progress) -> None:
        create_schema(f"sqlite:///{self.template}")
        connection = sqlite3.connect(self.template)
        done = 0
        try:
            for table, columns, chunk in rows(size, str, instant_text):
                marks = ", ".join("?" for _ in columns)
                statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608  (our own names)
                with connection:
                    connection.executemany(statement, chunk)
                done += len(chunk)
                progress(done, size.users + size.orders)
            connection.execute("ANALYZE")
            connection.commit()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()

    def fresh(self, stack: str) -> str:
        path = self.folder / f"{stack}.sqlite"
        for old in self.folder.glob(f"{stack}.sqlite*"):
            old.unlink()
        shutil.copyfile(self.template, path)
        return f"sqlite:///{path}"

    def settle(self) -> None:
        return

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def open_database(kind: str, folder: Path) -> Generator[Database]:
    """Databases of a kind, removed at the end.

    PostgreSQL: the server of `STERNPOST_BENCH_POSTGRES_URL`, else one of its own from installed binaries, else what the
    tests use (the local server, apt, docker compose).

    Raises:
        NoPostgres: there is none.
    """
    if kind == "sqlite":
        database: Database = Sqlite(folder / "sqlite")
        try:
            yield database
        finally:
            database.close()
        return
    with _postgres() as url:
        database = Postgresql(url)
        try:
            yield database
        finally:
            database.close()


@contextmanager
def _postgres() -> Generator[str]:
    given = os.environ.get("STERNPOST_BENCH_POSTGRES_URL")
    if given:
        yield given
        return
    try:
        server = PrivateServer()
    except NoPostgres:
        with postgres_server() as url:
            yield url
        return
    with server:
        yield server.url


def instant_text(moment: datetime) -> str:
    """An instant as Sternpost keeps it in SQLite: see docs/decisions/instants-in-sqlite.md."""
    return moment.replace(tzinfo=None).isoformat()
