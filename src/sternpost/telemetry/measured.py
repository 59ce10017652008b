"""Measurements as plain data: what a metric is, what a process has measured up to now, and how processes are added up.

`Snapshot` is what leaves a process: as JSON to the supervisor, as text to Prometheus, and to whatever else exports it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

Kind = Literal["counter", "gauge", "histogram", "window"]
"""A counter only grows, a gauge goes up and down, a histogram counts values by fixed bounds since the start, a window
counts those of the last one to two minutes by exponential bounds."""

SCALE = 3
"""Of the exponential bounds, as in OpenTelemetry: bucket `i` holds what is greater than `2 ** (i / 8)` and at most
`2 ** ((i + 1) / 8)`. The geometric mean of a bucket is at most 4.5 % away from what is in it."""

PER_OCTAVE = 1 << SCALE

Labels = tuple[str, ...]
"""The values of a metric's labels, in the order of their names."""

Tally = defaultdict[Labels, int]
"""A counter that others add to, by the values of its labels. (A `collections.Counter` takes twice as long.)"""


@dataclass(frozen=True, slots=True)
class Description:
    """A metric.

    Attributes:
        name: with its unit, as in Prometheus, but for the `_total` of a counter.
        unit: `seconds` or `bytes`; empty for a plain number.
        labels: their names.
        bounds: the upper bounds of a histogram, ascending; what is greater than the last is counted, too.
    """

    name: str
    kind: Kind
    help: str
    unit: str = ""
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Histogram:
    """Values by the bounds of the description.

    Attributes:
        counts: how many were in each bucket, not cumulative; one more than there are bounds.
        sum: of all values.
    """

    counts: tuple[int, ...]
    sum: float

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Window:
    """Values by exponential bounds (see `SCALE`).

    Attributes:
        counts: how many were in each bucket, by its index; those with any.
    """

    counts: Mapping[int, int]

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts.values())

    def quantile(self, part: float) -> float | None:
        """The value that this part of all values does not exceed, within 4.5 %; None where there were none."""
        rank, seen = math.ceil(part * self.count), 0
        for index in sorted(self.counts):
            seen += self.counts[index]
            if seen >= max(rank, 1):
                return 2 ** ((index + 0.5) / PER_OCTAVE)
        return None


Value = float | Histogram | Window
"""By the kind of the metric: a number for counters and gauges."""

Values = Mapping[str, Mapping[Labels, Value]]
"""By the name of the metric and the values of its labels."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one process has measured up to an instant.

    Attributes:
        started_at, taken_at: seconds since 1970. Counters and histograms count from the first to the second.
    """

    started_at: float
    taken_at: float
    values: Values

    def as_json(self) -> dict[str, Any]:
        """For a message to another process."""
        values = {
            name: [[labels, _encoded(value)] for labels, value in found.items()] for name, found in self.values.items()
        }
        return {"startedAt": self.started_at, "takenAt": self.taken_at, "values": values}

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Snapshot:
        """What `as_json` has made, by this release or another one."""
        values = {
            name: {tuple(labels): _decoded(value) for labels, value in found}
            for name, found in message["values"].items()
        }
        return cls(message["startedAt"], message["takenAt"], values)


def _encoded(value: Value) -> Any:
    match value:
        case Histogram():
            return [value.sum, value.counts]
        case Window():
            return {str(index): count for index, count in value.counts.items()}
        case _:
            return value


def _decoded(value: Any) -> Value:
    match value:
        case [total, counts]:
            return Histogram(tuple(cast("list[int]", counts)), cast("float", total))
        case dict():
            return Window({int(index): count for index, count in cast("dict[str, int]", value).items()})
        case _:
            return value


# -- adding up


def added(one: Value, other: Value) -> Value:
    """Two values of the same counter, histogram or window as those of one process."""
    if isinstance(one, Histogram) and isinstance(other, Histogram):
        counts = tuple(map(sum, zip(one.counts, other.counts, strict=True)))
        return Histogram(counts, one.sum + other.sum)
    if isinstance(one, Window) and isinstance(other, Window):
        keys = one.counts.keys() | other.counts.keys()
        return Window({key: one.counts.get(key, 0) + other.counts.get(key, 0) for key in keys})
    return cast("float", one) + cast("float", other)


@dataclass(slots=True)
class Sum:
    """Several processes, as if one had measured everything; of gauges nothing, because each process has its own.

    Args:
        known: the metrics of this release. What a process of another release has beside them is left out, and so is a
            histogram with other bounds.
    """

    known: Mapping[str, Description]
    values: dict[str, dict[Labels, Value]] = field(init=False, default_factory=lambda: {})

    def add(self, values: Values, kinds: Iterable[Kind] = ("counter", "histogram", "window")) -> None:
        """Adds what a process has measured, as far as it is of these kinds."""
        wanted = {*kinds} - {"gauge"}
        for name, found in values.items():
            description = self.known.get(name)
            if description is None or description.kind not in wanted:
                continue
            into = self.values.setdefault(name, {})
            for labels, value in found.items():
                if fits(description, labels, value):
                    into[labels] = added(into[labels], value) if labels in into else value


def fits(description: Description, labels: Labels, value: Value) -> bool:
    """Whether a value is one of this metric, as this release knows it."""
    if len(labels) != len(description.labels):
        return False
    if description.kind == "histogram":
        return isinstance(value, Histogram) and len(value.counts) == len(description.bounds) + 1
    return isinstance(value, Window) == (description.kind == "window") and not isinstance(value, Histogram)
