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


async def test_a_place_that_no_connection_took_is_the_next_ones() -> None:
    """Who waits for a place tries to connect as soon as somebody else has failed, not when its own time is up."""
    fail = asyncio.Event()
    tried: list[int] = []

    async def failing_once() -> Connection:
        tried.append(len(tried))
        if len(tried) == 1:
            await fail.wait()
            raise OSError
        return Connection()

    pool = Pool(failing_once, size=1, timeout_seconds=60)
    first, second = (asyncio.create_task(pool.acquire()) for _ in range(2))
    while not tried:
        await asyncio.sleep(0)
    fail.set()
    with pytest.raises(OSError):  # noqa: PT011  (it has no text)
        await first
    async with asyncio.timeout(5):
        pool.release(await second)
    assert tried == [0, 1]
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


async def test_each_that_waits_has_its_own_time() -> None:
    pool = Pool(connect, size=1, timeout_seconds=0.2)
    used = await pool.acquire()
    loop = asyncio.get_running_loop()
    waited: list[float] = []

    async def wait() -> None:
        begun = loop.time()
        with pytest.raises(TimeoutError, match="no connection became free"):
            await pool.acquire()
        waited.append(loop.time() - begun)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(wait())
            await asyncio.sleep(0.08)
    assert all(0.19 <= seconds < 0.28 for seconds in waited), waited
    pool.release(used)
    assert await pool.acquire() is used, "nobody of them has kept it"
    await pool.close()


async def test_those_that_wait_are_served_in_their_order_and_no_more_are_made() -> None:
    made: list[Connection] = []

    async def counted() -> Connection:
        made.append(Connection())
        return made[-1]

    pool = Pool(counted, size=2, timeout_seconds=1)
    first, second = await pool.acquire(), await pool.acquire()
    served: list[int] = []

    async def ask(number: int) -> None:
        connection = await pool.acquire()
        served.append(number)
        pool.release(connection)

    asking = [asyncio.create_task(ask(number)) for number in range(4)]
    await asyncio.sleep(0)
    assert (pool.in_use, served) == (2, [])
    pool.release(first)
    await asyncio.gather(*asking)
    assert served == [0, 1, 2, 3]
    assert pool.in_use == 1
    pool.release(second)
    assert (pool.in_use, len(made)) == (0, 2)
    await pool.close()
    assert all(connection.closed for connection in made)


async def test_what_one_connection_has_lost_the_others_have_lost_too_but_once() -> None:
    pool = Pool(connect, size=3, timeout_seconds=1)
    lost, busy, idle = [await pool.acquire() for _ in range(3)]
    pool.release(idle)
    pool.lost(lost)
    assert (lost.closed, idle.closed, busy.closed) == (True, True, False)
    new = await pool.acquire()
    assert new not in (lost, busy, idle)
    pool.release(new)
    pool.lost(busy)  # as the first has said
    assert busy.closed
    assert await pool.acquire() is new
    old = await pool.acquire()
    pool.expire()
    pool.release(old)
    assert old.closed, "it is of before"
    pool.cut()
    assert new.closed
    await pool.close()


async def test_a_connection_that_was_closed_at_rest_is_not_given_to_anybody() -> None:
    pool = Pool(connect, size=1, timeout_seconds=0.2)
    closed = await pool.acquire()
    pool.release(closed)
    closed.terminate()
    found = await pool.acquire()
    assert found is not closed
    found.terminate()
    pool.release(found)
    assert not (await pool.acquire()).closed
    await pool.close()


class Settling(Connection):
    """A connection whose statement was cut off; it answers when it may."""

    def __init__(self, answer: asyncio.Event) -> None:
        super().__init__()
        self.answer = answer
        self.executed: list[str] = []

    async def execute(self, text: str) -> None:
        await self.answer.wait()
        self.executed.append(text)


@pytest.mark.parametrize("answers", [True, False])
async def test_what_was_cut_off_is_used_again_once_the_server_has_ended_it(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sternpost.storage.postgresql.pool.SETTLE_SECONDS", 5 if answers else 0.05)
    answer = asyncio.Event()

    async def make() -> Settling:
        return Settling(answer)

    pool = Pool(make, size=1, timeout_seconds=2)
    used = await pool.acquire()
    pool.settle(used)
    assert pool.in_use == 1
    asking = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0.02)
    assert not asking.done()
    if answers:
        answer.set()
    found = await asking
    assert (found is used, used.closed) == (answers, not answers)
    assert used.executed == (["ROLLBACK"] if answers else [])
    await pool.close()


async def test_a_pool_that_is_closed_ends_what_is_in_use_and_whoever_waits() -> None:
    pool = Pool(connect, size=2, timeout_seconds=1)
    used, idle = await pool.acquire(), await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    pool.release(idle)
    assert await waiting is idle
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    await pool.close()
    assert used.closed
    assert idle.closed
    with pytest.raises(asyncio.CancelledError):
        await waiting
    pool.release(used)
    assert pool.in_use == 0


async def test_an_attempt_to_connect_that_hangs_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet that was lost is sent again after longer and longer pauses; a new attempt is faster."""
    monkeypatch.setattr("sternpost.storage.postgresql.pool.CONNECT_SECONDS", 0.05)
    attempts: list[int] = []

    async def hanging() -> Connection:
        attempts.append(1)
        if len(attempts) < 3:
            await asyncio.Event().wait()
        return Connection()

    pool = Pool(hanging, size=1, timeout_seconds=2)
    pool.release(await pool.acquire())
    assert len(attempts) == 3
    pool.discard(await pool.acquire())
    attempts[:] = []
    pool.timeout_seconds = 0.03
    with pytest.raises(TimeoutError):
        await pool.acquire()
    await pool.close()
