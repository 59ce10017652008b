"""Time and ids for tests: they stand still, and are the same in every run."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until a test moves it. Tokens, caches and what the server stamps follow it.

    Args:
        start: the time it shows first, with a time zone.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = _in_utc(start)
        self._ahead = 0.0

    def now(self) -> datetime:
        """The time that the application sees."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that go on by themselves, as waiting takes time in a test, too, and with each travel."""
        return time.perf_counter() + self._ahead

    def travel(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0, milliseconds: float = 0
    ) -> datetime:
        """Moves on by so much; the new time. Raises `ValueError` for a time that lies behind: for that there is
        `set`."""
        step = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, milliseconds=milliseconds)
        if step < timedelta(0):
            raise ValueError("travel goes forward; use set(…) for an earlier time")
        return self.set(self._now + step)

    def set(self, moment: datetime) -> datetime:
        """Shows this time from now on, which may be an earlier one. Raises `ValueError` without a time zone."""
        moment = _in_utc(moment)
        self._ahead += max((moment - self._now).total_seconds(), 0.0)
        self._now = moment
        return moment


class CountedIds:
    """New ids by the clock and a number, so that a run repeats them: UUIDv7 (RFC 9562), increasing within a
    millisecond.

    Args:
        series: keeps ids of several makers apart: 0 to 4095.
    """

    def __init__(self, clock: ManualClock, series: int = 0) -> None:
        self._clock = clock
        self._series = series
        self._made = 0

    def __call__(self) -> str:
        self._made += 1
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return f"{milliseconds:012x}7{self._series:03x}8{self._made:015x}"


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone; write datetime(…, tzinfo=UTC)")
    return moment.astimezone(UTC)
