"""The stores under test, each with its clock."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from sternpost.limits.machine import MachineStore, shared_memory
from sternpost.limits.process import ProcessStore
from sternpost.limits.redis import RedisStore
from sternpost.ports.limits import Algorithm, Charge, Rule, Verdict

ALGORITHMS: tuple[Algorithm, ...] = ("fixed_window", "sliding_window", "token_bucket", "leaky_bucket")
SHARED = ("machine", "redis")
STORES = ("process", *SHARED)
NOW_US = 1_800_000_000_000_000
AGES_US = 100 * 86_400 * 1_000_000
"""A period in which nothing is there again while a test runs."""


def rule(algorithm: Algorithm, quantity: int = 100, period_us: int = AGES_US, **more: Any) -> Rule:
    depth = 0 if algorithm.endswith("window") else quantity
    return Rule(algorithm, quantity, period_us, **{"depth": depth, **more})


def new_key() -> bytes:
    return secrets.token_bytes(16)


class Counting(Protocol):
    """A store, as the tests use it."""

    async def charge(self, *charges: Charge) -> Sequence[Verdict]: ...

    async def charge_at(self, *charges: Charge) -> tuple[int, Sequence[Verdict]]:
        """With the time by which it counted."""
        ...

    async def close(self) -> None: ...


class Held:
    """A store of this machine, with a clock that a test moves."""

    def __init__(self, kind: str, now_us: int = NOW_US, **more: Any) -> None:
        self.now_us = now_us
        self.store = (
            ProcessStore(lambda: self.now_us, **more)
            if kind == "process"
            else MachineStore(shared_memory(2**10), lambda: self.now_us, **more)
        )

    async def charge(self, *charges: Charge) -> Sequence[Verdict]:
        return (await self.charge_at(*charges))[1]

    async def charge_at(self, *charges: Charge) -> tuple[int, Sequence[Verdict]]:
        answer = self.store.charge(charges)
        return self.now_us, await answer if isinstance(answer, Awaitable) else answer

    async def close(self) -> None:
        await self.store.close()


class Remote:
    """Redis, with its own clock."""

    def __init__(self, url: str) -> None:
        self.store = RedisStore(url, f"test-{secrets.token_hex(4)}", time.monotonic)

    async def charge(self, *charges: Charge) -> Sequence[Verdict]:
        return await self.store.charge(charges)

    async def charge_at(self, *charges: Charge) -> tuple[int, Sequence[Verdict]]:
        return await self.store.charge_at(charges)

    async def close(self) -> None:
        await self.store.close()
