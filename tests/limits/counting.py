"""A process that counts: started by tests with a store, and told what to do by words on its command line."""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import sys
import time
from collections.abc import Awaitable, Sequence
from struct import Struct

from sternpost.errors import Unavailable
from sternpost.limits.machine import MachineStore
from sternpost.limits.redis import RedisStore
from sternpost.ports.limits import Charge, LimitStore, Verdict
from tests.limits.stores import rule

NUMBER = Struct("=Q")
ENDLESS = 10**9


def make(where: str) -> LimitStore:
    """The store: at a descriptor, or at a URL."""
    if where.isdecimal():
        return MachineStore(int(where), lambda: time.time_ns() // 1000)
    return RedisStore(where, "counting", time.monotonic)


async def charge(store: LimitStore, *charges: Charge) -> Sequence[Verdict]:
    answer = store.charge(charges)
    return await answer if isinstance(answer, Awaitable) else answer


async def burst(store: LimitStore, quantity: str, calls: str, *named: str) -> None:
    """Says that it is ready, waits for a word, makes all calls at once, and says how many passed, for each limit
    (`algorithm:key`), or `away` where a machine that was busy with others has let the store answer too late."""
    print("ready", flush=True)
    sys.stdin.readline()
    limits = [each.split(":") for each in named]
    for algorithm, key in limits:
        one = Charge(bytes.fromhex(key), rule(algorithm, int(quantity)), 1)  # type: ignore[arg-type]
        told = await asyncio.gather(*(charge(store, one) for _ in range(int(calls))), return_exceptions=True)
        other = [each for each in told if isinstance(each, BaseException) and not isinstance(each, Unavailable)]
        if other:
            raise other[0]
        answers = [each for each in told if not isinstance(each, BaseException)]
        away = len(answers) < len(told)
        print("away" if away else sum(verdict.allowed for (verdict,) in answers), flush=True)


async def endless(store: LimitStore, algorithm: str, key: str, ledger: str, place: str) -> None:
    """Counts call after call, and each, once it is counted, in a ledger that outlives it."""
    with mmap.mmap(int(ledger), 0) as memory:
        one = Charge(bytes.fromhex(key), rule(algorithm, ENDLESS), 1)  # type: ignore[arg-type]
        print("ready", flush=True)
        while True:
            try:
                await charge(store, one)
            except Unavailable:  # three processes that do nothing else may starve one; it is not counted, then
                continue
            at = int(place) * NUMBER.size
            memory[at : at + NUMBER.size] = NUMBER.pack(NUMBER.unpack_from(memory, at)[0] + 1)


async def hold(store: MachineStore, key: str) -> None:
    """Stops while it holds the lock of a key; and lets go of it when it goes on."""
    offsets = {store._offset(bytes.fromhex(key))}
    assert store._lock(offsets)
    print("ready", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    store._unlock(offsets)
    print("unlocked", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    where, what, *words = sys.argv[1:]
    asyncio.run({"burst": burst, "endless": endless, "hold": hold}[what](make(where), *words))  # type: ignore[operator]
