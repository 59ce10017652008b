"""Proofs of many rounds: a few in `make test`, many in `make test-slow`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def rounds(few: int, many: int, *, timeout_seconds: float = 900) -> pytest.MarkDecorator:
    """Gives a test the number of its `rounds`; it runs with few and, marked `slow`, with many."""
    slow = pytest.param(many, marks=[pytest.mark.slow, pytest.mark.timeout(timeout_seconds)])
    return pytest.mark.parametrize("rounds", [few, slow])


def drawing(rounds: int, **more: Any) -> settings:
    """So many examples, the same ones each time, whatever they need: what a test asks hypothesis for."""
    kept = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
    return settings(max_examples=rounds, **{**kept, **more})


async def for_drawn(rounds: int, function: Callable[..., Awaitable[None]], *strategies: st.SearchStrategy[Any]) -> None:
    """Runs an asynchronous function with what is drawn, in the loop that its fixtures were made in."""
    loop = asyncio.get_running_loop()

    @drawing(rounds)
    @given(st.tuples(*strategies))
    def run(drawn: tuple[Any, ...]) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(function(*drawn)), loop).result(60)

    await asyncio.to_thread(run)


async def _awaited(work: Awaitable[None]) -> None:
    await work
