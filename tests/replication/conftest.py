"""A primary and a streaming replica of its own for these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tests.conftest import new_postgres_database, not_run
from tests.support.postgres import NoPostgres, PrivateServer


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
