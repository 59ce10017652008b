"""What is reported of dependencies that fail: each failure once, and again after it was over."""

from __future__ import annotations

from collections.abc import Iterator

from sternpost.clock import SystemClock
from sternpost.errors import Unavailable
from sternpost.health.readiness import Readiness


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
