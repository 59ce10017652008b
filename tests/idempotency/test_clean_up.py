"""Answers that have expired are removed in parts, and the table does not grow by that."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from sternpost.app.upkeep import EXPIRED_ROWS_MAX, Job, Upkeep, expired_answers
from sternpost.errors import Unavailable
from sternpost.pipeline.keys import Keys
from sternpost.ports.idempotency import KeptAnswer
from sternpost.ports.storage import Statistics
from sternpost.telemetry.log import Log
from sternpost.telemetry.telemetry import Telemetry
from sternpost.testing.clock import ManualClock
from tests.conftest import LogLines
from tests.idempotency.conftest import Bank


def telemetry_into(log_lines: LogLines) -> Telemetry:
    clock = ManualClock()
    return Telemetry(Log("test", clock, level="info", write=log_lines), clock)


def parts(bank: Bank) -> tuple[Any, Keys]:
    runtime = bank.client.app.running.runtime
    assert runtime.keys is not None
    return runtime.storage, runtime.keys


async def fill(bank: Bank, first: int, count: int, *, minutes: float = 1) -> None:
    """Keeps answers that expire in so many minutes."""
    storage, keys = parts(bank)
    now = keys.clock.now()
    async with storage.transaction(Statistics()) as session:
        for number in range(first, first + count):
            answer = KeptAnswer(b"r" * 32, "{}", b"x" * 500)
            kept = await keys.store.keep(
                session,
                number.to_bytes(32, "big"),
                answer,
                now=now,
                expires_at=now + timedelta(minutes=minutes),
            )
            assert kept


async def found(bank: Bank, number: int) -> bool:
    _, keys = parts(bank)
    return await keys.store.find(number.to_bytes(32, "big"), ManualClock().now()) is not None


async def test_expired_rows_go_in_parts(bank: Bank, clock: ManualClock) -> None:
    storage, keys = parts(bank)
    job = expired_answers(storage, keys)
    await fill(bank, 0, EXPIRED_ROWS_MAX + 10)
    await fill(bank, 5000, 5, minutes=60)
    assert await job.run() is False, "nothing has expired yet"
    clock.travel(minutes=2)
    assert await found(bank, 0)
    assert await job.run() is True
    assert await job.run() is False
    assert not await found(bank, 0)
    assert not await found(bank, EXPIRED_ROWS_MAX + 9)
    assert await found(bank, 5004), "what has not expired stays"


async def test_one_that_has_expired_counts_as_not_there(bank: Bank, clock: ManualClock) -> None:
    _, keys = parts(bank)
    await fill(bank, 1, 1)
    assert await keys.store.find((1).to_bytes(32, "big"), clock.now()) is not None
    clock.travel(minutes=1)
    assert await keys.store.find((1).to_bytes(32, "big"), clock.now()) is None
    await fill(bank, 1, 1)
    assert await keys.store.find((1).to_bytes(32, "big"), clock.now()) is not None


async def test_one_that_is_there_is_not_replaced(bank: Bank, clock: ManualClock) -> None:
    storage, keys = parts(bank)
    await fill(bank, 1, 1)
    async with storage.transaction(Statistics()) as session:
        other = KeptAnswer(b"o" * 32, "{}", b"")
        at = clock.now()
        assert not await keys.store.keep(session, (1).to_bytes(32, "big"), other, now=at, expires_at=at)


@pytest.mark.parametrize("database", ["postgresql"])
async def test_the_table_does_not_bloat(bank: Bank, clock: ManualClock, database_url: str) -> None:
    """What is removed leaves room that is used again, once a vacuum has been there, as autovacuum is."""
    storage, keys = parts(bank)
    job = expired_answers(storage, keys)
    connection = await asyncpg.connect(database_url)
    sizes: list[int] = []
    try:
        for round_ in range(4):
            await fill(bank, round_ * 10_000, 2000)
            sizes.append(await connection.fetchval("SELECT pg_total_relation_size('sternpost_idempotency')"))
            clock.travel(minutes=2)
            while await job.run():
                pass
            assert await connection.fetchval("SELECT count(*) FROM sternpost_idempotency") == 0
            await connection.execute("VACUUM sternpost_idempotency")
    finally:
        await connection.close()
    assert sizes[0] > 1_000_000
    assert max(sizes) <= sizes[0] * 1.2, sizes


@pytest.mark.parametrize("database", ["postgresql"])
async def test_one_process_removes_at_a_time(bank: Bank, clock: ManualClock) -> None:
    storage, keys = parts(bank)
    await fill(bank, 0, 10)
    clock.travel(minutes=2)
    async with storage.transaction(Statistics()) as one, storage.transaction(Statistics()) as other:
        assert await keys.store.remove_expired(one, clock.now(), 3) == 3
        assert await keys.store.remove_expired(other, clock.now(), 3) == 0
    async with storage.transaction(Statistics()) as one:
        assert await keys.store.remove_expired(one, clock.now(), 100) == 7


# -- the jobs of a running service


class Nap:
    """A sleep that ends when a test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.slept = asyncio.Event()
        self._wake = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.slept.set()
        await self._wake.wait()
        self._wake.clear()

    async def next(self) -> None:
        """Lets it wake up, and waits until it sleeps again."""
        await self.slept.wait()
        self.slept.clear()
        self._wake.set()
        await self.slept.wait()


async def test_jobs_are_repeated_and_errors_logged(log_lines: LogLines) -> None:
    outcomes: list[Any] = [True, False, Unavailable("away", log={"reason": "gone"}), ValueError("broken"), False]
    runs = 0

    async def run() -> bool:
        nonlocal runs
        runs += 1
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    nap = Nap()
    upkeep = Upkeep([Job("Tidying", 60.0, run)], telemetry_into(log_lines), sleep=nap, random=lambda: 0.5)
    upkeep.start()
    for _ in range(5):
        await nap.next()
    await upkeep.stop()
    assert runs == 5
    assert nap.asked == [30.0, 0.2, 60.0, 60.0, 60.0, 60.0]
    assert [(line["level"], line["message"]) for line in log_lines.lines] == [
        ("warning", "A job failed"),
        ("error", "A job failed"),
    ]
    assert {line["job"] for line in log_lines.lines} == {"Tidying"}
    assert log_lines.lines[0]["reason"] == "gone"


async def test_a_job_ends_at_the_stop(log_lines: LogLines) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def run() -> bool:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return False

    async def at_once(seconds: float) -> None:
        await asyncio.sleep(0)

    upkeep = Upkeep([Job("Tidying", 60.0, run)], telemetry_into(log_lines), sleep=at_once)
    upkeep.start()
    await begun.wait()
    await upkeep.stop()
    assert ended.is_set()
    assert not log_lines.lines
