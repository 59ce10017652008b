"""How long to wait before a transaction is tried again that the database gave up in favour of another one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

RETRIES = 3
"""How many more times a transaction is tried, where nothing else is said."""

BACKOFF_SECONDS = 0.02
BACKOFF_SECONDS_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits a random part of a time that doubles with each try, so that two that were in each other's way part.

    Attributes:
        sleep, random: replaced in tests.
    """

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    async def wait(self, number: int) -> None:
        """Before the try with this number; the first one that is a repetition has 0."""
        await self.sleep(min(BACKOFF_SECONDS * 2**number, BACKOFF_SECONDS_MAX) * self.random())
