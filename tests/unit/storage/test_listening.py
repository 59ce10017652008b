"""The connection that hears hints: made once, and given back however the end comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from sternpost.storage.postgresql.listening import DEAF_POLL_SECONDS, Listening
from sternpost.storage.sql.hints import Hints


class Connecting:
    """Real connections, each held up until the test lets it go on."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made: list[Any] = []
        self.connected, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> Any:
        self.made.append(await asyncpg.connect(self.url))
        self.connected.set()
        await self.go_on.wait()
        return self.made[-1]

    def listening(self) -> Listening:
        async def run(statement: str, values: tuple[Any, ...]) -> list[Any]:
            return []

        return Listening(self, run, Hints(), possible=True)


@pytest.fixture
async def connecting(postgres_database: str) -> AsyncIterator[Connecting]:
    made = Connecting(postgres_database)
    yield made
    for connection in made.made:
        connection.terminate()


async def test_a_connection_that_comes_after_the_close_is_given_back(connecting: Connecting) -> None:
    """Before: it stayed open for as long as the process."""
    listening = connecting.listening()
    opening = asyncio.create_task(listening.listen())
    async with asyncio.timeout(20):
        await connecting.connected.wait()
        await listening.close()
        connecting.go_on.set()
        assert await opening == DEAF_POLL_SECONDS
        assert connecting.made[0].is_closed()
        assert await listening.listen() == DEAF_POLL_SECONDS
    assert len(connecting.made) == 1, "nothing is opened after the close"


async def test_a_connection_that_is_set_up_during_the_close_is_given_back(
    connecting: Connecting, postgres_database: str
) -> None:
    """Before: it stayed open for as long as the process."""
    listening, other = connecting.listening(), await asyncpg.connect(postgres_database)
    connecting.go_on.set()
    try:
        await other.execute("SELECT pg_advisory_lock(hashtext('sternpost outbox readers'))")
        opening = asyncio.create_task(listening.listen())
        async with asyncio.timeout(20):
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not await other.fetchval(waits):
                await asyncio.sleep(0)
            await listening.close()
            assert await opening == DEAF_POLL_SECONDS
        assert connecting.made[0].is_closed()
    finally:
        await other.close()
