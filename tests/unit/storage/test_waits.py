"""Locks and semaphores that count who waits."""

from __future__ import annotations

import asyncio

import pytest

from sternpost.storage.sql.waits import CountedLock, CountedSemaphore, Waits


class Clock:
    def __init__(self) -> None:
        self.seconds = 10.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_wait_is_timed_also_one_that_is_given_up() -> None:
    clock = Clock()
    waits = Waits(clock)
    first, second = (asyncio.get_running_loop().create_future() for _ in range(2))
    waiting = [asyncio.create_task(waits.during(each)) for each in (first, second)]
    await asyncio.sleep(0)
    assert (waits.waiting, waits.count) == (2, 0)
    clock.seconds += 2
    first.set_result("found")
    assert await waiting[0] == "found"
    assert (waits.waiting, waits.count, waits.seconds) == (1, 1, 2)
    clock.seconds += 3
    waiting[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
    assert (waits.waiting, waits.count, waits.seconds) == (0, 2, 7)


async def test_who_does_not_wait_is_not_counted() -> None:
    lock = CountedLock()
    await lock.acquire()
    assert lock.waits.count == 0
    waiting = asyncio.create_task(lock.acquire())
    await asyncio.sleep(0)
    assert lock.waits.waiting == 1
    lock.release()
    assert await waiting
    assert (lock.waits.waiting, lock.waits.count) == (0, 1)


async def test_a_semaphore_knows_how_many_hold_it() -> None:
    places = CountedSemaphore(2)
    await places.acquire()
    await places.acquire()
    waiting = asyncio.create_task(places.acquire())
    await asyncio.sleep(0)
    assert (places.size, places.in_use, places.waits.waiting) == (2, 2, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (places.in_use, places.waits.waiting, places.waits.count) == (2, 0, 1)
    places.release()
    places.release()
    assert places.in_use == 0
