"""The databases: one loaded once, a copy of it for each stack. Same tables, same indexes, same pages for everybody."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from benchmarks.cpu import parent_of
from benchmarks.rows import Progress, Size, fill, inserts, ranges
from tests.support.postgres import NoPostgres, PrivateServer, postgres_server

ROOT = Path(__file__).parents[1]
TEMPLATE = "sternpost_bench_template"


@dataclass(frozen=True)
class Application:
    """Whose tables are made.

    Attributes:
        name: as `module:attribute`.
        folder: where its module is found.
        tree: the source tree whose Sternpost makes the tables.
        template: the name of the database that is loaded for it.
    """

    name: str
    folder: Path
    tree: Path = ROOT
    template: str = TEMPLATE

    @property
    def python_path(self) -> str:
        """Comes before what is installed, so that each tree runs its own code in the same environment."""
        return f"{self.tree / 'src'}{os.pathsep}{self.folder}"


SHOP = Application("shop.app:app", ROOT / "examples/shop")


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

    def load(self, size: Size, progress: Progress, application: Application = SHOP) -> str:
        """Makes the template; its URL. Takes a while."""
        ...

    def fresh(self, stack: str, application: Application = SHOP) -> str:
        """A new copy of the application's template for a stack, in place of its last one; its URL."""
        ...

    def settle(self) -> None:
        """Writes out what is pending, so that it does not fall into the next measurement."""
        ...


def create_schema(url: str, application: Application) -> None:
    """The tables, as the tree's Sternpost derives them from a contract: every stack gets those of the shop.

    Raises:
        RuntimeError: it could not; with what the command said.
    """
    environment = {**os.environ, "PYTHONPATH": application.python_path, "STERNPOST_DATABASE_URL": url}
    command = [sys.executable, "-m", "sternpost", "migrate", "apply", application.name]
    done = subprocess.run(command, cwd=application.tree, env=environment, capture_output=True, text=True, check=False)
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
        connection = await connect(self.maintenance)
        try:
            backend = await connection.fetchval("SELECT pg_backend_pid()")
            version = await connection.fetchval("SHOW server_version")
            return version, parent_of(backend, "postgres")
        finally:
            await connection.close()

    def url(self, database: str) -> str:
        return f"{self.server}/{database}"

    def run(self, statements: Iterable[str], database: str | None = None) -> None:
        """Runs statements one by one, on the maintenance database or another."""

        async def run() -> None:
            connection = await connect(self.url(database) if database else self.maintenance)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())

    def load(self, size: Size, progress: Progress, application: Application = SHOP) -> str:
        template = application.template
        self._make(template, "")
        create_schema(self.url(template), application)
        insert = inserts(size, self.name)

        def execute(table: str, first: int, end: int) -> None:
            numbers = f"generate_series({first}::bigint, {end - 1}::bigint) AS numbers(n)"
            self.run([f"{insert[table]} FROM {numbers}"], template)

        fill(size, execute, progress)
        for table in {table: None for table, _, _ in ranges(size)}:
            # nothing starts by itself in the middle of a measurement
            quiet = f"ALTER TABLE {table} SET (autovacuum_enabled = false)"
            self.run([quiet, f"VACUUM (FREEZE, ANALYZE) {table}"], template)
        return self.url(template)

    def fresh(self, stack: str, application: Application = SHOP) -> str:
        name = f"sternpost_bench_{stack.replace('-', '_')}"
        # copying files takes a second; the default would write all of it into the log as well
        self._make(name, f" TEMPLATE {application.template} STRATEGY FILE_COPY")
        return self.url(name)

    def _make(self, name: str, how: str) -> None:
        self.run([f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"{how}'])
        self.made.add(name)

    def settle(self) -> None:
        self.run(["CHECKPOINT"])

    def close(self) -> None:
        """Removes what was made."""
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in sorted(self.made))


class Sqlite:
    """Files, each opened by one server process: the database's CPU is the server's."""

    name = "sqlite"
    pid: int | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = sqlite3.sqlite_version
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def template(self, application: Application = SHOP) -> Path:
        return self.folder / f"{application.template}.sqlite"

    def load(self, size: Size, progress: Progress, application: Application = SHOP) -> str:
        template = self.template(application)
        for old in self.folder.glob(f"{template.name}*"):
            old.unlink()
        url = f"sqlite:///{template}"
        create_schema(url, application)
        insert = inserts(size, self.name)
        with closing(sqlite3.connect(template, isolation_level=None)) as connection:

            def execute(table: str, first: int, end: int) -> None:
                into, _, select = insert[table].partition("SELECT ")
                numbers = "WITH RECURSIVE numbers(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
                connection.execute(f"{into}{numbers} SELECT {select} FROM numbers", (first, end - 1))  # noqa: S608

            fill(size, execute, progress)
            connection.execute("ANALYZE")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return url

    def fresh(self, stack: str, application: Application = SHOP) -> str:
        path = self.folder / f"{stack}.sqlite"
        for old in self.folder.glob(f"{stack}.sqlite*"):
            old.unlink()
        shutil.copyfile(self.template(application), path)
        return f"sqlite:///{path}"

    def settle(self) -> None:
        return

    def close(self) -> None:
        """Removes what was made."""
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
        with closing(Sqlite(folder / "sqlite")) as files:
            yield files
        return
    with _postgres() as url, closing(Postgresql(url)) as server:
        yield server


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


async def connect(url: str) -> Any:
    """A connection (asyncpg's own annotations are incomplete)."""
    return await getattr(asyncpg, "connect")(url)  # noqa: B009
