"""The memory that workers share: killed and stopped processes, a full table, whatever bytes are in it."""

from __future__ import annotations

import asyncio
import mmap
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from sternpost.errors import Unavailable
from sternpost.limits.machine import PATIENCE_SECONDS, WAYS, MachineStore, shared_memory
from sternpost.ports.limits import Charge, Verdict
from tests.limits.counting import ENDLESS, NUMBER, charge
from tests.limits.processes import Counter, counters
from tests.limits.stores import ALGORITHMS, Held, new_key, rule
from tests.support.rounds import rounds

PROCESSES = 3


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = shared_memory(2**10)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
async def store(memory: int) -> AsyncIterator[MachineStore]:
    """One more user of the memory, by the machine's clock."""
    made = MachineStore(os.dup(memory), lambda: time.time_ns() // 1000)
    yield made
    await made.close()


@rounds(3, 60)
async def test_a_killed_worker_costs_one_call_at_most_and_the_others_go_on(
    memory: int, store: MachineStore, rounds: int
) -> None:
    """Whatever it was doing. Every call is in a ledger once it is counted, so the two differ by what was cut off."""
    key, limit = new_key(), rule("fixed_window", ENDLESS)
    ledger = os.memfd_create("ledger")
    os.ftruncate(ledger, 4096)
    kills, draw = rounds, random.Random(7)

    def start(place: int) -> Counter:
        words = ("endless", "fixed_window", key.hex(), ledger, place)
        started = Counter(memory, *words, pass_fds=[ledger])
        assert started.line() == "ready"
        return started

    def counted(place: int) -> int:
        return NUMBER.unpack_from(entries, place * NUMBER.size)[0]

    workers = [start(place) for place in range(PROCESSES)]
    try:
        with mmap.mmap(ledger, 0) as entries:
            for number in range(kills):
                place = number % PROCESSES
                before = [counted(each) for each in range(PROCESSES)]
                deadline = time.monotonic() + 30
                while not all(counted(each) > before[each] + 20 for each in range(PROCESSES)):
                    assert time.monotonic() < deadline, "a worker does not go on"
                    await asyncio.sleep(draw.random() / 500)
                workers[place].kill()
                workers[place] = start(place)
            for worker in workers:
                worker.kill()
            acknowledged = sum(counted(place) for place in range(PROCESSES))
    finally:
        for worker in workers:
            worker.process.kill()
        os.close(ledger)
    (verdict,) = await charge(store, Charge(key, limit, 0))
    assert acknowledged > kills * 20
    assert 0 <= ENDLESS - verdict.remaining - acknowledged <= kills + PROCESSES


@pytest.mark.parametrize("ends", ["killed", "goes on"])
async def test_a_worker_that_is_stopped_with_a_lock_holds_up_its_keys_alone(
    memory: int, store: MachineStore, ends: str
) -> None:
    held, limit = new_key(), rule("token_bucket", 100)
    with counters(1, memory, "hold", held.hex()) as (holder,):
        turns = 0

        async def tick() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.001)
                turns += 1

        ticking = asyncio.ensure_future(tick())
        started = time.monotonic()
        told = await asyncio.gather(*(charge(store, Charge(held, limit, 1)) for _ in range(50)), return_exceptions=True)
        seconds = time.monotonic() - started
        ticking.cancel()
        assert {type(each) for each in told} == {Unavailable}
        assert PATIENCE_SECONDS <= seconds < PATIENCE_SECONDS * 20
        assert turns > 10, "the event loop went on"
        free = [key for key in (new_key() for _ in range(50)) if store._offset(key) != store._offset(held)]
        for key in free:
            (verdict,) = await charge(store, Charge(key, limit, 1))
            assert verdict.remaining == 99
        with pytest.raises(Unavailable):
            await charge(store, Charge(free[0], limit, 1), Charge(held, limit, 1))
        (verdict,) = await charge(store, Charge(free[0], limit, 1))
        assert verdict.remaining == 98, "nothing is held, and nothing was counted, by the call that could not"
        if ends == "killed":
            holder.kill()
        else:
            holder.process.send_signal(signal.SIGCONT)
            assert holder.line() == "unlocked"
        (verdict,) = await charge(store, Charge(held, limit, 1))
        assert verdict.remaining == 99, "none of those that were told so was counted"
        if ends == "goes on":
            holder.tell()


async def test_calls_that_wait_are_counted_once_the_lock_is_free(memory: int) -> None:
    held, limit = new_key(), rule("token_bucket", 1000)
    patient = MachineStore(os.dup(memory), lambda: time.time_ns() // 1000, patience_seconds=30)
    with counters(1, memory, "hold", held.hex()) as (holder,):
        calls = [asyncio.ensure_future(charge(patient, Charge(held, limit, 1))) for _ in range(300)]
        await asyncio.sleep(0)
        for call in calls[:100]:
            call.cancel()
        holder.process.send_signal(signal.SIGCONT)
        told = [(await call)[0].remaining for call in calls[100:]]
        assert told == list(range(999, 799, -1)), "in the order in which they came"
        holder.tell()
    await patient.close()


async def test_calls_of_several_keys_do_not_lock_each_other_out(memory: int) -> None:
    """Processes that want the same two locks in either order."""
    keys = [new_key() for _ in range(2)]
    words = [f"token_bucket:{key.hex()}" for key in keys]
    with (
        counters(2, memory, "burst", 100, 200, *words) as first,
        counters(2, memory, "burst", 100, 200, *words[::-1]) as second,
    ):
        for each in (*first, *second):
            each.tell()
        passed = [[int(each.line()) for _ in keys] for each in (*first, *second)]
    totals = [
        sum(each[0] for each in passed[:2]) + sum(each[1] for each in passed[2:]),
        sum(each[1] for each in passed[:2]) + sum(each[0] for each in passed[2:]),
    ]
    assert totals == [100, 100]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_random_bytes_are_put_right_within_the_time_that_a_state_lasts(algorithm: str) -> None:
    draw = random.Random(algorithm)
    limit = rule(algorithm, 5, 10_000_000)  # type: ignore[arg-type]
    for _ in range(60):
        held = Held("machine")
        key = new_key()
        await held.charge(Charge(key, limit, 3))
        store = held.store
        assert isinstance(store, MachineStore)
        offset = store._offset(key)
        torn = draw.randrange(WAYS * 16, WAYS * 32 + WAYS * 96 - 64)  # all but the keys
        store._memory[offset + torn : offset + torn + 64] = draw.randbytes(64)
        store._memory[offset + WAYS * 32 : offset + WAYS * 33] = draw.randbytes(WAYS)
        await held.charge(Charge(key, limit, 1))
        held.now_us += 11_000_000
        assert (await held.charge(Charge(key, limit, 5)))[0].allowed
        await held.close()


async def test_a_full_bucket_forgets_what_expires_first() -> None:
    held = Held("machine")
    store = held.store
    assert isinstance(store, MachineStore)
    crowded = store._offset(new_key())
    keys: list[bytes] = []
    while len(keys) < WAYS + 1:
        key = new_key()
        if store._offset(key) == crowded:
            keys.append(key)
    long, short = rule("token_bucket", 10, 10_000_000_000), rule("token_bucket", 10, 10_000_000)
    for place, key in enumerate(keys[:WAYS]):
        assert await held.charge(Charge(key, short if place == 7 else long, 5)) is not None
    await held.charge(Charge(keys[WAYS], long, 5))
    told = {
        key: (await held.charge(Charge(key, short if place == 7 else long, 0, True)))[0].remaining
        for place, key in enumerate(keys)
        if place != 7
    }
    assert set(told.values()) == {5}, "nothing that matters for longer was forgotten"
    held.now_us += 20_000_000_000
    (verdict,) = await held.charge(Charge(keys[7], short, 5))
    assert verdict == Verdict(True, 5, 5_000_000)
    await held.close()


async def test_what_was_counted_survives_all_workers(memory: int) -> None:
    key, limit = new_key(), rule("sliding_window", 1000)
    for generation in range(1, 3):
        with counters(2, memory, "burst", 1000, 10, f"sliding_window:{key.hex()}") as started:
            for each in started:
                each.tell()
            assert [each.line() for each in started] == ["10", "10"]
        last = MachineStore(os.dup(memory), lambda: time.time_ns() // 1000)
        (verdict,) = await charge(last, Charge(key, limit, 0))
        await last.close()
        assert verdict.remaining == 1000 - 20 * generation
