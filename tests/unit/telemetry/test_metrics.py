"""What is counted of calls, with a clock that the test moves, and how processes are added up."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.protocols.http.observed import HttpObservation
from sternpost.telemetry.measured import Histogram, Snapshot, Sum, Values, Window
from sternpost.telemetry.metric_names import BY_NAME, DURATION, DURATION_BOUNDS, ERRORS, RECENT, REQUESTS
from sternpost.telemetry.metrics import HALF_SECONDS, LONGEST, SHORTEST, Metrics
from sternpost.telemetry.observation import Observation

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
OPERATIONS = ("orders.browse", "orders.read")


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 100)

    def monotonic(self) -> float:
        return self.seconds


class Silent:
    def failed(self, observation: Observation, error: BaseException) -> None: ...

    def bound(self, observation: Observation) -> Any: ...


def make(clock: Clock | None = None) -> Metrics:
    return Metrics(OPERATIONS, ["health"], clock or Clock())


def call(
    metrics: Metrics,
    operation: str | None = "orders.read",
    seconds: float = 0.003,
    *,
    at: float = 100.0,
    status: int = 200,
    code: str | None = None,
    path: str = "/",
    place: str | None = None,
) -> None:
    observation = HttpObservation(Silent(), "r", "t", "s", None, at - seconds, "GET", path)
    observation.operation, observation.status, observation.error_code = operation, status, code
    if place is not None:
        observation.place = place
    observation.ended = at
    metrics.finished(observation)


def window(metrics: Metrics, operation: str = "orders.read") -> Window:
    return cast("Window", metrics.snapshot().values[RECENT.name].get((operation,), Window({})))


def test_calls_are_counted_by_operation_outcome_and_code() -> None:
    metrics = make()
    for _ in range(3):
        call(metrics)
    call(metrics, status=404, code="NOT_FOUND")
    call(metrics, status=500, code="INTERNAL_ERROR")
    call(metrics, status=422, code="sold out: ada@example.com")
    call(metrics, status=499)
    call(metrics, "orders.browse", status=200)
    values = metrics.snapshot().values
    of_reads = {labels[1]: count for labels, count in values[REQUESTS.name].items() if labels[0] == "orders.read"}
    assert of_reads == {"ok": 3, "rejected": 2, "failed": 1, "left": 1}
    assert values[REQUESTS.name]["orders.browse", "ok"] == 1
    assert values[ERRORS.name] == {
        ("orders.read", "rejected", "NOT_FOUND"): 1,
        ("orders.read", "failed", "INTERNAL_ERROR"): 1,
        ("orders.read", "rejected", "OTHER"): 1,
        ("orders.read", "left", "NONE"): 1,
    }


def test_a_histogram_counts_by_its_bounds() -> None:
    metrics = make()
    for seconds in (0.0, 0.0009, 0.002, 0.2, 3.0, 31.0):
        call(metrics, seconds=seconds, at=1000.0)
    found = cast("Histogram", metrics.snapshot().values[DURATION.name]["orders.read",])
    by_bound = dict(zip((*DURATION_BOUNDS, math.inf), found.counts, strict=True))
    assert {bound: count for bound, count in by_bound.items() if count} == {
        0.001: 2,
        0.0025: 1,
        0.25: 1,
        5.0: 1,
        math.inf: 1,
    }
    assert found.sum == pytest.approx(34.2029)
    assert found.count == 6


def test_ten_thousand_addresses_add_no_series() -> None:
    metrics = make()
    before = series(metrics.snapshot())
    call(metrics, None, status=404, code="NOT_FOUND")
    call(metrics, None, place="health")
    once = series(metrics.snapshot())
    for number in range(10_000):
        call(metrics, None, status=404, code="NOT_FOUND", path=f"/secret-{number}")
        call(metrics, f"stranger-{number}", place=f"stranger-{number}")
    after = metrics.snapshot()
    assert series(after) == once
    assert len(once) < len(before) + 10
    assert after.values[REQUESTS.name]["elsewhere", "rejected"] == 10_001
    assert after.values[REQUESTS.name]["health", "ok"] == 1


def series(snapshot: Snapshot) -> set[tuple[str, ...]]:
    return {(name, *labels) for name, found in snapshot.values.items() for labels in found}


@pytest.mark.parametrize("part", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("spread", [0.3, 1.0, 2.5])
def test_quantiles_are_within_five_percent(part: float, spread: float) -> None:
    rng, metrics = random.Random(7), make()
    seconds = [min(rng.lognormvariate(math.log(0.004), spread), 100.0) for _ in range(5000)]
    for each in seconds:
        call(metrics, seconds=each, at=130.0)
    exact = sorted(seconds)[math.ceil(part * len(seconds)) - 1]
    assert window(metrics).quantile(part) == pytest.approx(exact, rel=0.05)


def test_a_bound_belongs_to_the_bucket_below_it() -> None:
    metrics = make()
    for seconds in (0.25, 0.2500001):
        call(metrics, seconds=seconds, at=seconds)  # as exact as it can be
    assert window(metrics).counts == {-17: 1, -16: 1}


def test_what_is_out_of_range_is_counted_at_its_ends() -> None:
    metrics = make()
    for seconds in (-1.0, 0.0, SHORTEST, LONGEST * 2):
        call(metrics, seconds=seconds, at=0.0)
    counts = window(metrics).counts
    assert (counts[min(counts)], counts[max(counts)], len(counts)) == (3, 1, 2)
    assert 2 ** (min(counts) / 8) == SHORTEST
    assert 2 ** ((max(counts) + 1) / 8) == LONGEST


def test_a_window_forgets_what_is_older_than_two_minutes() -> None:
    clock = Clock()
    metrics = make(clock)
    call(metrics, seconds=1.0, at=100.0)
    clock.seconds = 100 + HALF_SECONDS
    call(metrics, seconds=0.01, at=clock.seconds)
    assert window(metrics).count == 2
    clock.seconds = 100 + 2 * HALF_SECONDS - 1
    assert window(metrics).count == 2
    clock.seconds = 100 + 2 * HALF_SECONDS
    assert window(metrics).quantile(1.0) == pytest.approx(0.01, rel=0.05)
    clock.seconds = 100 + 3 * HALF_SECONDS
    assert window(metrics).count == 0
    assert window(metrics).quantile(0.5) is None
    found = cast("Histogram", metrics.snapshot().values[DURATION.name]["orders.read",])
    assert found.count == 2, "the histogram forgets nothing"


def test_a_window_is_empty_after_a_long_silence() -> None:
    clock = Clock()
    metrics = make(clock)
    call(metrics, at=100.0)
    clock.seconds = 100 + HALF_SECONDS
    call(metrics, at=clock.seconds)
    clock.seconds = 100 + 1000 * HALF_SECONDS
    call(metrics, at=clock.seconds)
    assert window(metrics).count == 1


calls = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([*OPERATIONS, None]),
        st.integers(0, 1_000_000).map(lambda us: us / 1_000_000),
        st.sampled_from([(200, None), (404, "NOT_FOUND"), (503, "UNAVAILABLE"), (422, "MINE"), (499, None)]),
        st.sampled_from([0.0, 1.0, 30.0, 61.0, 200.0]),
    ),
    max_size=60,
)


@given(calls)
def test_processes_together_are_one_that_saw_everything(made: list[Any]) -> None:
    clock = Clock()
    every, parts = make(clock), [make(clock) for _ in range(3)]
    for number, operation, seconds, (status, code), pause in made:
        clock.seconds += pause
        for metrics in (every, parts[number]):
            call(metrics, operation, seconds, at=clock.seconds, status=status, code=code)
    sent = [Snapshot.read(orjson.loads(orjson.dumps(each.snapshot().as_json()))) for each in parts]
    total = Sum(BY_NAME)
    for each in sent:
        total.add(each.values)
    assert plain(total.values) == plain(every.snapshot().values)


def plain(values: Values) -> dict[tuple[str, ...], Any]:
    """With sums that were added in another order."""
    return {
        (name, *labels): (value.counts, round(value.sum, 6)) if isinstance(value, Histogram) else value
        for name, found in values.items()
        for labels, value in found.items()
    }


def test_a_snapshot_is_what_was_sent() -> None:
    metrics = make()
    call(metrics)
    metrics.add(lambda: [("sternpost_requests_in_flight", (), 7.5)])
    snapshot = metrics.snapshot()
    assert Snapshot.read(orjson.loads(orjson.dumps(snapshot.as_json()))) == snapshot
    assert snapshot.values["sternpost_requests_in_flight"] == {(): 7.5}


def test_what_another_release_measures_is_left_out() -> None:
    total = Sum(BY_NAME)
    total.add({"sternpost_unknown": {(): 1}, REQUESTS.name: {("orders.read",): 1, ("orders.read", "ok"): 2}})
    total.add({DURATION.name: {("orders.read",): Histogram((1, 2), 3.0)}, RECENT.name: {("orders.read",): 5}})
    assert {name: found for name, found in total.values.items() if found} == {REQUESTS.name: {("orders.read", "ok"): 2}}
