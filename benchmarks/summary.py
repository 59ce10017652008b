"""The arithmetic: medians, spreads, and ratios to the baseline of the same round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Sample


@dataclass(frozen=True)
class Spread:
    """Values of several rounds."""

    median: float
    low: float
    high: float


def spread(values: Iterable[float]) -> Spread | None:
    """None where there are no values."""
    known = list(values)
    return Spread(median(known), min(known), max(known)) if known else None


@dataclass(frozen=True, order=True)
class Key:
    """What was measured."""

    database: str
    workload: str
    connections: int


@dataclass(frozen=True)
class Row:
    """One stack on one workload. CPU in microseconds a request; ratios are per round to the baseline, then spread."""

    key: Key
    stack: str
    server: Spread
    server_ratio: Spread | None
    database: Spread | None
    database_ratio: Spread | None
    per_second: float
    p99_seconds: float


def summarise(samples: Sequence[Sample], baseline: str) -> list[Row]:
    """A row for each stack and what it was measured on, in the order of the samples."""
    groups: dict[tuple[Key, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[Key(sample.database, sample.workload, sample.connections), sample.stack].append(sample)
    rows: list[Row] = []
    for (key, stack), taken in groups.items():
        base = {sample.round: sample for sample in groups.get((key, baseline), [])}
        server = spread(cpu(taken, "server"))
        if server is None:
            continue
        rows.append(
            Row(
                key,
                stack,
                server,
                spread(ratios(taken, base, "server")),
                spread(cpu(taken, "database")),
                spread(ratios(taken, base, "database")),
                median(sample.result.per_second for sample in taken),
                median(sample.result.latencies[2] for sample in taken),
            )
        )
    return rows


def cpu(samples: Iterable[Sample], name: str) -> list[float]:
    """Microseconds a request of those samples for which it is known."""
    return [used for sample in samples if (used := sample.result.cpu_us(name)) is not None]


def ratios(samples: Iterable[Sample], base: dict[int, Sample], name: str) -> list[float]:
    """Each round's figure over the baseline's of the same round: what the machine did meanwhile, it did to both."""
    found: list[float] = []
    for sample in samples:
        mine = sample.result.cpu_us(name)
        other = base[sample.round].result.cpu_us(name) if sample.round in base else None
        if mine is not None and other:
            found.append(mine / other)
    return found


def per_stack(samples: Iterable[Sample], value: Callable[[Sample], float]) -> dict[str, Spread]:
    """A figure of each stack over all its samples."""
    groups: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        groups[sample.stack].append(value(sample))
    return {stack: Spread(median(values), min(values), max(values)) for stack, values in groups.items()}
