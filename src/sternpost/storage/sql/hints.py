"""Hints that there may be something new, within one process: whoever waits for one looks sooner than it would."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Hints:
    """Wakes all who wait."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def give(self) -> None:
        """There may be something new."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    @contextmanager
    def next(self) -> Generator[asyncio.Future[None]]:
        """The next hint from now on: begin with it, then look, then wait for it, so that none is missed between."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            yield future
        finally:
            self._waiting.discard(future)
            future.cancel()
