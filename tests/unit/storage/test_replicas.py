"""What a replica is taken for, by what it tells of its place in the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sternpost.errors import Unavailable
from sternpost.storage.postgresql.pool import Pool
from sternpost.storage.postgresql.replicas import Position, Replica, ReplicatedReads


async def connect() -> Any:
    raise OSError("there is no server")


@pytest.fixture
def replica() -> Replica:
    return Replica(connect, Pool(connect, size=1, timeout_seconds=1))


@pytest.mark.parametrize(("timeline", "there"), [(1, True), (2, False)], ids=["the same", "another"])
async def test_a_read_that_waits_is_told_of_a_promotion(replica: Replica, timeline: int, there: bool) -> None:
    """Bytes of another timeline are other bytes: a replica that has more of those need not have what was written."""
    replica._seen(True, 100, 1, 1)
    waiting = asyncio.create_task(replica.reached(Position(200, 1)))
    await asyncio.sleep(0)
    replica._seen(True, 300, 1, timeline)
    assert await waiting == there
    assert await replica.reached(Position(200, 1)) == there


async def test_a_primary_that_was_away_is_asked_again_which_server_it_is(replica: Replica) -> None:
    """Another server may be at its address when it comes back: then a replica of the first one has other rows."""
    system, away = 1, False

    async def primary(text: str, arguments: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if away:
            raise Unavailable
        return [(system,)] if "system_identifier" in text else [(100, 1)] if "wal" in text else [("the primary",)]

    async def fetch_from(text: str, arguments: tuple[Any, ...], pool: Pool) -> list[tuple[Any, ...]]:
        return [("a replica",)]

    reads = ReplicatedReads([replica], primary, fetch_from)

    async def answering() -> str:
        return (await reads.fetch("SELECT 1", ()))[0][0]

    replica._seen(True, 100, 1, 1)
    assert await answering() == "a replica"
    away = True
    with pytest.raises(Unavailable):
        await answering()
    away, system = False, 2
    assert await answering() == "the primary"
    replica._seen(True, 100, 2, 1)
    assert await answering() == "a replica"
