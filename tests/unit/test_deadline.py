"""Time limits: the long ones share a timer, are never early, and are told once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from sternpost import deadline
from sternpost.deadline import Alarms, Deadline
from sternpost.errors import Timeout, Unavailable


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> float:
    """Every limit is a long one, and sweeps are short."""
    monkeypatch.setattr(deadline, "COARSE_SECONDS", 0.0)
    monkeypatch.setattr(deadline, "SWEEP_SECONDS", 0.02)
    return 0.02


async def test_a_long_limit_ends_the_work_and_is_never_early(sweeps: float) -> None:
    alarms, loop = Alarms(), asyncio.get_running_loop()
    begin = loop.time()
    with pytest.raises(Timeout), Deadline(0.1, alarms):
        await loop.create_future()
    assert loop.time() - begin >= 0.1
    alarms.close()


async def test_what_ends_in_time_hears_nothing(sweeps: float) -> None:
    alarms = Alarms()
    with Deadline(0.05, alarms):
        pass
    rung = asyncio.get_running_loop().create_future()
    alarms.set(0.15, lambda: rung.set_result(None))
    cancelled = alarms.set(0.05, lambda: pytest.fail("it was cancelled"))
    cancelled.cancel()
    await rung  # later than the others would have been
    alarms.close()


async def test_one_that_ends_another_is_the_only_one_to_ring(sweeps: float) -> None:
    """Two that are due in the same sweep: the first takes the other back."""
    alarms, rung = Alarms(), list[int]()
    both = asyncio.get_running_loop().create_future()

    def ring(number: int) -> None:
        rung.append(number)
        pair[1 - number].cancel()
        both.set_result(None)

    pair = [alarms.set(0.05, lambda: ring(0)), alarms.set(0.05, lambda: ring(1))]
    await both
    last = asyncio.get_running_loop().create_future()
    alarms.set(0.05, lambda: last.set_result(None))
    await last
    assert len(rung) == 1
    alarms.close()


async def test_a_commit_that_has_begun_is_not_cancelled(sweeps: float) -> None:
    alarms, told = Alarms(), asyncio.get_running_loop().create_future()
    with Deadline(0.05, alarms) as limit:
        limit.committing(lambda: told.set_result("late"))
        assert await told == "late"
        with pytest.raises(Timeout):  # the commit failed, and there is no time for another try
            limit.again()
    alarms.close()


async def test_a_further_try_has_the_rest_of_the_time(sweeps: float) -> None:
    alarms = Alarms()

    async def work() -> None:
        with Deadline(0.05, alarms) as limit:
            limit.committing(lambda: None)
            limit.again()
            await asyncio.get_running_loop().create_future()

    with pytest.raises(Timeout):
        await work()
    alarms.close()


async def test_a_cancellation_that_was_caught_ends_it_before_the_commit(sweeps: float) -> None:
    alarms, committed = Alarms(), False

    async def work() -> None:
        nonlocal committed
        with Deadline(0.05, alarms) as limit:
            with suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()
            limit.committing(lambda: None)
            committed = True

    with pytest.raises(Timeout):
        await work()
    assert not committed
    alarms.close()


async def test_somebody_elses_cancellation_counts_more(sweeps: float) -> None:
    """It comes in the same turn as the end of the time."""
    alarms, begun = Alarms(), asyncio.Event()
    limits: list[Deadline] = []

    async def work() -> None:
        with Deadline(60, alarms) as limit:
            limits.append(limit)
            begun.set()
            await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(work())
    await begun.wait()
    limits[0].ring()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    alarms.close()


@pytest.mark.parametrize("seconds", [60.0, 4.0, None])
async def test_every_block_can_be_ended_before_its_time_with_another_reason(seconds: float | None) -> None:
    alarms, loop = Alarms(), asyncio.get_running_loop()
    why = Unavailable("it is over")
    loop.call_soon(alarms.end, why)
    loop.call_soon(alarms.end, Unavailable("again"))  # it is over already
    with pytest.raises(Unavailable) as raised, Deadline(seconds, alarms), Deadline(seconds, alarms):
        await loop.create_future()
    assert raised.value is why
    assert not alarms.open
    assert not alarms.others
    alarms.close()


async def test_a_commit_that_has_begun_is_asked_to_end_once_and_not_cancelled() -> None:
    alarms, asked = Alarms(), list[str]()
    with Deadline(60.0, alarms) as deadline:
        deadline.committing(lambda: asked.append("give it up"))
        for _ in range(2):
            alarms.end(Unavailable("it is over"))
        await asyncio.sleep(0)
    assert asked == ["give it up"]
    with pytest.raises(Unavailable, match="it is over"):
        deadline.again()
    alarms.close()
