"""Connections of a pool: whoever gives up waiting for one leaves it to the next."""

from __future__ import annotations

import asyncio

import pytest

from sternpost.storage.postgresql.pool import Pool


class Connection:
    """A connection to nothing."""

    def __init__(self) -> None:
        self.closed = False

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        self.closed = True

    async def close(self) -> None:
        self.closed = True


async def connect() -> Connection:
    return Connection()


@pytest.mark.parametrize("others", [0, 1], ids=["nobody else waits", "another waits"])
@pytest.mark.parametrize("lost", [False, True], ids=["given back", "lost"])
async def test_what_comes_in_the_turn_of_a_cancellation_goes_to_the_next(others: int, lost: bool) -> None:
    pool = Pool(connect, size=1, timeout_seconds=1)
    used = await pool.acquire()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(1 + others)]
    await asyncio.sleep(0)
    (pool.discard if lost else pool.release)(used)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    next_one = await (waiting[1] if others else pool.acquire())
    assert (next_one is used) == (not lost)
    pool.release(next_one)
    assert pool.in_use == 0
    await pool.close()


async def test_who_is_cancelled_while_connecting_leaves_its_place() -> None:
    hold = asyncio.Event()

    async def slowly() -> Connection:
        await hold.wait()
        return Connection()

    pool = Pool(slowly, size=1, timeout_seconds=1)
    first = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    hold.set()
    pool.release(await waiting)
    pool.release(await pool.acquire())
    await pool.close()


async def test_a_connection_is_made_for_the_next_where_nobody_waits_so_long() -> None:
    made: list[Connection] = []

    async def slowly() -> Connection:
        await asyncio.sleep(0.05)
        made.append(Connection())
        return made[-1]

    pool = Pool(slowly, size=1, timeout_seconds=1)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await pool.acquire()
    found = await pool.acquire()
    assert made == [found]
    pool.release(found)
    await pool.close()


@pytest.mark.parametrize("closed", [False, True])
async def test_a_connection_that_cannot_be_made_takes_no_place(closed: bool) -> None:
    fail = asyncio.Event()

    async def failing() -> Connection:
        await fail.wait()
        raise OSError

    pool = Pool(failing, size=1, timeout_seconds=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await pool.acquire()
    if closed:
        await pool.close()
        return
    fail.set()
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011  (it has no text)
            await pool.acquire()
    await pool.close()


@pytest.mark.parametrize("limit", [None, 0.0])
async def test_a_limit_ends_with_the_use_of_a_connection(limit: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next statement has the usual one: it is cut off when that is over, and not before."""
    monkeypatch.setattr("sternpost.storage.postgresql.pool.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("sternpost.storage.postgresql.pool.SILENT_SECONDS", 0.0)
    pool = Pool(connect, size=1, timeout_seconds=1, limit_seconds=0.2)
    used = await pool.acquire()
    pool.limit(used, limit)
    pool.release(used)
    again = await pool.acquire()
    assert again is used
    loop = asyncio.get_running_loop()
    begun = loop.time()
    pool.sent(again)
    async with asyncio.timeout(5):
        while not again.is_closed():
            await asyncio.sleep(0.01)
    assert loop.time() - begun >= 0.2
    await pool.close()
