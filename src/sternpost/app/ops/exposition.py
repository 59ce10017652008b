"""Metrics as text: the format of Prometheus, or OpenMetrics, as `prometheus_client` writes them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import cast

from prometheus_client import exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from sternpost.telemetry.measured import Description, Histogram, Labels, Value, Values, Window, fits
from sternpost.telemetry.metric_names import EVERY

OPENMETRICS = b"application/openmetrics-text"
PERCENTILES = (50, 95, 99)
WORKER = "worker"
PERCENTILE = "percentile"


def written(totals: Values, workers: Mapping[str, Values], accept: bytes) -> tuple[bytes, bytes]:
    """The media type, and the text.

    Args:
        totals: counters, histograms and windows.
        workers: what each has, by its name; only gauges are read.
        accept: the media types that are wanted. OpenMetrics is written where it is among them.
    """
    collected = _Collected(totals, workers)
    if OPENMETRICS in accept:
        return OPENMETRICS + b"; version=1.0.0; charset=utf-8", _open_metrics(collected)
    return b"text/plain; version=0.0.4; charset=utf-8", exposition.generate_latest(collected)


def _open_metrics(collected: Collector) -> bytes:
    generate: Callable[[Collector], bytes] = getattr(openmetrics, "generate_latest")  # noqa: B009  (it has no types)
    return generate(collected)


class _Collected(Collector):
    """A custom collector: nothing is kept in the library's own metrics."""

    def __init__(self, totals: Values, workers: Mapping[str, Values]) -> None:
        self._totals = totals
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        """Every metric that has a value."""
        for description in EVERY:
            family = self._family(description)
            if family.samples:
                yield family

    def _family(self, description: Description) -> Metric:
        found = self._totals.get(description.name, {})
        match description.kind:
            case "counter":
                return _counter(description, found)
            case "histogram":
                return _histogram(description, found)
            case "window":
                return _percentiles(description, found)
            case "gauge":
                return self._gauge(description)

    def _gauge(self, description: Description) -> Metric:
        family = _gauge_family(description, WORKER)
        for worker, values in self._workers.items():
            for labels, value in values.get(description.name, {}).items():
                if fits(description, labels, value):
                    family.add_metric([*labels, worker], cast("float", value))
        return family


def _counter(description: Description, found: Mapping[Labels, Value]) -> Metric:
    family = CounterMetricFamily(description.name, description.help, labels=description.labels, unit=description.unit)
    for labels, value in found.items():
        family.add_metric(labels, cast("float", value))
    return family


def _histogram(description: Description, found: Mapping[Labels, Value]) -> Metric:
    family = HistogramMetricFamily(description.name, description.help, labels=description.labels, unit=description.unit)
    bounds = [*map(str, description.bounds), "+Inf"]
    for labels, value in found.items():
        histogram = cast("Histogram", value)
        buckets = list(zip(bounds, itertools.accumulate(histogram.counts), strict=True))
        family.add_metric(labels, buckets, histogram.sum)
    return family


def _percentiles(description: Description, found: Mapping[Labels, Value]) -> Metric:
    family = _gauge_family(description, PERCENTILE)
    for labels, value in found.items():
        for percentile in PERCENTILES:
            quantile = cast("Window", value).quantile(percentile / 100)
            if quantile is not None:
                family.add_metric([*labels, str(percentile)], quantile)
    return family


def _gauge_family(description: Description, more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        description.name, description.help, labels=[*description.labels, more], unit=description.unit
    )
