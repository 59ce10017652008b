"""Readiness is answered from what was found in the background: how often dependencies are checked, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sternpost.clock import Clock, SystemClock
from sternpost.errors import NotFound, Unavailable
from sternpost.health import readiness as module
from sternpost.health.readiness import Check, Readiness

Tell = Callable[[str, str | None], None]


@pytest.fixture(autouse=True)
def _in_little_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.06)
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.01)


class Dependency:
    """One that a test takes away and gives back."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.asked = 0
        self.at_once = 0
        self.most_at_once = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self._checked = asyncio.Condition()

    async def check(self) -> None:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.answering.wait()
        finally:
            self.at_once -= 1
            async with self._checked:
                self._checked.notify_all()
        if self.reason is not None:
            raise Unavailable(log={"reason": self.reason})

    async def checked(self, times: int) -> None:
        """Waits until it was asked so many times more."""
        wanted = self.asked + times
        async with asyncio.timeout(5), self._checked:
            await self._checked.wait_for(lambda: self.asked >= wanted)
        await asyncio.sleep(0)


@asynccontextmanager
async def running(
    checks: dict[str, Check],
    tell: Tell = lambda name, why: None,
    optional: dict[str, Check] | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Readiness]:
    readiness = Readiness("7", clock or SystemClock(), checks, tell, optional, random=lambda: 0.5)
    await readiness.start()
    try:
        yield readiness
    finally:
        await readiness.stop()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_first_check_happens_at_the_start() -> None:
    dependency = Dependency()
    readiness = Readiness("7", SystemClock(), {"database": dependency.check}, lambda name, why: None)
    assert (readiness.started, readiness.report()[0]) == (False, False)
    dependency.reason = "away"
    await readiness.start()
    assert (readiness.started, readiness.report()[0], dependency.asked) == (True, False, 1)
    await readiness.stop()


async def test_however_many_ask_dependencies_are_checked_when_it_is_due() -> None:
    dependency = Dependency()
    async with running({"database": dependency.check}) as readiness:
        started = asyncio.get_running_loop().time()
        for _ in range(5000):
            assert readiness.report()[0]
        await dependency.checked(3)
        seconds = asyncio.get_running_loop().time() - started
        assert dependency.asked <= 2 + seconds / 0.08
        assert dependency.most_at_once == 1


async def test_a_failure_is_told_once_and_again_after_it_was_over() -> None:
    dependency, told = Dependency(), list[tuple[str, str | None]]()
    async with running({"database": dependency.check}, lambda name, why: told.append((name, why))) as readiness:
        states: list[bool] = []
        for reason in (None, "away", "away", "full", None, "full"):
            dependency.reason = reason
            await dependency.checked(2)
            states.append(readiness.report()[0])
        assert states == [True, False, False, False, True, False]
    assert told == [
        ("database", "away"),
        ("database", "full"),
        ("database", None),
        ("database", "full"),
    ]


async def test_a_request_that_fails_hastens_the_next_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 60)
    dependency = Dependency()
    async with running({"database": dependency.check}) as readiness:
        dependency.reason = "away"
        readiness.suspect(NotFound())
        readiness.suspect(ValueError())
        await asyncio.sleep(0.05)
        assert dependency.asked == 1, "nothing of that speaks against the database"
        for _ in range(1000):
            readiness.suspect(Unavailable())
        await until(lambda: not readiness.report()[0])
        assert dependency.asked <= 4, "a flood of failures is no flood of checks"
        dependency.reason = None
        await until(lambda: readiness.report()[0])


async def test_one_that_hangs_holds_up_neither_the_others_nor_the_answer() -> None:
    slow, other = Dependency(), Dependency()
    async with running({"slow": slow.check, "other": other.check}) as readiness:
        slow.answering.clear()
        await until(lambda: not readiness.report()[0])
        asked = other.asked
        await other.checked(2)
        assert other.asked >= asked + 2
        assert readiness.report()[1]["checks"]["other"]["status"] == "healthy"
        assert slow.most_at_once == 1
        slow.answering.set()
        await until(lambda: readiness.report()[0])


async def test_what_was_found_long_ago_is_worth_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALE_SECONDS", 0.2)
    forever = asyncio.Event()
    asked = 0

    async def ignores_its_end() -> None:
        nonlocal asked
        asked += 1
        while asked > 1 and not forever.is_set():
            try:
                await forever.wait()
            except asyncio.CancelledError:
                continue

    async with running({"database": ignores_its_end}) as readiness:
        assert readiness.report()[0]
        await until(lambda: not readiness.report()[0])
        assert asked == 2
        forever.set()


class Minutes:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=self.passed)

    def monotonic(self) -> float:
        return 60 * self.passed


async def test_what_hangs_or_fails_somehow_is_unhealthy_and_what_is_optional_degraded() -> None:
    told: dict[str, Any] = {}

    async def well() -> None:
        """Nothing is wrong."""

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        raise OSError("told to nobody")

    clock = Minutes()
    ways: list[tuple[dict[str, Check], dict[str, Check], bool, dict[str, str]]] = [
        ({"a": well}, {"b": well}, True, {"a": "healthy", "b": "healthy"}),
        ({"a": well}, {"b": fails}, True, {"a": "healthy", "b": "degraded"}),
        ({"a": well}, {"b": hangs}, True, {"a": "healthy", "b": "degraded"}),
        ({"a": well, "c": hangs}, {"b": well}, False, {"a": "healthy", "c": "unhealthy", "b": "healthy"}),
        ({"a": fails}, {}, False, {"a": "unhealthy"}),
    ]
    for needed, optional, ready, states in ways:
        readiness = Readiness("7", clock, needed, told.__setitem__, optional)
        clock.passed += 125
        await readiness.start()
        is_ready, body = readiness.report()
        await readiness.stop()
        assert (is_ready, body["status"]) == (ready, "healthy" if ready else "unhealthy")
        assert {name: check["status"] for name, check in body["checks"].items()} == states
        assert (body["uptime"], body["version"], "reason" in body) == ("2h5m", "7", False)
        assert "told to nobody" not in str(body)
    assert told == {"a": "OSError", "b": "no answer within 0.05 s", "c": "no answer within 0.05 s"}


async def test_a_service_that_shuts_down_is_not_ready_whatever_its_checks_say() -> None:
    dependency = Dependency()
    async with running({"database": dependency.check}) as readiness:
        readiness.draining = True
        ready, body = readiness.report()
        assert (ready, body["status"], body["reason"]) == (False, "unhealthy", "the service is shutting down")
        assert body["checks"]["database"]["status"] == "healthy"


async def test_nothing_goes_on_after_the_stop() -> None:
    dependency = Dependency()
    before = asyncio.all_tasks()
    async with running({"database": dependency.check}):
        assert asyncio.all_tasks() > before
    assert asyncio.all_tasks() == before
