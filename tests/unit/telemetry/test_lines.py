"""The line of a request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson

from sternpost.protocols.http.observed import HttpObservation
from sternpost.telemetry.log import Log

START = datetime(2026, 11, 28, 23, 59, 58, 900_000, UTC)


class ClockOfSteps:
    """A clock that is set by a test."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0


def test_each_line_tells_its_own_instant() -> None:
    clock, lines = ClockOfSteps(), list[bytes]()
    log = Log("test", clock, sensitive=frozenset(), write=lines.append)
    for milliseconds in (0, 99, 100, 500, 999, 1099, 1100, 2100, 60_000, 600, 86_400_600, 599, 0):
        clock.time = START + timedelta(milliseconds=milliseconds)
        observation = HttpObservation(log, "r", "t", "s", None, 0.0, "GET", "/")
        observation.status = 200
        log.finished(observation)
        told = orjson.loads(lines[-1])["timestamp"]
        assert told.endswith("Z")
        assert datetime.fromisoformat(told) == clock.time
