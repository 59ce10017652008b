"""What a replica is taken for, by what it tells of its place in the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sternpost.storage.postgresql.pool import Pool
from sternpost.storage.postgresql.replicas import Position, Replica


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
