"""Work that needs an event loop of its own, while another one may be running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """The result of work that may start an event loop: done in a thread, which has none."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def run_apart(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, run to its end in a loop of its own."""
    return apart(lambda: asyncio.run(coroutine))
