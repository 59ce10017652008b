"""A primary and a streaming replica of its own for these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tests.conftest import new_postgres_database, not_run
from tests.support.pgbouncer import Pgbouncer
from tests.support.postgres import NoPostgres, PrivateServer

_CRASHES = pytest.StashKey[int]()
"""How often PgBouncer had ended by itself before the present test."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails while PgBouncer itself ends says nothing about the storage."""
    report = yield
    bouncer: Pgbouncer | None = getattr(item, "funcargs", {}).get("bouncer")
    if bouncer is None:
        return report
    stash = item.session.stash
    if report.failed and len(bouncer.crashes) > stash.get(_CRASHES, 0):
        report.outcome, report.wasxfail = "skipped", f"PgBouncer ended: {bouncer.crashes[-1]}"
    if report.when == "teardown":
        stash[_CRASHES] = len(bouncer.crashes)
    return report


@dataclass
class Pair:
    """A primary and its replica; `url` and `replica_url` are those of a new database."""

    primary: PrivateServer
    replica: PrivateServer
    url: str = ""

    @property
    def replica_url(self) -> str:
        return self.url.replace(f":{self.primary.port}/", f":{self.replica.port}/")

    async def on_replica(self, statement: str) -> Any:
        connection = await asyncpg.connect(self.replica.url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    try:
        with PrivateServer() as primary, PrivateServer(primary) as replica:
            yield Pair(primary, replica)
    except NoPostgres as error:
        not_run("PostgreSQL replicas", str(error))


@pytest.fixture
async def pair(servers: Pair) -> AsyncIterator[Pair]:
    async for url in new_postgres_database(servers.primary.url):
        yield Pair(servers.primary, servers.replica, url)
