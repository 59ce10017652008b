"""Statements that are asked for together: what goes with what, and what becomes of errors and of those who have gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from sternpost.deadline import Alarms, Deadline
from sternpost.errors import Timeout
from sternpost.storage.sql.grouping import Grouping


class Database:
    """Carries groups out when it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gates: list[asyncio.Future[None]] = []

    async def run(self, key: str, take: Callable[[], list[int]]) -> Sequence[int | Exception]:
        parts = take()
        self.groups.append(parts)
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate
        return [ValueError(part) if part < 0 else part * 10 for part in parts]

    async def turn(self) -> None:
        """Lets everything that can go on do so."""
        for _ in range(5):
            await asyncio.sleep(0)


async def test_what_is_asked_for_in_one_turn_goes_together() -> None:
    database = Database()
    grouping: Grouping[str, int, int] = Grouping(database.run)
    waiting = [grouping.join("a", number) for number in (1, 2, 3)]
    other = grouping.join("b", 4)
    await database.turn()
    assert database.groups == [[1, 2, 3], [4]]
    for gate in database.gates:
        gate.set_result(None)
    assert await asyncio.gather(*waiting, other) == [10, 20, 30, 40]


async def test_at_most_so_many_are_under_way_and_the_rest_goes_next() -> None:
    database = Database()
    grouping: Grouping[str, int, int] = Grouping(database.run, in_flight_max=2, size_max=3)
    waiting: list[asyncio.Future[int]] = []
    for number in range(8):
        waiting.append(grouping.join("a", number))
        if number < 2:
            await database.turn()
    await database.turn()
    assert database.groups == [[0], [1]], "two are under way; what came since waits"
    database.gates[0].set_result(None)
    await database.turn()
    assert database.groups[2:] == [[2, 3, 4]], "no group is larger than it may be"
    for index in range(1, 4):
        database.gates[index].set_result(None)
        await database.turn()
    assert database.groups[3:] == [[5, 6, 7]]
    assert await asyncio.gather(*waiting) == [number * 10 for number in range(8)]
    assert grouping._groups == {}, "nothing is kept of what is done"


async def test_each_gets_its_own_error() -> None:
    database = Database()
    grouping: Grouping[str, int, int] = Grouping(database.run)
    good, bad, worse = (grouping.join("a", number) for number in (1, -2, -2))
    await database.turn()
    database.gates[0].set_result(None)
    assert await good == 10
    errors: list[BaseException] = []
    for future in (bad, worse):
        with pytest.raises(ValueError, match="-2") as caught:
            await future
        errors.append(caught.value)
    assert errors[0] is not errors[1]


async def test_a_failure_of_all_reaches_each() -> None:
    async def run(key: str, take: Callable[[], list[int]]) -> Sequence[int]:
        raise OSError("away")

    grouping: Grouping[str, int, int] = Grouping(run)
    waiting = [grouping.join("a", number) for number in range(3)]
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [(type(error), str(error)) for error in found] == [(OSError, "away")] * 3
    assert len({id(error) for error in found}) == 3
    assert grouping._groups == {}


async def test_who_has_gone_is_not_asked_for() -> None:
    database = Database()
    grouping: Grouping[str, int, int] = Grouping(database.run)
    gone, stays = grouping.join("a", 1), grouping.join("a", 2)
    gone.cancel()
    await database.turn()
    assert database.groups == [[2]]
    later = grouping.join("a", 3)
    await database.turn()
    later.cancel()  # while it is under way
    for gate in database.gates:
        gate.set_result(None)
    assert await stays == 20
    await database.turn()
    assert grouping._groups == {}


async def test_closing_gives_up_what_is_under_way() -> None:
    database = Database()
    grouping: Grouping[str, int, int] = Grouping(database.run)
    waiting = grouping.join("a", 1)
    await database.turn()
    grouping.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_what_is_asked_for_too_late_is_not_carried_out() -> None:
    database = Database()
    grouping: Grouping[str, int, int] = Grouping(database.run)
    alarms = Alarms()

    async def ask() -> int:
        with Deadline(0.001, alarms) as deadline:
            with suppress(asyncio.CancelledError):  # as an author's function may do
                await asyncio.Event().wait()
            return await grouping.join_within(deadline, "a", 1)

    with pytest.raises(Timeout):
        await ask()
    await database.turn()
    assert database.groups in ([], [[]]), "who is told that nothing was kept is told the truth"
    alarms.close()


async def test_a_time_limit_ends_what_waits_and_not_what_is_under_way() -> None:
    database, free = Database(), asyncio.Event()

    async def run(key: str, take: Callable[[], list[int]]) -> Sequence[int | Exception]:
        await free.wait()  # as for the writer's lock
        return await database.run(key, take)

    grouping: Grouping[str, int, int] = Grouping(run, in_flight_max=1)
    alarms = Alarms()

    def asked(seconds: float | None, key: str, part: int) -> asyncio.Task[int]:
        async def ask() -> int:
            with Deadline(seconds, alarms) as deadline:
                return await grouping.join_within(deadline, key, part)

        return asyncio.create_task(ask())

    patient, hasty = asked(None, "a", 1), asked(0.001, "a", 1)
    await database.turn()
    late = asked(0.001, "a", 3)
    for given_up in (hasty, late):
        with pytest.raises(Timeout):
            await given_up
    under_way = asked(0.1, "b", 4)
    free.set()
    while len(database.groups) < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0.15)
    assert not under_way.done(), "what is being written is waited for, however long it takes"
    for gate in database.gates:
        gate.set_result(None)
    assert (await patient, await under_way) == (10, 40)
    assert database.groups == [[1], [4]], "what was given up was never sent"
    assert grouping._groups == {}
