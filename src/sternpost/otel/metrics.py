"""Sends what the process has measured every so often.

Source: OpenTelemetry Specification, "Metrics Data Model"; counters and histograms are cumulative since the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as HistogramData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from sternpost.otel.delivery import Delivery
from sternpost.telemetry.measured import Description, Histogram, Labels, Snapshot, Value, Window

PERCENTILES = (50, 95, 99)
_UNITS: Mapping[str, str] = {"seconds": "s", "bytes": "By", "": "1"}
_SINCE_START = AggregationTemporality.CUMULATIVE


class Measurements:
    """The signal of metrics.

    Args:
        take: gives what was measured up to now; called in the thread that sends.
        known: the metrics that there are, by name.
    """

    name = "metrics"

    def __init__(
        self,
        exporter: Any,
        take: Callable[[], Snapshot | None],
        known: Mapping[str, Description],
        resource: Resource,
        scope: InstrumentationScope,
        delivery: Delivery,
    ) -> None:
        self.delivery = delivery
        self._exporter = exporter
        self._take = take
        self._known = known
        self._resource = resource
        self._scope = scope
        self.waits = True
        """Whether the last values are still to be sent."""

    dropped = 0
    """Values are never dropped: the next ones hold them."""

    def send(self) -> bool:
        """Sends the values of now, as a whole."""
        self.waits = False  # at the end, once is enough
        snapshot = self._take()
        if snapshot is not None:
            found = list(metrics_of(snapshot, self._known))
            scoped = ScopeMetrics(self._scope, found, "")
            data = MetricsData([ResourceMetrics(self._resource, [scoped], self._resource.schema_url)])
            result = self._exporter.export(data)
            self.delivery.note(1, succeeded=result is MetricExportResult.SUCCESS)
        return False

    def end(self) -> None:
        """What was measured since the last time is still to be sent."""
        self.waits = True

    def close(self) -> None:
        """Gives up what is being sent."""
        self._exporter.shutdown()


def metrics_of(snapshot: Snapshot, known: Mapping[str, Description]) -> Iterator[Metric]:
    """The metrics of a snapshot."""
    times = int(snapshot.started_at * 1e9), int(snapshot.taken_at * 1e9)
    for name, values in snapshot.values.items():
        description = known.get(name)
        if description is not None and values:
            data = _data(description, values, *times)
            yield Metric(name, description.help, _UNITS[description.unit], data)


def _data(description: Description, values: Mapping[Labels, Value], start: int, now: int) -> Any:
    if description.kind == "histogram":
        points = [
            _histogram(description, labels, value, start, now)
            for labels, value in values.items()
            if isinstance(value, Histogram)
        ]
        return HistogramData(points, _SINCE_START)
    if description.kind == "window":
        return Gauge(list(_percentiles(description, values, now)))
    numbers = [
        NumberDataPoint(_attributes(description, labels), start, now, value)
        for labels, value in values.items()
        if not isinstance(value, Histogram | Window)
    ]
    return Gauge(numbers) if description.kind == "gauge" else Sum(numbers, _SINCE_START, is_monotonic=True)


def _attributes(description: Description, labels: Labels) -> dict[str, Any]:
    return dict(zip(description.labels, labels, strict=True))


def _histogram(description: Description, labels: Labels, value: Histogram, start: int, now: int) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=_attributes(description, labels),
        start_time_unix_nano=start,
        time_unix_nano=now,
        count=value.count,
        sum=value.sum,
        bucket_counts=value.counts,
        explicit_bounds=description.bounds,
        min=None,  # pyright: ignore[reportArgumentType]  (optional in the protocol: they are not known)
        max=None,  # pyright: ignore[reportArgumentType]
    )


def _percentiles(description: Description, values: Mapping[Labels, Value], now: int) -> Iterator[NumberDataPoint]:
    for labels, window in values.items():
        for part in PERCENTILES:
            value = window.quantile(part / 100) if isinstance(window, Window) else None
            if value is not None:
                attributes = {**_attributes(description, labels), "percentile": str(part)}
                yield NumberDataPoint(attributes, now, now, value)
