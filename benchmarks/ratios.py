"""Whether a request became dearer: ratios of the same round, an interval of their median, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median

from benchmarks.measure import Sample
from benchmarks.summary import cpu, ratios

CONFIDENCE = 0.95
RATIO_MAX = 1.03
"""A median ratio up to this is no rise."""

INTERVAL_MAX = 1.10
"""Where the ratio may as well be 1.00, its interval may not reach further than this."""


@dataclass(frozen=True)
class Interval:
    """Where the median of all ratios lies with this confidence."""

    low: float
    high: float
    confidence: float


def interval_of_median(values: Iterable[float], confidence: float = CONFIDENCE) -> Interval:
    """The narrowest pair of order statistics, as far from one end as from the other, that has the confidence.

    It assumes nothing about how the values are distributed: each lies below the median with probability 1/2, so that the
    k-th least of n is above it with the probability that fewer than k of n tosses of a coin are heads (David & Nagaraja,
    Order Statistics, 7.1). Fewer than six values cannot have 95 %: then it is the least and the greatest, and its
    confidence says what that is worth.
    """
    ordered = sorted(values)
    count = len(ordered)
    rank = max((k for k in range(1, (count + 1) // 2 + 1) if coverage(count, k) >= confidence), default=1)
    return Interval(ordered[rank - 1], ordered[count - rank], coverage(count, rank))


def coverage(count: int, rank: int) -> float:
    """How probably the median lies between the rank-th least and the rank-th greatest of so many values."""
    return max(0.0, 1 - 2 * sum(comb(count, below) for below in range(rank)) / 2**count)


@dataclass(frozen=True)
class Ratio:
    """A figure of the new tree over that of the old one in the same round. Figures are medians of all rounds."""

    old: float
    new: float
    ratio: float
    interval: Interval

    @property
    def holds(self) -> bool:
        """Whether it did not rise, as far as can be told."""
        unchanged = self.interval.low <= 1.0 <= self.interval.high and self.interval.high <= INTERVAL_MAX
        return self.ratio <= RATIO_MAX or unchanged


def ratio_of(old: Sequence[float], new: Sequence[float]) -> Ratio:
    """From one figure a round of each."""
    found = [after / before for before, after in zip(old, new, strict=True)]
    return Ratio(median(old), median(new), median(found), interval_of_median(found))


@dataclass(frozen=True)
class Outcome:
    """One workload on one database; CPU in microseconds a request.

    Attributes:
        database_old, database_new: of the database; None where it has no process of its own.
    """

    database: str
    workload: str
    server: Ratio
    database_old: float | None
    database_new: float | None

    @property
    def holds(self) -> bool:
        return self.server.holds


def outcomes(samples: Sequence[Sample]) -> list[Outcome]:
    """Of the samples of the stacks `old` and `new`, in their order."""
    groups = dict.fromkeys((sample.database, sample.workload) for sample in samples)
    return [_outcome(*key, [s for s in samples if (s.database, s.workload) == key]) for key in groups]


def _outcome(database: str, workload: str, samples: Sequence[Sample]) -> Outcome:
    old, new = ([sample for sample in samples if sample.stack == stack] for stack in ("old", "new"))
    found = ratios(new, {sample.round: sample for sample in old}, "server")
    server = Ratio(median(cpu(old, "server")), median(cpu(new, "server")), median(found), interval_of_median(found))
    return Outcome(database, workload, server, _middle(cpu(old, "database")), _middle(cpu(new, "database")))


def _middle(values: Sequence[float]) -> float | None:
    return median(values) if values else None
