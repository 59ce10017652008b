"""Metrics: how many calls, how many of them fail, how long they take, and how busy the process is.

Everything is kept by the ids of operations, which the contract has, and never by what a client has written: the number
of series is known at the start. `Metrics.snapshot` is what exporters read.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from math import log2
from operator import add

from sternpost.clock import Clock
from sternpost.errors import CATALOGUE
from sternpost.telemetry.events import Event
from sternpost.telemetry.measured import PER_OCTAVE, Description, Histogram, Labels, Snapshot, Tally, Value, Window
from sternpost.telemetry.metric_names import DURATION, DURATION_BOUNDS, ERRORS, NO_CODE, OWN_CODE, RECENT, REQUESTS
from sternpost.telemetry.observation import ELSEWHERE, Observation

HALF_SECONDS = 60.0
"""Of the two halves of a window. The older one is forgotten when the newer one is full."""

LOWEST = -17 * PER_OCTAVE
HIGHEST = 10 * PER_OCTAVE - 1
"""The indices of the first and the last bucket of a window: from 8 µs to 17 minutes. What is less or more is counted
there."""

SHORTEST = 2.0 ** (LOWEST / PER_OCTAVE)
LONGEST = 2.0 ** ((HIGHEST + 1) / PER_OCTAVE)
_BUCKETS = HIGHEST - LOWEST + 1

_OUTCOMES = ("ok", "rejected", "failed", "left")
_CODES = frozenset(CATALOGUE)

Reading = tuple[str, Labels, Value]
"""The name of a metric, the values of its labels, and its value now."""

Source = Callable[[], Iterable[Reading]]
"""Where something is read when somebody asks for it."""


class Series:
    """What is counted of one operation.

    Attributes:
        outcomes: calls by outcome; errors: by outcome and code.
        buckets, seconds: how long they took, by `DURATION_BOUNDS`, and added up.
        newer, older: the two halves of the window, by the index of the bucket less `LOWEST`.
    """

    __slots__ = ("buckets", "errors", "newer", "older", "outcomes", "seconds")

    def __init__(self) -> None:
        self.outcomes = dict.fromkeys(_OUTCOMES, 0)
        self.errors: dict[tuple[str, str], int] = {}
        self.buckets = [0] * (len(DURATION_BOUNDS) + 1)
        self.seconds = 0.0
        self.newer = [0] * _BUCKETS
        self.older = [0] * _BUCKETS

    def turn(self) -> None:
        """The newer half is full."""
        self.newer, self.older = self.older, self.newer
        if any(self.newer):
            self.newer = [0] * _BUCKETS

    def window(self) -> Window:
        """Both halves together."""
        return Window({index: count for index, count in enumerate(map(add, self.newer, self.older), LOWEST) if count})


class Metrics:
    """A reader of observations.

    Args:
        operations: the ids of all operations of all versions.
        places: what else is served, as `Observation.place` names it.
    """

    def __init__(self, operations: Iterable[str], places: Iterable[str], clock: Clock) -> None:
        self._clock = clock
        self._series = {name: Series() for name in (*operations, *places, ELSEWHERE)}
        self._elsewhere = self._series[ELSEWHERE]
        self._turns_at = clock.monotonic() + HALF_SECONDS
        self._sources: list[Source] = []
        self._tallies: dict[str, Tally] = {}
        self.started_at = clock.now().timestamp()

    def add(self, *sources: Source) -> None:
        """What is read, too, whenever a snapshot is taken."""
        self._sources += sources

    def tally(self, description: Description, labels: Iterable[Labels] = ()) -> Tally:
        """A counter to add to.

        Args:
            labels: those that are there from the start, with 0: a counter that appears with its first event hides that
                one from whoever asks for its increase.
        """
        tally: Tally = defaultdict(int, dict.fromkeys(labels, 0))
        self._tallies[description.name] = tally
        return tally

    def failed(self, observation: Observation, error: BaseException) -> None:
        """Nothing: the call that ends with the error is counted once, at its end."""

    def told(self, event: Event, observation: Observation | None) -> None:
        """Nothing: what belongs to no call is measured where it lives."""

    def finished(self, observation: Observation) -> None:
        """Counts a call. It is in the way of each, and so is written out: a look-up and a few additions."""
        series = self._series.get(observation.operation or observation.place, self._elsewhere)
        ended = observation.ended
        seconds = ended - observation.started
        outcome = observation.outcome
        series.outcomes[outcome] += 1
        if outcome != "ok":
            _count_error(series, outcome, observation.error_code)
        series.seconds += seconds
        series.buckets[bisect_left(DURATION_BOUNDS, seconds)] += 1
        if ended >= self._turns_at:
            self._turn(ended)
        if SHORTEST < seconds <= LONGEST:  # rounded up, less one: the upper bound belongs to a bucket
            series.newer[_BUCKETS - 1 - int(HIGHEST + 1 - log2(seconds) * PER_OCTAVE)] += 1
        else:
            series.newer[0 if seconds <= SHORTEST else -1] += 1

    def snapshot(self) -> Snapshot:
        """Everything that was measured up to now. Of an operation that was never called there are only its zeros."""
        now = self._clock.monotonic()
        if now >= self._turns_at:
            self._turn(now)
        values: dict[str, dict[Labels, Value]] = {
            name: {} for name in (REQUESTS.name, ERRORS.name, DURATION.name, RECENT.name)
        }
        requests, errors, durations, recent = values.values()
        for name, series in self._series.items():
            requests |= {(name, outcome): count for outcome, count in series.outcomes.items()}
            errors |= {(name, *key): count for key, count in series.errors.items()}
            if not any(series.outcomes.values()):
                continue
            durations[name,] = Histogram(tuple(series.buckets), series.seconds)
            if (window := series.window()).counts:
                recent[name,] = window
        for name, tally in self._tallies.items():
            values[name] = dict(tally)
        for source in self._sources:
            for name, labels, value in source():
                values.setdefault(name, {})[labels] = value
        return Snapshot(self.started_at, self._clock.now().timestamp(), values)

    def _turn(self, now: float) -> None:
        """Halves that are full by now are forgotten one after the other, or both after a long silence."""
        halves = 1 + math.floor((now - self._turns_at) / HALF_SECONDS)
        for series in self._series.values():
            for _ in range(min(halves, 2)):
                series.turn()
        self._turns_at += halves * HALF_SECONDS


def _count_error(series: Series, outcome: str, code: str | None) -> None:
    """A code of the catalogue is counted by its name, and any other as one: the author's code may make it of what a
    client sends."""
    key = outcome, NO_CODE if code is None else code if code in _CODES else OWN_CODE
    series.errors[key] = series.errors.get(key, 0) + 1
