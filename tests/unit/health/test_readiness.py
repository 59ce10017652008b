"""What is reported of dependencies that fail: each failure once, and again after it was over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sternpost.clock import SystemClock
from sternpost.errors import Unavailable
from sternpost.health.readiness import Check, Readiness


async def test_a_failure_is_reported_once_and_again_after_it_was_over() -> None:
    reasons: Iterator[str | None] = iter((None, "away", "away", "full", None, "full"))

    async def check() -> None:
        reason = next(reasons)
        if reason is not None:
            raise Unavailable(log={"reason": reason})

    told: list[tuple[str, str]] = []
    readiness = Readiness("1", SystemClock(), {"database": check}, lambda name, why: told.append((name, why)))
    ready = [(await readiness.report())[0] for _ in range(6)]
    assert ready == [True, False, False, False, True, False]
    assert told == [("database", "away"), ("database", "full"), ("database", "full")]


class Minutes:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=self.passed)

    def monotonic(self) -> float:
        return 60 * self.passed


async def test_what_hangs_or_fails_somehow_is_unhealthy_and_what_is_optional_degraded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sternpost.health.readiness.CHECK_SECONDS", 0.05)
    told: dict[str, str] = {}

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
        is_ready, body = await readiness.report()
        assert (is_ready, body["status"]) == (ready, "healthy" if ready else "unhealthy")
        assert {name: check["status"] for name, check in body["checks"].items()} == states
        assert (body["uptime"], body["version"], "reason" in body) == ("2h5m", "7", False)
        assert "told to nobody" not in str(body)
    assert told == {"a": "OSError", "b": "no answer within 0.05 s", "c": "no answer within 0.05 s"}


async def test_a_service_that_shuts_down_is_not_ready_whatever_its_checks_say() -> None:
    async def well() -> None:
        """Nothing is wrong."""

    readiness = Readiness("1", SystemClock(), {"database": well}, lambda name, why: None)
    readiness.draining = True
    ready, body = await readiness.report()
    assert (ready, body["status"], body["reason"]) == (False, "unhealthy", "the service is shutting down")
    assert body["checks"]["database"]["status"] == "healthy"
