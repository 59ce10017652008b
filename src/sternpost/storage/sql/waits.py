"""Locks and semaphores that know who waits for them, and how long that took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any, Literal, TypeVar

T = TypeVar("T")


class Waits:
    """Who waits for something.

    Attributes:
        waiting: how many wait now.
        count, seconds: how many have waited since the start, and for how long together.
    """

    __slots__ = ("_monotonic", "count", "seconds", "waiting")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.waiting = 0
        self.count = 0
        self.seconds = 0.0

    async def during(self, waiting: Awaitable[T]) -> T:
        """Counts a wait, also one that ends without what was waited for."""
        began = self._monotonic()
        self.waiting += 1
        try:
            return await waiting
        finally:
            self.waiting -= 1
            self.count += 1
            self.seconds += self._monotonic() - began


class CountedLock(asyncio.Lock):
    """A lock with its waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = Waits()

    def acquire(self) -> CoroutineType[Any, Any, Literal[True]]:
        """Waits until it is free, and takes it."""
        acquiring = super().acquire()
        return self.waits.during(acquiring) if self.locked() else acquiring


class CountedSemaphore(asyncio.Semaphore):
    """A semaphore with its waits.

    Attributes:
        size: how many may hold it at a time; in_use: how many do.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size
        self.in_use = 0
        self.waits = Waits()

    async def acquire(self) -> Literal[True]:
        """Waits for a place, and takes it."""
        taken = await (self.waits.during(super().acquire()) if self.locked() else super().acquire())
        self.in_use += 1
        return taken

    def release(self) -> None:
        """Leaves a place."""
        self.in_use -= 1
        super().release()
